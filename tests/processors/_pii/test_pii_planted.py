"""A value planted anywhere, in any wrapping, never leaves; and base64 by policy.

Proves it by property for nested JSON, escapes and base64. Does not prove it for compressed or encrypted content.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from collector.model.batch import Batch
from collector.model.codec.chosen import encode, encode_json
from collector.testing.builders import logs, metrics, resource, scope, spans
from tests.processors._pii.pii_kit import (
    AWS_KEY,
    CARD,
    EMAIL,
    IBAN,
    OPENAI_KEY,
    SSN,
    counted,
    mask_attributes,
    mask_text,
    processor,
)

_MASKER = processor()
_SEARCHING = processor(base64="search")
_VALUES = st.sampled_from([CARD, EMAIL, IBAN, SSN, OPENAI_KEY, AWS_KEY])
_KEYS = st.sampled_from(
    (
        *("gen_ai.input.messages", "llm.input_messages.0.message.content", "x", "exception.stacktrace", "http.url"),
        *("gen_ai.tool.call.arguments", "gen_ai.completion.0.content", "langfuse.observation.metadata.a"),
    )
)


def _encoded(value: Any) -> str:
    raw = value if isinstance(value, str) else json.dumps(value)
    return f"see {base64.b64encode(raw.encode()).decode()} there"


# How a value may be wrapped before it comes to stand in an attribute.
_WRAPPINGS: list[Callable[[Any], Any]] = [
    lambda v: [v],
    lambda v: {"k": v},
    lambda v: {"role": "user", "content": v, "n": 1.5, "none": None},
    json.dumps,
    lambda v: json.dumps({"v": v}, ensure_ascii=False),
    lambda v: json.dumps([v]).replace("@", "\\u0040"),
    lambda v: f"before {v if isinstance(v, str) else json.dumps(v)} after",
    lambda v: f'File "a.py", line 7\n  {v if isinstance(v, str) else json.dumps(v)}\nValueError',
]
_PLACES: list[Callable[[str, Any], Batch]] = [
    lambda k, v: spans([{"attributes": {k: v}}, {}]),
    lambda k, v: spans([{}, {"events": [{"name": "e", "attributes": {k: v}}]}]),
    lambda k, v: spans([{"links": [{"trace_id": b"1" * 16, "span_id": b"2" * 8, "attributes": {k: v}}]}]),
    lambda k, v: spans([{"resource": resource({k: v})}]),
    lambda k, v: spans([{"scope": scope("s", "", {k: v})}]),
    lambda k, v: spans([{"span_name": _text(v), "status_message": _text(v), "trace_state": f"a={_text(v)}"}]),
    lambda k, v: spans([{"attributes": {f"{k} {_text(v)}": 1}}]),
    lambda k, v: logs([{"body": v}, {"attributes": {k: v}}, {"severity_text": _text(v)}]),
    lambda k, v: metrics([{"name": "m", "value_int": 1, "attributes": {k: v}, "description": _text(v)}]),
]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _leaks(batch: Batch, value: str) -> bool:
    outputs = (bytes(batch.to_ipc()), encode(batch), encode_json(batch))
    return any(
        form in output for output in outputs for form in (value.encode(), value.replace("@", "\\u0040").encode())
    )


@settings(max_examples=200, deadline=None)
@given(_VALUES, _KEYS, st.sampled_from(_PLACES), st.lists(st.sampled_from(_WRAPPINGS), max_size=4))
def test_nothing_planted_anywhere_leaves(
    value: str, key: str, place: Callable[[str, Any], Batch], wrappings: list[Callable[[Any], Any]]
) -> None:
    planted: Any = value
    for wrap in wrappings:
        planted = wrap(planted)
    batch = place(key, planted)
    assert not _leaks(_MASKER.process(batch), value)


@settings(max_examples=100, deadline=None)
@given(_VALUES, _KEYS, st.sampled_from(_PLACES), st.lists(st.sampled_from([*_WRAPPINGS[2:5], _encoded]), max_size=3))
def test_nothing_planted_in_base64_leaves_when_it_is_searched(
    value: str, key: str, place: Callable[[str, Any], Batch], wrappings: list[Callable[[Any], Any]]
) -> None:
    planted: Any = _encoded(f"It is {value}.")
    for wrap in wrappings:
        planted = wrap(planted)
    texts = [bytes(_SEARCHING.process(place(key, planted)).to_ipc())]
    for _ in range(8):  # decode whatever can be decoded, again and again
        runs = re.findall(rb"[A-Za-z0-9+/]{16,}={0,2}", b"\n".join(texts))
        texts = [base64.b64decode(run + b"=" * (-len(run) % 4)) for run in runs if len(run.rstrip(b"=")) % 4 != 1]
        assert not any(value.encode() in text for text in texts)


def test_base64_is_kept_unless_a_policy_says_otherwise() -> None:
    text = _encoded(f"I am {EMAIL}")
    assert mask_text(_MASKER, text) == text
    masked = mask_text(_SEARCHING, text)
    assert base64.b64decode(masked.split()[1]) == b"I am [EMAIL]"
    assert mask_text(_SEARCHING, masked) == masked


def test_what_is_no_text_inside_is_left_as_it_is() -> None:
    image = base64.b64encode(bytes(range(256))).decode()
    values = {
        "image": f"data:image/png;base64,{image}",
        "digest": "a3f5" * 16,
        "path": "/usr/lib/python/site-packages/x",
    }
    assert mask_attributes(_SEARCHING, values) == values


@pytest.mark.parametrize("prefix", ["\n", '{"a": "x\\n', "data:text/plain;base64,"])
@pytest.mark.parametrize("safe", [True, False])
def test_escapes_and_alphabets_do_not_hide_base64(prefix: str, safe: bool) -> None:
    raw = f"??>>~~ I am {EMAIL}".encode()
    blob = (base64.urlsafe_b64encode if safe else base64.b64encode)(raw).decode()
    masked = mask_text(_SEARCHING, prefix + blob)
    inside = (base64.urlsafe_b64decode if safe else base64.b64decode)(masked.removeprefix(prefix))
    assert inside == b"??>>~~ I am [EMAIL]"


def test_large_blobs_can_be_dropped() -> None:
    masker = processor(base64="drop")
    image = base64.b64encode(bytes(range(256))).decode()
    small = base64.b64encode(f"I am {EMAIL}".encode()).decode()
    assert mask_text(masker, f'{{"image": "{image}"}}') == '{"image": "[BASE64]"}'
    assert base64.b64decode(mask_text(masker, small)) == b"I am [EMAIL]"
    assert counted(masker) == {"base64": 1, "email": 1}


def test_dropping_reaches_through_base64() -> None:
    masker = processor(base64="search", entities={"email": "drop"})
    assert mask_attributes(masker, {"a": _encoded(f"I am {EMAIL}"), "b": "kept"}) == {"b": "kept"}
