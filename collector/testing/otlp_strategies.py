"""Hypothesis strategies for whole OTLP requests: every field of every message, odd values included.

Needs hypothesis, which is no dependency of the collector itself.
"""

from __future__ import annotations

import math
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from collector.model.batch import Signal
from collector.model.codec.wire import REQUEST

_F = FieldDescriptor
_DEPTH = 3
_PROFILES_ONLY = frozenset({"string_value_strindex", "key_strindex"})
_ID_SIZES = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}

texts = st.one_of(
    st.sampled_from(["", "a", "gen_ai.system", "NaN", "true", "7", "é", "漢字", "😀", "\0", '"\\\n', "\u2028"]),
    st.text(max_size=12),
)
doubles = st.one_of(st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf, -math.inf, 5e-324, 1e22]), st.floats())


def integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    """Whole numbers of a width, the extremes among them."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.one_of(st.sampled_from([0, 1, low, high]), st.integers(low, high))


_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    _F.TYPE_STRING: texts,
    _F.TYPE_BYTES: st.binary(max_size=20),
    _F.TYPE_BOOL: st.booleans(),
    _F.TYPE_DOUBLE: doubles,
    _F.TYPE_ENUM: st.one_of(st.integers(0, 6), integers(32, signed=True)),
    _F.TYPE_INT32: integers(32, signed=True),
    _F.TYPE_SINT32: integers(32, signed=True),
    _F.TYPE_UINT32: integers(32, signed=False),
    _F.TYPE_FIXED32: integers(32, signed=False),
    _F.TYPE_INT64: integers(64, signed=True),
    _F.TYPE_SFIXED64: integers(64, signed=True),
    _F.TYPE_UINT64: integers(64, signed=False),
    _F.TYPE_FIXED64: integers(64, signed=False),
}


def requests(signal: Signal) -> st.SearchStrategy[bytes]:
    """Serialised export requests; the ids of spans are good ones."""
    return messages(REQUEST[signal].DESCRIPTOR).map(lambda request: request.SerializeToString())


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, depth: int = 0) -> Message:
    """A message of any kind, some of its fields set."""
    message: Message = GetMessageClass(descriptor)()
    for group in descriptor.oneofs:
        chosen = draw(st.sampled_from([None, *group.fields]))
        if chosen is not None and chosen.name not in _PROFILES_ONLY:
            _set(draw, message, chosen, depth)
    for field in descriptor.fields:
        if field.containing_oneof is None and field.name not in _PROFILES_ONLY and draw(_wanted(field)):
            _set(draw, message, field, depth)
    return message


def _wanted(field: FieldDescriptor) -> st.SearchStrategy[bool]:
    needed = field.is_repeated and field.message_type is not None and field.number in {1, 2}
    required = field.full_name.endswith((".Span.trace_id", ".Span.span_id"))
    return st.just(value=True) if needed or required else st.booleans()


def _set(draw: st.DrawFn, message: Message, field: FieldDescriptor, depth: int) -> None:
    strategy = _values(field, depth)
    if field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(strategy, max_size=2)))
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(draw(strategy))
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, draw(strategy))


def _values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    kind = field.message_type
    if kind is None:
        size = _ID_SIZES.get(field.name) if field.full_name.count(".Span.") and "Link" not in field.full_name else None
        return _SCALARS[field.type] if size is None else st.binary(min_size=size, max_size=size).filter(any)
    if kind.name in {"ArrayValue", "KeyValueList"}:
        depth += 1
        if depth > _DEPTH:
            return st.just(GetMessageClass(kind)())
    return messages(kind, depth)
