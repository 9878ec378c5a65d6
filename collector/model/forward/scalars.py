"""Facts of decided rows as attributes of a target, column by column as its table says."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.model.arrow_arrays import numpy_of
from collector.model.attributes import dumps
from collector.model.batch import SpanBatch
from collector.model.forward.outgoing import Outgoing
from collector.model.forward.target_tables import Attribute

Where = npt.NDArray[np.bool_] | None
"""Marks rows; None: all."""

_NANOS = 1_000_000_000
_SLASH = pa.scalar("/", pa.string())


class Facts:
    """The columns of decided rows, as tables name them."""

    def __init__(self, spans: SpanBatch, observations: pa.Table) -> None:
        self._table = observations.combine_chunks()
        self._spans = spans
        self.types: pa.StringArray = self.column("type")

    def column(self, name: str) -> Any:
        """A column of ``observations`` as one array."""
        column = self._table.column(name)
        return column.chunk(0) if column.num_chunks else pa.array([], column.type)

    def full_types(self) -> pa.StringArray:
        """``type/subtype``, or the type alone."""
        return full_types(self.types, self.column("subtype"))

    def first_token(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Rows that have one, its unix nanoseconds, and the start of these spans."""
        first = self._spans.column("completion_start_unix_nano")
        rows = np.flatnonzero(numpy_of(first.is_valid()))
        start = numpy_of(self._spans.column("start_unix_nano"))[rows]
        return rows, numpy_of(first.take(pa.array(rows))), start

    def entries(self, name: str) -> list[dict[str, Any] | None]:
        """A map column as dictionaries."""
        return [None if pairs is None else dict(pairs) for pairs in self.column(name).to_pylist()]

    def wanted(self, attribute: Attribute) -> npt.NDArray[np.bool_] | None:
        """Marks the rows the attribute is for; None: all."""
        if not attribute.types and not attribute.unless:
            return None
        marked = np.ones(len(self.types), np.bool_)
        if attribute.types:
            marked &= numpy_of(pc.is_in(self.types, value_set=pa.array(attribute.types)))
        for name in attribute.unless:
            marked &= numpy_of(self.column(name).is_null())
        return marked


def write(attribute: Attribute, facts: Facts, out: Outgoing) -> None:
    """Writes one attribute of the table on all rows that have it."""
    where = facts.wanted(attribute)
    field, _, bucket = attribute.field.partition(".")
    if attribute.form in {"iso_time", "seconds_after_start"}:
        _write_time(attribute, facts, out)
    elif bucket:
        _write_numbers(attribute.key, [None if e is None else e.get(bucket) for e in facts.entries(field)], where, out)
    elif attribute.form == "object":
        _write_objects(attribute, facts.entries(field), out)
    elif field == "type":
        out.texts(attribute.key, typed(facts, attribute.values or {}), where)
    else:
        _write_column(attribute, facts.column(field), where, out)


def full_types(types: pa.StringArray, subtypes: pa.StringArray) -> pa.StringArray:
    """Types with their subtypes where there are any."""
    return pc.coalesce(pc.binary_join_element_wise(types, subtypes, _SLASH), types)


def typed(facts: Facts, values: Mapping[str, str]) -> pa.StringArray:
    """What the values say for each row's ``type/subtype``, or for its type; null for none."""
    encoded = facts.full_types().dictionary_encode()
    said = [values.get(text, values.get(text.partition("/")[0])) for text in encoded.dictionary.to_pylist()]
    return pa.array(said, pa.string()).take(encoded.indices)


def _write_column(attribute: Attribute, column: Any, where: Where, out: Outgoing) -> None:
    kind = column.type
    if pa.types.is_list(kind):
        _write_lists(attribute, column, where, out)
    elif pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        _write_numbers(attribute.key, column.to_pylist(), where, out)
    elif attribute.form == "whole_number":
        _write_digits(attribute.key, column, where, out)
    else:
        out.texts(attribute.key, _renamed(column, attribute.values), where)


def _renamed(column: pa.StringArray, values: Mapping[str, str] | None) -> pa.StringArray:
    if not values:
        return column
    encoded = column.dictionary_encode()
    names = [values.get(text, text) for text in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices)


def _write_lists(attribute: Attribute, column: pa.ListArray, where: Where, out: Outgoing) -> None:
    for row, values in enumerate(column.to_pylist()):
        if values and (where is None or where[row]):
            out.put(row, attribute.key, ",".join(values) if attribute.form == "joined" else values)


def _write_digits(key: str, column: pa.StringArray, where: Where, out: Outgoing) -> None:
    for row, text in enumerate(column.to_pylist()):
        if text is not None and (where is None or where[row]):
            whole = text.isdecimal() and text.isascii() and len(text) < 18 and str(int(text)) == text
            out.put(row, key, int(text) if whole else text)


def _write_numbers(key: str, values: list[Any], where: Where, out: Outgoing) -> None:
    rows = [r for r, value in enumerate(values) if value is not None and (where is None or where[r])]
    if not rows:
        return
    money = isinstance(values[rows[0]], Decimal)
    numbers = [values[r] for r in rows]
    out.numbers(key, np.array(rows), np.array(numbers, np.float64) if money else np.array(numbers, np.int64))


def _write_objects(attribute: Attribute, entries: list[dict[str, Any] | None], out: Outgoing) -> None:
    money = attribute.field == "cost"
    for row, members in enumerate(entries):
        if members:
            named = {attribute.names.get(name, name): value for name, value in members.items() if value is not None}
            out.put(row, attribute.key, money_object(named) if money else dumps(named))


def money_object(members: Mapping[str, Decimal]) -> str:
    """JSON of amounts with all their digits."""
    written = [f"{dumps(name)}:{format(amount.normalize(), 'f')}" for name, amount in members.items()]
    return "{" + ",".join(written) + "}"


def _write_time(attribute: Attribute, facts: Facts, out: Outgoing) -> None:
    rows, moments, start = facts.first_token()
    if attribute.form == "seconds_after_start":
        out.numbers(attribute.key, rows, ((moments - start) / _NANOS).astype(np.float64))
        return
    for row, nanos in zip(rows.tolist(), moments.tolist(), strict=True):
        out.put(row, attribute.key, iso_time(nanos))


def iso_time(unix_nano: int) -> str:
    """ISO 8601 in UTC with nanoseconds."""
    seconds, nanos = divmod(unix_nano, _NANOS)
    return f"{np.datetime64(seconds, 's')}.{nanos:09d}Z"
