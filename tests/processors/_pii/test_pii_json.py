"""JSON stays JSON, and escapes hide nothing.

Proves by property that masked JSON stays valid and escapes are seen through. Does not prove other encodings than
JSON's own.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.processors._pii.pii_kit import AWS_KEY, CARD, EMAIL, IBAN, OPENAI_KEY, PASSWORD, SSN, mask_text, processor

_VALUES = (CARD, EMAIL, IBAN, SSN, OPENAI_KEY, AWS_KEY)
_MASKER = processor()

ESCAPED = [
    (rf"line\n{EMAIL}", r"line\n[EMAIL]"),
    (rf"\"{EMAIL}\"", r"\"[EMAIL]\""),
    (r"foo\u0040bar.com", "[EMAIL]"),
    (r"foo@bar\u002ecom", "[EMAIL]"),
    (r"\u0066oo@bar.com", "[EMAIL]"),
    (r"jos\u00e9@bar.com", "[EMAIL]"),
    (r"x\n4111\u00201111\u00201111\u00201111", r"x\n[CREDIT_CARD]"),
    (r"x\t4111111111111111", r"x\t[CREDIT_CARD]"),
    (r"postgres:\/\/app:s3cr3t@db\/x", r"postgres:\/\/[URL_CREDENTIALS]@db\/x"),
    (r"\ud83d\ude00 foo@bar.com", r"\ud83d\ude00 [EMAIL]"),
    (r"Bearer\naB3dE5gH7jaB3dE5gH7j", r"Bearer\n[AUTHORIZATION]"),
]


@pytest.mark.parametrize(("inside", "expected"), ESCAPED)
@pytest.mark.parametrize("depth", range(4))
def test_escapes_of_any_depth_hide_nothing(inside: str, expected: str, depth: int) -> None:
    text, wanted = f'{{"a":"{inside}"}}', f'{{"a":"{expected}"}}'
    for _ in range(depth):
        text, wanted = json.dumps({"b": text}), json.dumps({"b": wanted})
    assert mask_text(_MASKER, text) == wanted


def test_a_backslash_in_plain_text_is_no_escape_of_a_digit() -> None:
    assert mask_text(_MASKER, "\\" + CARD) == "\\[CREDIT_CARD]"


@pytest.mark.parametrize("depth", range(4))
def test_a_number_outside_strings_becomes_a_string(depth: int) -> None:
    value: Any = {"card": int(CARD), "list": [1, int(CARD), -int(CARD)], "text": f"1, {CARD}, 2"}
    wanted: Any = {
        "card": "[CREDIT_CARD]",
        "list": [1, "[CREDIT_CARD]", "[CREDIT_CARD]"],
        "text": "1, [CREDIT_CARD], 2",
    }
    for _ in range(depth):
        value, wanted = {"j": json.dumps(value)}, {"j": json.dumps(wanted)}
    assert json.loads(mask_text(_MASKER, json.dumps(value))) == wanted


def test_structure_inside_a_string_is_not_taken_for_structure() -> None:
    value = {"a": f'note: "x":{CARD}, [{CARD}]', "b": f", {CARD}"}
    assert json.loads(mask_text(_MASKER, json.dumps(value))) == {
        "a": 'note: "x":[CREDIT_CARD], [[CREDIT_CARD]]',
        "b": ", [CREDIT_CARD]",
    }


@pytest.mark.parametrize("depth", range(4))
@pytest.mark.parametrize("secret", ["hunter2", 'quo"te', "back\\slash", 'both\\"', "line\nbreak", "ünï"])
def test_a_secret_ends_where_its_string_ends(secret: str, depth: int) -> None:
    value: Any = {"password": secret, "other": "kept"}
    wanted: Any = {"password": "[SECRET]", "other": "kept"}
    for _ in range(depth):
        value, wanted = {"j": json.dumps(value)}, {"j": json.dumps(wanted)}
    assert json.loads(mask_text(_MASKER, json.dumps(value))) == wanted


def test_text_cut_off_in_the_middle_is_searched_all_the_same() -> None:
    text = json.dumps([{"role": "user", "content": f'say "hi"\n{EMAIL} and {CARD} then\n'}])[:-9]
    masked = mask_text(_MASKER, text)
    assert EMAIL not in masked
    assert CARD not in masked
    assert masked.startswith('[{"role": "user", "content": "say \\"hi\\"\\n[EMAIL] and')


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(_VALUES),
    st.sampled_from([int(CARD), -int(CARD), 4111111111111111.0]),
    st.builds(lambda a, v, b: a + v + b, st.text(max_size=6), st.sampled_from(_VALUES), st.text(max_size=6)),
    st.builds(
        lambda a, v, b: f"{a}\n{v}\t{b}",
        st.text(max_size=3),
        st.sampled_from(_VALUES),
        st.sampled_from(['"', "\\", " "]),
    ),
)
_KEYS = st.one_of(st.text(max_size=8), st.sampled_from(["password", "api_key", "role", EMAIL, "max_tokens"]))
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=4), inner.map(json.dumps)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.one_of(st.lists(_JSON, max_size=4), st.dictionaries(_KEYS, _JSON, max_size=4)), st.booleans())
def test_valid_json_stays_valid_and_masking_twice_is_masking_once(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "replace").decode()
    masked = mask_text(_MASKER, text)
    json.loads(masked)
    assert mask_text(_MASKER, masked) == masked


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([*_VALUES, "\\", '"', "\\n", "\\u0040", "{", "[", ",", ":", "\x00", "é", "/", " ", "@", "x"]),
        max_size=12,
    )
)
def test_any_text_is_masked_once_and_for_all(parts: list[str]) -> None:
    masked = mask_text(_MASKER, "".join(parts))
    assert mask_text(_MASKER, masked) == masked


@settings(deadline=None)
@given(st.sampled_from(_VALUES), st.text(max_size=10), st.text(max_size=10), st.integers(0, 3))
def test_a_value_between_spaces_never_gets_through(value: str, before: str, after: str, depth: int) -> None:
    text: str = f"{before} {value} {after}"
    for _ in range(depth):
        text = json.dumps({"v": text})
    masked: str = mask_text(_MASKER, text.encode("utf-8", "replace").decode())
    assert value not in masked


def test_a_users_pattern_across_a_quotation_mark_cannot_break_json() -> None:
    masker = processor(patterns=[{"name": "pair", "regex": "1.*ba|foo and bar"}])
    assert json.loads(mask_text(masker, '{"foo": 1, "bar": 2}')) == "[PAIR]"
    assert mask_text(masker, '{"a": "foo and bar"}') == '{"a": "[PAIR]"}'
    assert mask_text(masker, '{"password": "' + PASSWORD + '"}') == '{"password": "[SECRET]"}'
