"""What policies see of the traces that are due, and their verdicts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.component.sampler import DueTraces
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import LogBatch, SpanBatch
from collector.model.stored import columns as stored_columns

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
PolicyVerdicts = npt.NDArray[np.int8]
"""The verdict of one policy on each trace, as one of the codes below."""

NOT_SAMPLED, SAMPLED, DROPPED, INVERT_NOT_SAMPLED, INVERT_SAMPLED, FAILED = range(6)
"""Policy verdicts. The INVERT ones: of an ``invert_match`` that vetoes, see ``PolicySet``. FAILED: the
policy could not be evaluated; it keeps the trace, because what was not looked at must not be lost."""
NOT_ASKED = -1
"""Stands in tables for a policy that was not asked about a trace, being decided already."""

LimiterKey = tuple[int, int]
"""Which limiter: the identity of the options it belongs to, and its place in them."""
Chance = str | LimiterKey
"""What chance is made of: the hash of a salt, or what a limiter answers."""

_T = TypeVar("_T")

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_UINT64 = 2**64 - 1
_SESSIONS = "session/"
"""Before the salts of sessions: chance over sessions is another one than over traces."""


class Limiter(Protocol):
    """Lets a part of the traces it is asked about pass."""

    def admit(self, traces: Traces, asked: Bools) -> Bools:
        """Which of the traces asked about pass."""


class Conditions(Protocol):
    """Conditions that are answered for all due traces together, as ``TraceConditions`` does."""

    def answers(self, traces: Traces) -> Mapping[Any, PolicyVerdicts]:
        """Per condition a policy verdict per trace."""


class Traces:
    """The due traces, with what several policies need computed once."""

    def __init__(
        self,
        due: DueTraces,
        *,
        columns: Sequence[str] = (),
        limiters: Mapping[LimiterKey, Limiter] | None = None,
        conditions: Conditions | None = None,
    ) -> None:
        """``columns``: of spans, all that some policy looks at; ``conditions``: all there are."""
        self._due = due
        self._columns = tuple(columns)
        self._limiters = limiters or {}
        self._conditions = conditions
        self._memo: dict[Hashable, Any] = {}
        self._fixed: Mapping[Chance, int] = {}

    def __len__(self) -> int:
        return int(self._due.traces.num_rows)

    @property
    def now_unix_nano(self) -> int:
        return self._due.now_unix_nano

    def ints(self, column: str) -> Ints:
        """A column of whole numbers of ``schema.TRACE_FACTS``; 0 where it is null."""
        values = self._due.traces.column(column)
        return numpy_of(values.fill_null(0))

    def texts(self, column: str) -> pa.StringArray:
        """A column of text of ``schema.TRACE_FACTS``."""
        return self._due.traces.column(column)

    def known(self, column: str) -> Bools:
        """Where a column of ``schema.TRACE_FACTS`` is not null."""
        return numpy_of(self._due.traces.column(column).is_valid())

    def once(self, key: Hashable, compute: Callable[[], _T]) -> _T:
        """``compute()``, remembered while these traces are decided."""
        if key not in self._memo:
            self._memo[key] = compute()
        return self._memo[key]  # type: ignore[no-any-return]

    def spans(self) -> tuple[SpanBatch, npt.NDArray[np.int32]]:
        """(all spans of the traces, for each the position of its trace); read back from disk."""
        return self.once("spans", lambda: self._due.load_spans(self._columns or None))

    def logs(self) -> tuple[LogBatch, npt.NDArray[np.int32]]:
        """(the GenAI log records of the traces, for each the position of its trace); read back from disk."""
        return self.once("logs", self._due.load_logs)

    def hex_ids(self) -> pa.StringArray:
        """Trace ids as they are stored."""
        return self.once("hex", lambda: stored_columns.hex_ids(self._due.traces.column("trace_id")))

    def any_span(self, hits: Bools) -> Bools:
        """Which traces have a span that is marked."""
        found = np.zeros(len(self), bool)
        found[self.spans()[1][hits]] = True
        return found

    def hashes(self, salt: str) -> npt.NDArray[np.uint64]:
        """FNV-1a (64 bit) of the salt and each trace id; what chance over traces is made of."""
        return self._chance(salt, lambda: fnv1a(salt.encode(), _rows_of_bytes(self._due.traces)))

    def session_hashes(self, salt: str) -> npt.NDArray[np.uint64]:
        """64 bits of the salt and each session id, or of the trace id where there is no session."""
        return self._chance(_SESSIONS + salt, lambda: self._session_hashes(salt))

    def _session_hashes(self, salt: str) -> npt.NDArray[np.uint64]:
        sessions = self._due.traces.column("session_id").dictionary_encode()
        codes = numpy_of(sessions.indices.fill_null(-1))
        table = np.array([_hash(salt, text) for text in sessions.dictionary.to_pylist()] or [0], np.uint64)
        alone = fnv1a((_SESSIONS + salt).encode(), _rows_of_bytes(self._due.traces))
        return np.where(codes >= 0, table[codes], alone)

    def _chance(self, key: str, compute: Callable[[], npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
        if key in self._fixed:
            return np.full(len(self), self._fixed[key], np.uint64)
        return self.once(("hash", key), compute)

    def admitted(self, limit: LimiterKey, asked: Bools) -> Bools:
        """Which of the traces asked about the limiter of that key lets pass."""
        if limit in self._fixed:
            return np.full(len(self), bool(self._fixed[limit]))
        return self._limiters[limit].admit(self, asked)

    @property
    def answers(self) -> Mapping[Any, PolicyVerdicts]:
        """The answers of every SQL condition about the traces."""
        assert self._conditions is not None
        return self.once("answers", partial(self._conditions.answers, self))

    def as_if(self, chances: Mapping[Chance, int]) -> Traces:
        """The same traces, had chance been this: the hash of a salt, 1 or 0 for what a limiter answers."""
        other = Traces(self._due, columns=self._columns, limiters=self._limiters, conditions=self._conditions)
        other._memo, other._fixed = self._memo, chances
        return other


def session_key(salt: str) -> str:
    """What ``Traces.as_if`` calls the chance of sessions with this salt."""
    return _SESSIONS + salt


def sampled_where(sampled: Bools) -> PolicyVerdicts:
    """SAMPLED where true, else NOT_SAMPLED."""
    return sampled.astype(np.int8)


def counts_as_sampled(verdicts: PolicyVerdicts) -> Bools:
    """Where a policy verdict counts as a yes for the policy that this one is a part of; FAILED does."""
    yes: Bools = verdicts != NOT_SAMPLED
    return yes


def fnv1a(salt: bytes, rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """FNV-1a (64 bit) of ``salt`` followed by each row of bytes."""
    state = _FNV_OFFSET
    for byte in salt:
        state = (state ^ byte) * _FNV_PRIME & _UINT64
    hashes = np.full(len(rows), state, np.uint64)
    for column in rows.T:
        hashes = (hashes ^ column) * np.uint64(_FNV_PRIME)  # wraps, as FNV wants
    return hashes


def _hash(salt: str, text: str) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8, key=hashlib.sha256(salt.encode()).digest())
    return int.from_bytes(digest.digest(), "big")


def _rows_of_bytes(traces: pa.RecordBatch) -> npt.NDArray[np.uint8]:
    ids = traces.column("trace_id")
    width = ids.type.byte_width
    data = np.frombuffer(ids.buffers()[1] or b"", np.uint8, len(ids) * width, ids.offset * width)
    return data.reshape(len(ids), width)
