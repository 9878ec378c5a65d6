"""Policies about attributes of spans and resources: string, numeric and boolean ones.

They look at spans, which are read back from the journal for them. A value of another type counts as
the Collector reads it: as "", 0 or false; of a repeated key the first one counts.
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from pydantic import Field, model_validator

from collector.component import ComponentConfig
from collector.model import attributes, schema
from processors._sampling.traces import (
    INVERT_NOT_SAMPLED,
    INVERT_SAMPLED,
    Bools,
    Decisions,
    Traces,
    where,
)


class _Values:
    """Values of one key, as columns; the meaning of each column is that of ``schema.ATTRIBUTE``."""

    def __init__(self, types: npt.NDArray[np.uint8], nums: npt.NDArray[np.int64], texts: pa.StringArray) -> None:
        self.types, self.nums, self.texts = types, nums, texts

    def ints(self) -> npt.NDArray[np.int64]:
        return np.where(self.types == schema.INT, self.nums, 0)

    def bools(self) -> Bools:
        truths: Bools = (self.types == schema.BOOL) & (self.nums != 0)
        return truths

    def strings(self) -> pa.StringArray:
        return pc.if_else(pa.array(self.types == schema.STRING), self.texts, "")


class _AttributeOptions(ComponentConfig):
    key: str = Field(min_length=1)
    """The attribute's key, on a span or its resource."""

    invert_match: bool = False
    """Deprecated by the Collector, use 'not' or 'drop': a match vetoes the trace, none keeps it."""

    def matches(self, values: _Values, *, of_resource: bool) -> Bools:
        """Which of the values are meant."""
        raise NotImplementedError


class StringAttributeOptions(_AttributeOptions):
    values: tuple[str, ...] = Field(min_length=1)
    """Keeps traces in which some value is one of these."""

    enabled_regex_matching: bool = False
    """Takes the values as RE2 expressions, found anywhere in the text."""

    cache_max_size: int = Field(default=0, ge=0)
    """No effect: expressions run over columns."""

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        if self.enabled_regex_matching:
            for value in self.values:
                try:
                    pc.match_substring_regex(pa.array([""]), value)
                except pa.ArrowInvalid as e:
                    raise ValueError(f"{value!r} is no RE2 expression: {e}") from e
        return self

    def matches(self, values: _Values, *, of_resource: bool) -> Bools:
        texts = values.strings()
        if not self.enabled_regex_matching:
            return _numpy(pc.is_in(texts, pa.array([value for value in self.values if value], pa.string())))
        found = np.zeros(len(texts), bool)
        for value in self.values:
            found |= _numpy(pc.match_substring_regex(texts, value))
        return found if of_resource else found & _numpy(pc.not_equal(texts, ""))


class NumericAttributeOptions(_AttributeOptions):
    min_value: int = Field(default=0, ge=-(2**63), lt=2**63)
    """Keeps traces in which some value is at least this; 0: no lower bound."""

    max_value: int = Field(default=0, ge=-(2**63), lt=2**63)
    """... and at most this; 0: no upper bound."""

    @model_validator(mode="after")
    def _has_bounds(self) -> Self:
        if not self.min_value and not self.max_value:
            raise ValueError("give min_value or max_value, other than 0")
        return self

    def matches(self, values: _Values, *, of_resource: bool) -> Bools:  # noqa: ARG002 - the same for both
        numbers = values.ints()
        inside = np.ones(len(numbers), bool)
        if self.min_value:
            inside &= numbers >= self.min_value
        if self.max_value:
            inside &= numbers <= self.max_value
        return inside


class BooleanAttributeOptions(_AttributeOptions):
    value: bool = False
    """Keeps traces in which some value is this."""

    def matches(self, values: _Values, *, of_resource: bool) -> Bools:  # noqa: ARG002 - the same for both
        return values.bools() if self.value else ~values.bools()


class StringAttributePolicy(ComponentConfig):
    name: str = ""
    """Recorded with the traces it keeps; a policy inside another one needs none."""

    type: Literal["string_attribute"]
    """Keeps traces by the text of an attribute."""

    string_attribute: StringAttributeOptions
    """The values."""

    def evaluate(self, traces: Traces) -> Decisions:
        return _evaluate(self.string_attribute, traces)


class NumericAttributePolicy(ComponentConfig):
    name: str = ""
    """Recorded with the traces it keeps; a policy inside another one needs none."""

    type: Literal["numeric_attribute"]
    """Keeps traces by the whole number in an attribute."""

    numeric_attribute: NumericAttributeOptions
    """The bounds."""

    def evaluate(self, traces: Traces) -> Decisions:
        return _evaluate(self.numeric_attribute, traces)


class BooleanAttributePolicy(ComponentConfig):
    name: str = ""
    """Recorded with the traces it keeps; a policy inside another one needs none."""

    type: Literal["boolean_attribute"]
    """Keeps traces by a true or false attribute."""

    boolean_attribute: BooleanAttributeOptions
    """The value."""

    def evaluate(self, traces: Traces) -> Decisions:
        return _evaluate(self.boolean_attribute, traces)


def _evaluate(options: _AttributeOptions, traces: Traces) -> Decisions:
    found = traces.once(options, lambda: _found(options, traces))
    if not options.invert_match:
        return where(found)
    return np.where(found, INVERT_NOT_SAMPLED, INVERT_SAMPLED).astype(np.int8)


def _found(options: _AttributeOptions, traces: Traces) -> Bools:
    """Which traces have a span, or a resource of one, with a value that is meant."""
    spans, owner = traces.spans()
    flat = traces.once("attributes", lambda: attributes.flatten(spans.column("attributes")))
    codes = [code for code, key in enumerate(flat.keys) if key == options.key]
    mine = flat.select(np.isin(flat.key_codes, codes))
    rows, first = np.unique(mine.rows, return_index=True)
    values = _Values(mine.types[first], mine.nums[first], mine.texts.take(pa.array(first)))
    hit = np.zeros(spans.num_rows, bool)
    hit[rows] = options.matches(values, of_resource=False)
    found = np.zeros(len(traces), bool)
    found[owner[hit | _resource_hits(options, spans.column("resource"))]] = True
    return found


def _resource_hits(options: _AttributeOptions, column: pa.DictionaryArray) -> Bools:
    """Per span whether its resource has a value that is meant; once per distinct resource."""
    headers = column.dictionary.to_pylist()
    given = [(code, value) for code, header in enumerate(headers) if (value := _value_of(header, options.key))]
    columns = [_columns(value) for _, value in given]
    values = _Values(
        np.array([c[0] for c in columns], np.uint8),
        np.array([c[1] for c in columns], np.int64),
        pa.array([c[2] for c in columns], pa.string()),
    )
    hits = np.zeros(len(headers) + 1, bool)
    hits[[code for code, _ in given]] = options.matches(values, of_resource=True)
    picked: Bools = hits[column.indices.to_numpy(zero_copy_only=False)]
    return picked


def _value_of(header: bytes, key: str) -> AnyValue | None:
    resource = attributes.parse_resource(header).resource
    return next((entry.value for entry in resource.attributes if entry.key == key), None)


def _columns(value: AnyValue) -> tuple[int, int, str]:
    match value.WhichOneof("value"):
        case "string_value":
            return schema.STRING, 0, value.string_value
        case "int_value":
            return schema.INT, value.int_value, ""
        case "bool_value":
            return schema.BOOL, int(value.bool_value), ""
    return schema.EMPTY, 0, ""


def _numpy(values: pa.BooleanArray) -> Bools:
    return values.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
