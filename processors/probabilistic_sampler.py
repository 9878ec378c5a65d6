"""Keeps a share of spans and log records by chance, as the Collector's processor of that name does.

Chance is taken from the trace id, so that all spans of a trace meet the same fate, here and in every Collector with
the same options: by a hash of it with ``mode: hash_seed``; with the other modes by its last 56 bits, or the random
value ``rv`` in the trace state. What is kept says so: a span in its trace state (``ot=th:…``, from which
``adjusted_count`` and every tail sampling behind it know what the trace stands for), a log record in the attributes
``sampling.threshold`` and ``sampling.randomness``. ``proportional`` keeps the share of what comes, whatever was
sampled before; ``equalizing`` brings all to the same probability and leaves what has a lower one.

A span's attribute ``sampling.priority`` overrides chance: 0 drops it, more keeps it. The children of a dropped span
move up, and usage is counted as if it were there. Where there is no trace id, where a threshold cannot be true or
cannot be read, and where ``hash_seed`` meets items that were sampled in the other way, ``fail_closed`` decides; these
items are counted in ``spanloom_processor_failed_expressions``.

Whole traces by what they cost, how they ended or who they are for are kept by ``tail_sampling``.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from processors._probabilistic import carrier, threshold_digits
from processors._probabilistic.deciding import NONE, Decided, Rule
from processors._probabilistic.threshold_digits import ALWAYS, MISSING, NEVER
from spanloom import (
    Batch,
    ComponentConfig,
    Flat,
    LogBatch,
    ProcessorFactory,
    Settings,
    Signal,
    SpanBatch,
    attribute_text,
    double_of_bits,
    flat_edits,
    flatten,
    numpy_of,
    parse_float,
    schema,
)

Ints = npt.NDArray[np.int64]
_SPAN_PRIORITY = "sampling.priority"
_RANDOM, _THRESHOLD = "sampling.randomness", "sampling.threshold"
_NO_ID = bytes(16)
_HOLE = "\0"


class Config(ComponentConfig):
    sampling_percentage: float = Field(default=0, ge=0, allow_inf_nan=False)
    """Per cent to keep; 100 and more keeps all, 0 what a priority keeps."""

    mode: Literal["hash_seed", "proportional", "equalizing"] = "hash_seed"
    """Where chance comes from, and what was sampled before counts for."""

    hash_seed: int = Field(default=0, ge=0, lt=2**32)
    """Collectors of one tier need the same seed, those behind each other different ones."""

    fail_closed: bool = True
    """Drops what cannot be decided; false keeps it."""

    sampling_precision: int = Field(default=4, ge=1, le=14)
    """Hexadecimal digits of a threshold."""

    attribute_source: Literal["traceID", "record"] = "traceID"
    """Of log records: where ``hash_seed`` takes chance from."""

    from_attribute: str = ""
    """Of log records, with ``hash_seed``: an attribute to take chance from, where there is no trace id or it is not
    asked."""

    sampling_priority: str = ""
    """Of log records: an attribute with a percentage above 0, which holds instead of the sampler's."""


