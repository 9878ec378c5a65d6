"""The attributes of a batch, as the dialect tables ask for them: first source that yields a value.

Work is per (rule, key present in the batch) over flat arrays, and per distinct value where a value
must be understood; never per span.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.model.attributes import flatten
from collector.model.batch import SpanBatch
from collector.model.dialects.compiled_tables import Compiled, Rule, compiled
from collector.model.dialects.fact_tables import Source
from collector.model.dialects.fields import TYPES
from collector.model.facts.convert import TEXT_CONVERTS
from collector.model.facts.origins import origin, read_resource, read_scope
from collector.model.facts.recorder import Recorder
from collector.model.facts.span_contexts import Words, distinct_bits, distinct_ints, mark_values, marker_words
from collector.model.facts.span_events import SpanEvents
from collector.model.facts.text_codes import TextCodes
from collector.model.facts.values import (
    MISSING,
    Bools,
    Distinct,
    Entries,
    Ints,
    JsonGroup,
    filled,
    int_array,
)
from collector.model.json_values import at_path, scalar_text

_IS_TEXT = np.isin(np.arange(256), (schema.STRING, schema.KVLIST, schema.ARRAY))

# Typed: Arrow looks for pandas (and fails, slowly) to learn the type of a bare Python value.
_COLON = pa.scalar(":", pa.string())


class Lookup(TextCodes):
    """One batch, indexed by the keys its tables know."""

    def __init__(self, batch: SpanBatch, faults: Counter[str], recorder: Recorder | None = None) -> None:
        super().__init__(flatten(batch.column("attributes")), batch.num_rows)
        self.batch = batch
        self.faults = faults
        self.recorder = recorder
        self.tables: Compiled = compiled()
        self.events = SpanEvents(batch.column("events"))
        self.keys = self.tables.keys(tuple(self.flat.keys))
        self.types_of_rows = np.zeros(self.num_rows, np.int64)
        """Per row, the index of its type of observation in ``TYPES``; set once they are known."""
        self._json: dict[str, list[JsonGroup]] = {}
        self._index_keys()
        self.encode(self.wanted[self.keys.encode[self.flat.key_codes[self.wanted]]])
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

    def _read_origins(self) -> None:
        scopes, self.scope_codes = _dictionary(self.batch.column("scope"))
        resources, self.resource_codes = _dictionary(self.batch.column("resource"))
        self.scopes = [read_scope(header) for header in scopes]
        self.resources = [read_resource(header) for header in resources]

    def _find_contexts(self) -> None:
        pairs = self.scope_codes * len(self.resources) + self.resource_codes
        bits, bits_of_row = distinct_bits(self._marker_words())
        distinct, self.contexts = distinct_ints(pairs * len(bits) + bits_of_row)
        found = []
        for code in distinct:
            pair, which = divmod(code, len(bits))
            scope, resource = divmod(pair, len(self.resources))
            sender = origin(self.scopes[scope], self.resources[resource])
            found.append(self.tables.context(sender, bits[which]))
        self.distinct_contexts = found
        resource_keys = frozenset(key for resource in self.resources for key in resource)
        self.plan = self.tables.plan(frozenset(self._groups), resource_keys, tuple(found))

    def _marker_words(self) -> Words:
        words = marker_words(self.batch, self.flat, self.keys)
        for key in self.tables.valued & self._groups.keys():
            for _, entries in self._groups[key]:
                found = self.distinct(self.plain_codes(entries.positions))
                markers = [self.tables.key_info(f"{key}={text}").markers for text in found.values]
                mark_values(words, entries, found.indices, markers)
        return words

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

    def converted(self, rule: Rule, codes: Ints) -> Ints:
        """Codes after the rule's ``convert`` and ``values``, worked out per distinct text."""
        values = rule.row.values
        if rule.row.convert == "text" and values is None:
            return codes
        convert = TEXT_CONVERTS[rule.row.convert]

        def change(text: str) -> str | None:
            found = convert(text)
            return found if found is None else rule.meaning(found)

        found = self.distinct(codes)
        changed = (change(text) for text in found.values)
        return found.spread([MISSING if text is None else self.make(text) for text in changed])

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
        found = [rule.meaning(name) or None for name in names]
        made = [MISSING if text is None else self.make(text) for text in found]
        return Distinct(names, filled(encoded.indices)).spread(made)


@functools.cache
def _one_of_types(types: tuple[str, ...]) -> Bools:
    """Per entry of ``TYPES``, whether it is one of these."""
    return np.array([kind in types for kind in TYPES], np.bool_)


def _dictionary(column: pa.DictionaryArray) -> tuple[list[bytes], Ints]:
    return column.dictionary.to_pylist(), numpy_of(column.indices).astype(np.int64)
