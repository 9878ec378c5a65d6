"""The attributes of a batch, as the dialect tables ask for them: first source that yields a value.

Work is per (rule, key present in the batch) over flat arrays, and per distinct value where a value
must be understood; never per span.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.model.attributes import decode_value, flatten
from collector.model.batch import SpanBatch
from collector.model.dialects.fact_tables import TYPES, Source
from collector.model.dialects.rules import ROOT_BIT, SERVED_BIT, Compiled, Rule, compiled
from collector.model.facts.convert import TEXT_CONVERTS
from collector.model.facts.origins import origin, read_resource, read_scope
from collector.model.facts.recorder import Recorder
from collector.model.facts.span_events import SpanEvents
from collector.model.facts.values import (
    MISSING,
    Bools,
    Distinct,
    Entries,
    Ints,
    JsonGroup,
    filled,
    int_array,
    named,
    text_array,
)
from collector.model.json_values import at_path, scalar_text
from collector.model.schema import KINDS

UNENCODED = -(2**62)
"""Marks attributes whose text has no made code."""

MAX_BLANK = 3
"""A longer text is taken not to be white space throughout."""


_IS_NUMBER = np.isin(np.arange(256), (schema.INT, schema.DOUBLE, schema.BOOL))
_SERVER = KINDS.index("SERVER")
_NO_BITS, _ALL_BITS = np.uint64(0), 2**64 - 1
_IS_TEXT = np.isin(np.arange(256), (schema.STRING, schema.KVLIST, schema.ARRAY))

# Typed: Arrow looks for pandas (and fails, slowly) to learn the type of a bare Python value.
_COLON = pa.scalar(":", pa.string())


class Lookup:
    """One batch, indexed by the keys its tables know.

    Texts are passed around as *codes*: a code from 0 on is a position in the batch's attribute
    texts, ``MISSING`` is none, and lower codes number texts made here (conversions, constants).
    """

    def __init__(self, batch: SpanBatch, faults: Counter[str], recorder: Recorder | None = None) -> None:
        self.batch = batch
        self.faults = faults
        self.recorder = recorder
        self.tables: Compiled = compiled()
        self.num_rows = batch.num_rows
        self.flat = flatten(batch.column("attributes"))
        self.events = SpanEvents(batch.column("events"))
        self.keys = self.tables.keys(tuple(self.flat.keys))
        self.nothing = np.full(self.num_rows, MISSING, np.int64)
        """The codes of a field that no row has: results are tested for being this very array."""
        self.nothing.flags.writeable = False
        self.types_of_rows = np.zeros(self.num_rows, np.int64)
        """Per row, the index of its type of observation in ``TYPES``; set once they are known."""
        self._made: list[str] = []
        self._made_codes: dict[str, int] = {}
        self._json: dict[str, list[JsonGroup]] = {}
        self._index_keys()
        self._encode_texts()
        self._read_origins()
        self._find_contexts()
        if recorder is not None:
            recorder.begin(batch, [self.distinct_contexts[code] for code in self.contexts])

    def _index_keys(self) -> None:
        infos = self.keys.infos
        self.wanted = self.keys.wanted[self.flat.key_codes].nonzero()[0]
        codes = self.flat.key_codes[self.wanted]
        # Two bytes make it a radix sort.
        order = (codes.astype(np.uint16) if len(infos) < 65_536 else codes).argsort(kind="stable")
        positions, codes = self.wanted[order], codes[order]
        rows = self.flat.rows[positions].astype(np.int64)
        bounds = [0, *((codes[1:] != codes[:-1]).nonzero()[0] + 1).tolist(), len(codes)]
        self._groups: dict[str, list[tuple[int, Entries]]] = {}
        for start, end in itertools.pairwise(bounds if len(codes) else ()):
            info = infos[codes[start]]
            if info.name is not None:
                entry = (info.index, Entries(positions[start:end], rows[start:end]))
                self._groups.setdefault(info.name, []).append(entry)
        for groups in self._groups.values():
            groups.sort(key=lambda group: group[0])

    def _encode_texts(self) -> None:
        """Gives every distinct text that is likely to recur (models, enums, ...) a made code.

        One encoding for all of them; what is unique per span (ids, names, JSON) keeps its position.
        """
        positions = self.wanted[self.keys.encode[self.flat.key_codes[self.wanted]]]
        positions = positions[self.flat.types[positions] == schema.STRING]
        encoded = self.flat.texts.take(int_array(positions)).dictionary_encode()
        codes = [self.make(text) if text.strip() else MISSING for text in encoded.dictionary.to_pylist()]
        self._codes_of_positions = np.full(len(self.flat.rows), UNENCODED, np.int64)
        if codes:
            indices = numpy_of(encoded.indices)
            self._codes_of_positions[positions] = np.array(codes, np.int64)[indices]

    @functools.cached_property
    def _blank(self) -> Bools:
        """Per attribute, whether its text is empty or white space."""
        lengths = numpy_of(pc.binary_length(self.flat.texts))
        blank = lengths == 0
        short = np.flatnonzero((lengths > 0) & (lengths <= MAX_BLANK))
        if len(short):
            trimmed = pc.utf8_trim_whitespace(self.flat.texts.take(int_array(short)))
            blank[short] = numpy_of(pc.binary_length(trimmed)) == 0
        return cast("Bools", blank)

    def _read_origins(self) -> None:
        scopes, self.scope_codes = _dictionary(self.batch.column("scope"))
        resources, self.resource_codes = _dictionary(self.batch.column("resource"))
        self.scopes = [read_scope(header) for header in scopes]
        self.resources = [read_resource(header) for header in resources]

    def _find_contexts(self) -> None:
        pairs = self.scope_codes * len(self.resources) + self.resource_codes
        distinct_bits, bits_of_row = _distinct_ints(self._marker_bits().view(np.int64))
        distinct, self.contexts = _distinct_ints(pairs * len(distinct_bits) + bits_of_row)
        found = []
        for code in distinct:
            pair, bits = divmod(code, len(distinct_bits))
            scope, resource = divmod(pair, len(self.resources))
            sender = origin(self.scopes[scope], self.resources[resource])
            found.append(self.tables.context(sender, distinct_bits[bits] & _ALL_BITS))
        self.distinct_contexts = found
        resource_keys = frozenset(key for resource in self.resources for key in resource)
        self.plan = self.tables.plan(frozenset(self._groups), resource_keys, tuple(found))

    def _marker_bits(self) -> npt.NDArray[np.uint64]:
        roots = numpy_of(self.batch.column("parent_span_id").is_null())
        served = ~roots & (numpy_of(self.batch.column("kind")) == _SERVER)
        bits: npt.NDArray[np.uint64] = np.where(roots, ROOT_BIT, np.where(served, SERVED_BIT, _NO_BITS))
        offsets = numpy_of(self.batch.column("attributes").offsets)
        some = offsets[:-1] < offsets[1:]
        if np.count_nonzero(some):
            starts = (offsets[:-1] - offsets[0])[some]
            bits[some] |= np.bitwise_or.reduceat(self.keys.markers[self.flat.key_codes], starts)
        for key in self.tables.valued & self._groups.keys():
            self._mark_values(key, bits)
        return bits

    def _mark_values(self, key: str, bits: npt.NDArray[np.uint64]) -> None:
        """Adds the bits of conditions on the text of ``key``."""
        for _, entries in self._groups[key]:
            found = self.distinct(self.plain_codes(entries.positions))
            markers = [self.tables.key_info(f"{key}={text}").markers for text in found.values]
            np.bitwise_or.at(bits, entries.rows, np.array([*markers, 0], np.uint64)[found.indices])

    def rules(self, field: str) -> Sequence[Rule]:
        """The rules of a field that can yield something in this batch, by rank."""
        return self.plan.rules.get(field, ())

    def any_rules(self, fields: Iterable[str]) -> bool:
        """Whether any of these fields has rules that can yield something in this batch."""
        return not self.plan.rules.keys().isdisjoint(fields)

    def allowed(self, rule: Rule, rows: Ints) -> Bools:
        """For which of these rows the rule's conditions hold."""
        if self.plan.everywhere[rule.id]:
            return np.ones(len(rows), np.bool_)
        keep: Bools = self.plan.holds[self.contexts[rows], rule.id]
        if rule.row.when.type:
            keep &= _one_of_types(rule.row.when.type)[self.types_of_rows[rows]]
        return keep

    def groups(self, rule: Rule, key: str, todo: Bools) -> Iterator[Entries]:
        """Attributes of ``key`` on rows still to do, one group per index, lowest first."""
        for _, entries in self._groups.get(key, ()):
            chosen = entries.where(todo[entries.rows])
            if not self.plan.everywhere[rule.id]:
                chosen = chosen.where(self.allowed(rule, chosen.rows))
            if len(chosen.rows):
                yield chosen

    def text_codes(self, field: str, known: Mapping[str, Ints]) -> Ints:
        """Per row the code of the field's text. ``known``: fields resolved before."""
        return self.first(
            field,
            lambda rule, todo: self._texts_by_rule(rule, todo, known),
            lambda codes: self.texts(codes).to_pylist(),
        )

    def first(
        self,
        field: str,
        values: Callable[[Rule, Bools], Iterator[tuple[Ints, Ints]]],
        shown: Callable[[Ints], Sequence[object]],
    ) -> Ints:
        """Per row the first code that ``values`` yields, going through the field's rules by rank.

        ``shown``: what codes stand for, for a recorder.
        """
        out = self.nothing
        todo = np.ones(self.num_rows, np.bool_)
        for rule in self.rules(field):
            before = None if self.recorder is None else todo.copy()
            for rows, codes in values(rule, todo):
                found = codes != MISSING
                if np.count_nonzero(found):
                    out = self.nothing.copy() if out is self.nothing else out
                    out[rows[found]] = codes[found]
                    todo[rows[found]] = False
            if self.recorder is not None and before is not None:
                self.recorder.heard(field, rule, values(rule, self.everything), before & ~todo, shown)
            elif not np.count_nonzero(todo):
                break
        return out

    @functools.cached_property
    def everything(self) -> Bools:
        """All rows."""
        return np.ones(self.num_rows, np.bool_)

    def meanings(self, field: str, number: Callable[[str], int]) -> Ints:
        """Per row what ``number`` makes of the field's text; ``MISSING`` where there is none."""
        codes = self.text_codes(field, {})
        if codes is self.nothing:
            return codes
        found = self.distinct(codes)
        return found.spread([number(text) for text in found.values])

    def _texts_by_rule(self, rule: Rule, todo: Bools, known: Mapping[str, Ints]) -> Iterator[tuple[Ints, Ints]]:
        source = rule.source
        if source.key:
            for entries in self.groups(rule, source.key, todo):
                yield entries.rows, self._meaning(rule, entries.positions)
        elif source.json_key:
            yield from self._from_json(rule, todo)
        else:
            if self._cannot_yield(source, known):
                return
            rows = todo.nonzero()[0]
            if not self.plan.everywhere[rule.id]:
                rows = rows[self.allowed(rule, rows)]
            if len(rows):
                yield rows, self._from_elsewhere(rule, rows, known)

    def _cannot_yield(self, source: Source, known: Mapping[str, Ints]) -> bool:
        """Whether a source that is no attribute is known to have nothing for any row."""
        if source.field:
            return known[source.field] is self.nothing
        return bool(source.event) and not self.events.any_exception

    def _meaning(self, rule: Rule, positions: Ints) -> Ints:
        if rule.row.const is not None:
            return np.full(len(positions), self.make(rule.row.const), np.int64)
        return self.converted(rule, self.plain_codes(positions))

    def plain_codes(self, positions: Ints) -> Ints:
        """Codes of attributes as text: strings, numbers and booleans; ``MISSING`` for blank ones."""
        codes = self._codes_of_positions[positions]
        rest = codes == UNENCODED
        if np.count_nonzero(rest):
            codes[rest] = self._unencoded(positions[rest])
        return codes

    def _unencoded(self, positions: Ints) -> Ints:
        types = self.flat.types[positions]
        codes = np.where((types == schema.STRING) & ~self._blank[positions], positions, MISSING)
        numbers = _IS_NUMBER[types]
        if np.count_nonzero(numbers):
            pairs = zip(types[numbers].tolist(), self.flat.nums[positions[numbers]].tolist(), strict=True)
            codes[numbers] = [self._make_number(kind, number) for kind, number in pairs]
        return codes

    def _make_number(self, kind: int, number: int) -> int:
        text = _number_text(kind, number)
        return self.make(text) if text else MISSING

    def converted(self, rule: Rule, codes: Ints) -> Ints:
        """Codes after the rule's ``convert`` and ``values``, worked out per distinct text."""
        values = rule.row.values
        if rule.row.convert == "text" and values is None:
            return codes
        convert = TEXT_CONVERTS[rule.row.convert]

        def change(text: str) -> str | None:
            found = convert(text)
            return found if found is None or values is None else _value(rule, found)

        found = self.distinct(codes)
        changed = (change(text) for text in found.values)
        return found.spread([MISSING if text is None else self.make(text) for text in changed])

    def distinct(self, codes: Ints) -> Distinct:
        """The distinct texts behind codes."""
        if len(codes) and codes.max() >= 0:
            encoded = self.texts(codes).dictionary_encode()
            indices = filled(encoded.indices)
            return Distinct(encoded.dictionary.to_pylist(), indices)
        used, indices = self._made_indices(codes)
        return Distinct([self._made[number] for number in used], indices)

    def _made_indices(self, codes: Ints) -> tuple[list[int], npt.NDArray[np.int32]]:
        """The numbers of the made texts that codes use, and per code the place among these (-1)."""
        seen = np.zeros(len(self._made) + 1, np.bool_)
        seen[-codes - 2] = True  # MISSING marks the last place, which is cut off
        used = seen[:-1].nonzero()[0]
        place = np.full(len(seen), -1, np.int32)
        place[used] = np.arange(len(used), dtype=np.int32)
        return used.tolist(), place[-codes - 2]

    def texts(self, codes: Ints) -> pa.StringArray:
        """The texts behind codes; null for ``MISSING``."""
        if codes is self.nothing:
            return pa.nulls(self.num_rows, pa.string())
        stored, made = codes >= 0, codes < MISSING
        if not np.count_nonzero(stored):
            return self._made_texts(codes) if np.count_nonzero(made) else pa.nulls(len(codes), pa.string())
        texts = self.flat.texts.take(int_array(codes, ~stored))
        return pc.coalesce(texts, self._made_texts(codes)) if np.count_nonzero(made) else texts

    def _made_texts(self, codes: Ints) -> pa.StringArray:
        used, indices = self._made_indices(np.minimum(codes, MISSING))
        return text_array([self._made[number] for number in used]).take(int_array(indices, indices < 0))

    def make(self, text: str) -> int:
        """The code of a text made here."""
        code = self._made_codes.get(text)
        if code is None:
            code = -2 - len(self._made)
            self._made.append(text)
            self._made_codes[text] = code
        return code

    def _from_json(self, rule: Rule, todo: Bools) -> Iterator[tuple[Ints, Ints]]:
        for entries, distinct in self.json_values(rule, todo):
            found = (scalar_text(value) for value in distinct.values)
            codes = np.array([MISSING if t is None else self.make(t) for t in found] or [MISSING], np.int64)
            yield entries.rows, self.converted(rule, codes[distinct.indices])

    def json_values(self, rule: Rule, todo: Bools) -> Iterator[tuple[Entries, Distinct]]:
        """Attributes that hold JSON, with the distinct values at the rule's path."""
        source = rule.source
        assert source.json_key is not None
        assert source.path is not None
        for group in self._json_groups(source.json_key):
            rows = group.entries.rows
            keep = todo[rows] & self.allowed(rule, rows)
            if np.count_nonzero(keep):
                used, indices = group.used(keep)
                values = group.parsed(used)
                if source.path != ".":
                    values = [at_path(value, source.path) for value in values]
                yield group.entries.where(keep), Distinct(values, indices)

    def _json_groups(self, key: str) -> list[JsonGroup]:
        if key not in self._json:
            self._json[key] = [self._json_group(key, entries) for _, entries in self._groups.get(key, ())]
        return self._json[key]

    def _json_group(self, key: str, entries: Entries) -> JsonGroup:
        types = self.flat.types[entries.positions]
        texts = self.flat.texts.take(int_array(entries.positions))
        usable = _IS_TEXT[types]
        needles = self.tables.json_needles[key]
        if needles:  # most texts of such keys do not have the member: spare them the parser
            usable &= numpy_of(pc.match_substring_regex(texts, needles))
        if not usable.all():
            texts = texts.filter(pa.array(usable))
        encoded = texts.dictionary_encode()
        kinds = np.zeros(len(encoded.dictionary), np.uint8)
        indices = numpy_of(encoded.indices)
        kinds[indices] = types[usable]
        return JsonGroup(entries.where(usable), encoded.dictionary, kinds, indices)

    def _from_elsewhere(self, rule: Rule, rows: Ints, known: Mapping[str, Ints]) -> Ints:
        source = rule.source
        if source.field:
            return self.converted(rule, known[source.field][rows])
        if source.resource:
            return self.converted(rule, self._resource_codes(source.resource)[rows])
        if source.join:
            return self._joined(source.join, rows)
        if source.event:
            return self.converted(rule, self._exception_codes(source.event)[rows])
        if rule.row.const is not None:
            return np.full(len(rows), self.make(rule.row.const), np.int64)
        return self._span_name_codes(rule, rows)

    def _resource_codes(self, key: str) -> Ints:
        found = (resource.get(key) for resource in self.resources)
        codes = np.array([MISSING if text is None else self.make(text) for text in found] or [MISSING], np.int64)
        per_row: Ints = codes[self.resource_codes]
        return per_row

    def _exception_codes(self, key: str) -> Ints:
        out = np.full(self.num_rows, MISSING, np.int64)
        for row, text in self.events.exception_texts(key):
            out[row] = self.make(text)
        return out

    def _joined(self, keys: Sequence[str], rows: Ints) -> Ints:
        columns = [self.by_row(key)[rows] for key in keys]
        texts = pc.binary_join_element_wise(*(self.texts(codes) for codes in columns), _COLON)
        encoded = texts.dictionary_encode()
        made = np.array([self.make(text) for text in encoded.dictionary.to_pylist()] or [MISSING], np.int64)
        indices = filled(encoded.indices)
        return np.where(indices >= 0, made[indices], MISSING)

    def by_row(self, key: str) -> Ints:
        out = np.full(self.num_rows, MISSING, np.int64)
        for _, entries in self._groups.get(key, ()):
            out[entries.rows] = self.plain_codes(entries.positions)
        return out

    def _span_name_codes(self, rule: Rule, rows: Ints) -> Ints:
        encoded = self.batch.column("span_name").take(int_array(rows)).dictionary_encode()
        names = encoded.dictionary.to_pylist()
        found = [name or None if rule.row.values is None else _value(rule, name) for name in names]
        made = [MISSING if text is None else self.make(text) for text in found]
        return Distinct(names, filled(encoded.indices)).spread(made)

    def name_column(self, codes: Ints) -> pa.DictionaryArray:
        """A dictionary column of texts with few distinct values."""
        if codes is self.nothing:
            return pa.nulls(self.num_rows, schema.NAME)
        found = self.distinct(codes)
        return named(found.values, found.indices)