class ProbabilisticSampler:
    """A share of what comes."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._config = config
        self._failed = settings.telemetry.failed_expressions.labels(str(settings.id))
        self._fixed = self._threshold()
        never = self._fixed == NEVER
        hashes = config.mode == "hash_seed" and not never
        self._rule = Rule(self._threshold_of, hashes, config.fail_closed, never)

    def _threshold(self) -> int:
        """Of what was not sampled before."""
        percentage = float(np.float32(min(self._config.sampling_percentage, 100)))
        if self._config.mode == "hash_seed":
            return threshold_digits.of_buckets(percentage)
        ratio = max(percentage / 100, threshold_digits.SMALLEST) if percentage else 0.0
        return threshold_digits.of_probability(ratio, self._config.sampling_precision)

    def _threshold_of(self, came: int | None) -> int:
        if came is None or self._fixed == NEVER or self._config.mode == "hash_seed":
            return self._fixed
        if self._config.mode == "equalizing":
            return max(self._fixed, came)
        ratio = float(np.float32(min(self._config.sampling_percentage, 100))) / 100
        return threshold_digits.of_probability(
            threshold_digits.probability(came) * ratio, self._config.sampling_precision
        )

    def process(self, batch: Batch) -> Batch:
        """Takes spans and log records."""
        if not batch.num_rows:
            return batch
        return self._spans(batch) if isinstance(batch, SpanBatch) else self._records(batch)

    def _spans(self, batch: SpanBatch) -> SpanBatch:
        priority = _each(flatten(batch.column("attributes")), _SPAN_PRIORITY, batch.num_rows, _span_priority, NONE)
        states = batch.column("trace_state").dictionary_encode()
        carriers = [carrier.of_trace_state(text) for text in states.dictionary.to_pylist()]
        codes = numpy_of(states.indices).astype(np.int64)
        random = self._of_ids(_octets(batch.column("trace_id")))
        decided = self._rule.decide(carriers, codes, random, np.where(priority == ALWAYS, ALWAYS, NONE))
        self._count(decided, priority != NEVER)
        kept = decided.kept & (priority != NEVER)
        written = decided.written & kept
        if written.any():
            shown, random = decided.threshold[written], decided.random[written]
            texts = _trace_states(carriers, codes[written], shown, random, fill=self._rule.hashes)
            state = pc.replace_with_mask(batch.column("trace_state"), pa.array(written), texts)
            batch = batch.with_columns({"trace_state": state})
        return batch if kept.all() else batch.filter(kept)

    def _of_ids(self, octets: npt.NDArray[np.uint8]) -> Ints:
        """Random values of trace ids; none for the id that is none."""
        if self._rule.hashes:
            found = threshold_digits.hashed(octets, self._config.hash_seed)
        else:
            found = threshold_digits.last_56_bits(np.ascontiguousarray(octets).view(np.uint64))
        return np.where(octets.any(axis=1), found.astype(np.int64), NONE)

    def _records(self, batch: Any) -> LogBatch:
        flat, n = flatten(batch.column("attributes")), batch.num_rows
        said = [_texts(flat, key, n) for key in (_RANDOM, _THRESHOLD)]
        pairs, codes = np.unique(np.stack(said), axis=1, return_inverse=True)
        carriers = [carrier.of_attributes(*pair) for pair in pairs.T.tolist()]
        priority = np.full(n, NONE, np.int64)
        if self._config.sampling_priority:
            priority = _each(flat, self._config.sampling_priority, n, self._record_priority, NONE)
        decided = self._rule.decide(carriers, codes.reshape(-1), self._of_records(batch, flat), priority)
        self._count(decided, np.ones(n, np.bool_))
        flat = _with_sampling(flat, decided, n)
        batch = batch.with_columns({"attributes": flat_edits.column(flat, n)}) if decided.written.any() else batch
        return batch if decided.kept.all() else batch.filter(decided.kept)  # type: ignore[no-any-return]

    def _of_records(self, batch: LogBatch, flat: Flat) -> Ints:
        """Random values of log records: of the trace id, else of the attribute that was named."""
        ids = [id_ if len(id_) == len(_NO_ID) else _NO_ID for id_ in batch.column("trace_id").to_pylist()]
        random = self._of_ids(np.frombuffer(b"".join(ids), np.uint8).reshape(-1, len(_NO_ID)))
        if not self._rule.hashes:
            return random
        if self._config.attribute_source == "record":
            random = np.full(len(ids), NONE, np.int64)
        if not self._config.from_attribute:
            return random
        of_attribute = _each(flat, self._config.from_attribute, len(ids), self._of_value, NONE)
        return np.where(random == NONE, of_attribute, random)

    def _of_value(self, value: tuple[int, int, str]) -> int:
        content = attribute_text(value).encode()
        return threshold_digits.hashed_bytes(content, self._config.hash_seed) if content else NONE

    def _record_priority(self, value: tuple[int, int, str]) -> int:
        """The threshold of a percentage; ``NONE`` for what is none."""
        kind, num, _ = value
        percentage = double_of_bits(num) if kind == schema.DOUBLE else float(num) if kind == schema.INT else 0.0
        return (
            threshold_digits.of_probability(percentage / 100, self._config.sampling_precision)
            if percentage > 0
            else NONE
        )

    def _count(self, decided: Decided, asked: npt.NDArray[np.bool_]) -> None:
        if failed := int((decided.failed & asked).sum()):
            self._failed.inc(failed)


def _span_priority(value: tuple[int, int, str]) -> int:
    """``NEVER`` or ``ALWAYS``; ``NONE`` leaves it to chance."""
    kind, num, text = value
    match kind:
        case schema.INT:
            number: float | None = num
        case schema.DOUBLE:
            number = double_of_bits(num)
        case schema.STRING:
            number = parse_float(text)
        case _:
            number = None
    if number is None:
        return NONE
    return NEVER if number == 0 else ALWAYS if number > 0 else NONE


def _each(flat: Flat, key: str, n: int, of: Any, missing: int) -> Ints:
    """A number per row, made of its value of that key; ``of`` is called once per distinct value."""
    at = flat_edits.first_of(flat, key, n)
    found = np.full(n, missing, np.int64)
    rows = np.flatnonzero(at >= 0)
    if len(rows):
        values = flat_edits.Values.at(flat, at[rows])
        columns = list(zip(values.types.tolist(), values.nums.tolist(), values.texts.to_pylist(), strict=True))
        made = {value: of(value) for value in dict.fromkeys(columns)}
        found[rows] = [made[value] for value in columns]
    return found


def _texts(flat: Flat, key: str, n: int) -> npt.NDArray[np.str_]:
    """Each row's text under a key; "" where it has none."""
    at = flat_edits.first_of(flat, key, n)
    found = np.full(n, "", object)
    rows = np.flatnonzero(at >= 0)
    strings = rows[flat.types[at[rows]] == schema.STRING]
    found[strings] = flat.texts.take(pa.array(at[strings])).to_pylist()
    return found.astype(str)


