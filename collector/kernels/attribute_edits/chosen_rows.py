"""``include`` and ``exclude``: the Collector's match properties, over whole batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from collector.component.base import ComponentConfig
from collector.kernels.attribute_edits import flat_edits
from collector.kernels.attribute_edits.conversions import attribute_text
from collector.kernels.attribute_edits.flat_edits import Bools
from collector.model import attributes, schema
from collector.model.any_value import ValueColumns, to_columns
from collector.model.arrow_arrays import numpy_of
from collector.model.attributes import encode_value
from collector.model.batch import Batch, Signal

_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


class Attribute(ComponentConfig):
    key: str = Field(min_length=1)
    """The attribute."""

    value: Any = None
    """Its value, of the same type; with ``match_type: regexp`` an expression for its text. Without one: any."""


class Library(ComponentConfig):
    name: str
    """The instrumentation scope's name."""

    version: str | None = None
    """Its version; without one: any."""


class Match(ComponentConfig):
    match_type: Literal["strict", "regexp"]
    """``strict``: texts are equal; ``regexp``: an RE2 expression is found in them."""

    services: tuple[str, ...] = ()
    """One of these is the resource's ``service.name``."""

    span_names: tuple[str, ...] = ()
    """One of these is the span's name; traces only."""

    span_kinds: tuple[str, ...] = ()
    """One of these is the span's kind (``SPAN_KIND_CLIENT``); traces only."""

    log_bodies: tuple[str, ...] = ()
    """One of these is the record's body, if that is text; logs only."""

    log_severity_texts: tuple[str, ...] = ()
    """One of these is the record's severity text; logs only."""

    metric_names: tuple[str, ...] = ()
    """One of these is the metric's name; metrics only."""

    libraries: tuple[Library, ...] = ()
    """One of these is the instrumentation scope."""

    attributes: tuple[Attribute, ...] = ()
    """All of these are there."""

    resources: tuple[Attribute, ...] = ()
    """All of these are there, on the resource."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        asked = {name for name in type(self).model_fields if name != "match_type" and getattr(self, name)}
        if not asked:
            raise ValueError("name at least one thing to match")
        if self.match_type == "regexp":
            for text in self._expressions():
                try:
                    pc.match_substring_regex(pa.array([""]), text)
                except pa.ArrowInvalid as error:
                    raise ValueError(f"{text!r} is no RE2 expression: {error}") from None
        for attribute in (*self.attributes, *self.resources):
            encode_value(attribute.value)
        return self

    def _expressions(self) -> list[str]:
        texts = [*self.services, *self.span_names, *self.span_kinds, *self.log_bodies, *self.log_severity_texts]
        texts += [*self.metric_names, *(entry.name for entry in self.libraries)]
        texts += [entry.version for entry in self.libraries if entry.version is not None]
        return texts + [str(a.value) for a in (*self.attributes, *self.resources) if a.value is not None]

    def matches(self, batch: Batch) -> Bools:
        """Per row, whether it matches. A condition on something that the signal does not have matches nothing."""
        found = np.ones(batch.num_rows, bool)
        if self.services:
            found &= _by_header(batch, "resource", lambda header: self._is_service(_resource(header)))
        if self.libraries:
            found &= _by_header(batch, "scope", self._is_library)
        if self.resources:
            found &= _by_header(batch, "resource", lambda header: self._has_all(_resource(header)))
        for texts, column in self._columns(batch):
            found &= self._one_of(texts, column)
        for attribute in self.attributes:
            found &= self._has(batch, attribute)
        return found

    def _columns(self, batch: Batch) -> list[tuple[tuple[str, ...], pa.Array]]:
        nothing = pa.nulls(batch.num_rows, pa.string())
        spans, logs = batch.signal is Signal.TRACES, batch.signal is Signal.LOGS
        asked: list[tuple[tuple[str, ...], Callable[[], pa.Array] | None]] = [
            (self.span_names, (lambda: batch.column("span_name")) if spans else None),
            (self.span_kinds, (lambda: _kinds(batch)) if spans else None),
            (self.log_bodies, (lambda: _bodies(batch)) if logs else None),
            (self.log_severity_texts, (lambda: batch.column("severity_text")) if logs else None),
            (self.metric_names, (lambda: batch.column("name")) if batch.signal is Signal.METRICS else None),
        ]
        return [(texts, read() if read else nothing) for texts, read in asked if texts]

    def _one_of(self, texts: tuple[str, ...], column: pa.Array) -> Bools:
        if self.match_type == "strict":
            return _truth(pc.and_(column.is_valid(), pc.is_in(column, pa.array(texts, pa.string()))))
        found = np.zeros(len(column), bool)
        for text in texts:
            found |= _truth(pc.match_substring_regex(column, text))
        return found

    def _is(self, wanted: str, text: str) -> bool:
        return bool(self._one_of((wanted,), pa.array([text]))[0])

    def _is_service(self, found: dict[str, ValueColumns]) -> bool:
        kind, _, text = found.get("service.name", (schema.EMPTY, 0, ""))
        return kind == schema.STRING and any(self._is(wanted, text) for wanted in self.services)

    def _is_library(self, header: bytes) -> bool:
        scope = attributes.parse_scope(header).scope
        return any(
            self._is(entry.name, scope.name) and (entry.version is None or self._is(entry.version, scope.version))
            for entry in self.libraries
        )

    def _has_all(self, found: dict[str, ValueColumns]) -> bool:
        return all(a.key in found and self._fits(a, found[a.key]) for a in self.resources)

    def _has(self, batch: Batch, wanted: Attribute) -> Bools:
        flat = attributes.flatten(batch.column("attributes"))
        at = flat_edits.first_of(flat, wanted.key, batch.num_rows)
        rows = np.flatnonzero(at >= 0)
        found = np.zeros(batch.num_rows, bool)
        yes, no = (schema.BOOL, 1, ""), (schema.BOOL, 0, "")
        fits = flat_edits.Values.at(flat, at[rows]).changed(lambda value: yes if self._fits(wanted, value) else no)
        found[rows] = fits.nums != 0
        return found

    def _fits(self, wanted: Attribute, value: ValueColumns) -> bool:
        if wanted.value is None:
            return True
        if self.match_type == "strict":
            return bool(encode_value(wanted.value) == value)
        scalar = value[0] in {schema.STRING, schema.BOOL, schema.INT, schema.DOUBLE}
        return bool(scalar and self._is(str(wanted.value), attribute_text(value)))


class ChosenRows(ComponentConfig):
    include: Match | None = None
    """Only what meets this is changed."""

    exclude: Match | None = None
    """What meets this is left alone."""

    def rows(self, batch: Batch) -> Bools:
        """Which rows of a batch are meant."""
        rows = np.ones(batch.num_rows, bool) if self.include is None else self.include.matches(batch)
        return rows if self.exclude is None else rows & ~self.exclude.matches(batch)


def _resource(header: bytes) -> dict[str, ValueColumns]:
    found: dict[str, ValueColumns] = {}
    for entry in attributes.parse_resource(header).resource.attributes:
        found.setdefault(entry.key, to_columns(entry.value))
    return found


def _by_header(batch: Batch, name: str, matches: Callable[[bytes], bool]) -> Bools:
    """Per row, whether its header matches; each distinct header is looked at once."""
    column = batch.column(name)
    matched = np.array([matches(header) for header in column.dictionary.to_pylist()], bool)
    found: Bools = matched[numpy_of(column.indices)] if len(matched) else np.zeros(len(column), bool)
    return found


def _kinds(batch: Batch) -> pa.Array:
    kinds = batch.column("kind").to_numpy()
    known = np.where((kinds >= 0) & (kinds < len(_KINDS)), kinds, len(_KINDS))
    return pa.array([*(f"SPAN_KIND_{name}" for name in _KINDS), ""]).take(pa.array(known))


def _bodies(batch: Batch) -> pa.Array:
    is_text = pc.equal(batch.column("body_type"), schema.STRING)
    return pc.if_else(is_text, batch.column("body_text"), pa.scalar(None, pa.string()))


def _truth(values: pa.BooleanArray) -> Bools:
    truths: Bools = numpy_of(values.fill_null(pa.scalar(False)))
    return truths
