"""When two sets of OTLP requests say the same: the equality that decoding and encoding keep.

Grouping into requests, resources and scopes does not count, nor does the order of items; the order
inside an item (attributes, events, points of a histogram) does. An absent resource, scope, status or
value equals an empty one, a parent id of zeros none, any NaN any other; unknown fields are ignored.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from collector.model.batch import Signal
from collector.model.codec.wire import REQUEST

Item = tuple[bytes, ...]
"""Resource, scope, for metric points the metric, and the item itself; serialised, normalised."""


def canonical(signal: Signal, requests: Iterable[bytes]) -> list[Item]:
    """All items of serialised requests in canonical form and order. Raises ``DecodeError``."""
    return sorted(item for request in requests for item in _items(signal, REQUEST[signal].FromString(request)))


def assert_equivalent(signal: Signal, expected: Iterable[bytes], actual: Iterable[bytes]) -> None:
    """Raises ``AssertionError`` with the first items that only one side has."""
    wanted, got = Counter(canonical(signal, expected)), Counter(canonical(signal, actual))
    missing, extra = list((wanted - got).elements()), list((got - wanted).elements())
    if missing or extra:
        first = f"first missing: {missing[:1]}\nfirst extra:   {extra[:1]}"
        raise AssertionError(f"{len(missing)} items are missing, {len(extra)} are extra\n{first}")


def _items(signal: Signal, request: Any) -> Iterator[Item]:
    part = "spans" if signal is Signal.TRACES else signal.value
    for resource in getattr(request, f"resource_{part}"):
        of_resource = _bytes(resource.resource) + resource.schema_url.encode()
        for scope in getattr(resource, f"scope_{part}"):
            origin = (of_resource, _bytes(scope.scope) + scope.schema_url.encode())
            for item in getattr(scope, "log_records" if signal is Signal.LOGS else part):
                parts = _points(item) if signal is Signal.METRICS else [(_bytes(item),)]
                for rest in parts:
                    yield (*origin, *rest)


def _points(metric: Any) -> list[Item]:
    kind = metric.WhichOneof("data")
    points = [_bytes(point) for point in getattr(metric, kind).data_points] if kind else []
    if points:
        getattr(metric, kind).ClearField("data_points")
    return [(_bytes(metric), point) for point in points] or [(_bytes(metric), b"")]


def _bytes(message: Any) -> bytes:
    message.DiscardUnknownFields()
    _normalise(message)
    data: bytes = message.SerializeToString(deterministic=True)
    return data


def _normalise(message: Any) -> None:
    name = message.DESCRIPTOR.name
    if name == "KeyValue":
        message.value.SetInParent()
        message.ClearField("key_strindex")
    if name == "AnyValue":
        message.ClearField("string_value_strindex")
    for field, value in message.ListFields():
        if field.message_type is not None:
            for child in value if field.is_repeated else [value]:
                _normalise(child)
        elif isinstance(value, float) and math.isnan(value):
            setattr(message, field.name, math.nan)
        elif field.name == "parent_span_id" and value == bytes(8):
            message.ClearField(field.name)
    _drop_if_empty(message, {"Span": "status", "LogRecord": "body"}.get(name))


def _drop_if_empty(message: Any, name: str | None) -> None:
    if name and not getattr(message, name).ByteSize():
        message.ClearField(name)