@functools.cache
def _one_of_types(types: tuple[str, ...]) -> Bools:
    """Per entry of ``TYPES``, whether it is one of these."""
    return np.array([kind in types for kind in TYPES], np.bool_)


def _distinct_ints(values: Ints) -> tuple[list[int], Ints]:
    """The distinct numbers, and per entry the place of its own."""
    encoded = int_array(values).dictionary_encode()
    return encoded.dictionary.to_pylist(), numpy_of(encoded.indices)


def _dictionary(column: pa.DictionaryArray) -> tuple[list[bytes], Ints]:
    return column.dictionary.to_pylist(), numpy_of(column.indices).astype(np.int64)


@functools.lru_cache(maxsize=8_192)
def _number_text(kind: int, number: int) -> str | None:
    return scalar_text(decode_value(kind, number, ""))


def _value(rule: Rule, text: str) -> str | None:
    """What a rule's ``values`` make of a text: exact, else the longest prefix entry (``x*``)."""
    exact, prefixes = _folded(rule.id)
    folded = text.casefold()
    if folded in exact:
        return exact[folded]
    return next((meaning for prefix, meaning in prefixes if folded.startswith(prefix)), None)


@functools.cache
def _folded(rule_id: int) -> tuple[dict[str, str], list[tuple[str, str]]]:
    values = compiled().rules[rule_id].row.values or {}
    exact = {key.casefold(): meaning for key, meaning in values.items() if not key.endswith("*")}
    prefixes = [(key[:-1].casefold(), meaning) for key, meaning in values.items() if key.endswith("*")]
    return exact, sorted(prefixes, key=lambda entry: -len(entry[0]))
