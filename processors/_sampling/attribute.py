"""Policies about attributes of spans and resources: string, numeric and boolean ones.

They differ in what they look for only. They look at spans, which are read back from the journal for
them. A value of another type counts as the Collector reads it: as "", 0 or false; of a repeated key
the first one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from pydantic import Field, model_validator

from processors._sampling.policy import Options, Policy
from processors._sampling.text_options import TextOptions, numpy
from spanloom import Bools, PolicyVerdicts, Traces, attributes, numpy_of, sampled_where, schema


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


class _AttributeOptions(Options):
    key: str = Field(min_length=1)
    """The attribute's key, on a span or its resource."""

    invert_match: bool = False
    """Keeps the traces that have no such value."""

    @property
    def columns(self) -> Sequence[str]:
        return ("attributes", "resource")

    def matches(self, values: _Values, *, of_resource: bool) -> Bools:
        """Which of the values are meant."""
        raise NotImplementedError

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:  # noqa: ARG002 - all are looked at together
        return sampled_where(_found(self, traces) != self.invert_match)


class StringAttributeOptions(_AttributeOptions, TextOptions):
    cache_max_size: int = Field(default=0, ge=0)
    """No effect: expressions run over columns."""

    def matches(self, values: _Values, *, of_resource: bool) -> Bools:
        texts = values.strings()
        found = self.found_in(texts)
        return found if of_resource else found & numpy(pc.not_equal(texts, ""))


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


class StringAttributePolicy(Policy):
    type: Literal["string_attribute"]
    """Keeps traces by the text of an attribute."""

    string_attribute: StringAttributeOptions
    """The values."""


class NumericAttributePolicy(Policy):
    type: Literal["numeric_attribute"]
    """Keeps traces by the whole number in an attribute."""

    numeric_attribute: NumericAttributeOptions
    """The bounds."""


class BooleanAttributePolicy(Policy):
    type: Literal["boolean_attribute"]
    """Keeps traces by a true or false attribute."""

    boolean_attribute: BooleanAttributeOptions
    """The value."""


def _found(options: _AttributeOptions, traces: Traces) -> Bools:
    """Which traces have a span, or a resource of one, with a value that is meant."""
    spans, _ = traces.spans()
    flat = traces.once("attributes", lambda: attributes.flatten(spans.column("attributes")))
    codes = [code for code, key in enumerate(flat.keys) if key == options.key]
    mine = flat.select(np.isin(flat.key_codes, codes))
    rows, first = np.unique(mine.rows, return_index=True)
    values = _Values(mine.types[first], mine.nums[first], mine.texts.take(pa.array(first)))
    hit = np.zeros(spans.num_rows, bool)
    hit[rows] = options.matches(values, of_resource=False)
    return traces.any_span(hit | _resource_hits(options, spans.column("resource")))


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
    picked: Bools = hits[numpy_of(column.indices)]
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