def _octets(ids: pa.FixedSizeBinaryArray) -> npt.NDArray[np.uint8]:
    width = ids.type.byte_width
    return np.frombuffer(ids.buffers()[1], np.uint8)[ids.offset * width :][: len(ids) * width].reshape(-1, width)


def _trace_states(carriers: list[Any], codes: Ints, threshold: Ints, random: Ints, *, fill: bool) -> pa.StringArray:
    """One text per pair of what an item came with and its threshold; ``fill``: with each item's random value in it."""
    known = [given or carrier.Carrier() for given in carriers]
    pairs, which = np.unique(np.stack([codes, threshold]), axis=1, return_inverse=True)
    hole = _HOLE if fill else ""
    texts = [known[code].trace_state(None if shown == NONE else shown, hole) for code, shown in pairs.T.tolist()]
    where = pa.array(which.reshape(-1))
    if not fill:
        return pa.array(texts, pa.string()).take(where)
    heads, _, tails = zip(*(text.partition(_HOLE) for text in texts), strict=True)
    head, tail = (pa.array(half, pa.string()).take(where) for half in (heads, tails))
    return pc.binary_join_element_wise(head, carrier.hexadecimal(random), tail, "")


def _with_sampling(flat: Flat, decided: Decided, n: int) -> Flat:
    """The attributes with what kept records say of their sampling."""
    random = np.flatnonzero(decided.written & (decided.random != NONE) & (decided.random != MISSING))
    if len(random):
        flat = flat_edits.put(flat, _RANDOM, random, _strings(carrier.hexadecimal(decided.random[random])), n)
    rows = np.flatnonzero(decided.written & (decided.threshold != NONE))
    if len(rows):
        distinct, which = np.unique(decided.threshold[rows], return_inverse=True)
        shown = pa.array([threshold_digits.digits(threshold) for threshold in distinct.tolist()], pa.string())
        flat = flat_edits.put(flat, _THRESHOLD, rows, _strings(shown.take(pa.array(which))), n)
    return flat


def _strings(texts: pa.StringArray) -> flat_edits.Values:
    n = len(texts)
    return flat_edits.Values(np.full(n, schema.STRING, np.uint8), np.zeros(n, np.int64), texts)


factory = ProcessorFactory(Config, ProbabilisticSampler, signals=frozenset({Signal.TRACES, Signal.LOGS}))
