"""What the redaction processor promises. That it does what the Collector's does is in ``tests/differential``.

Proves laws and edges on batches. Does not prove that personal data is found: patterns are the user's.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given, strategies as st
from pydantic import ValidationError

from collector.component.base import ComponentId, Settings
from collector.model import attributes
from collector.model.facts import resolve
from collector.telemetry import Telemetry
from collector.testing.builders import logs, spans
from processors import redaction
from processors._redaction.rules import compiled, replaced


def made(**options: Any) -> Any:
    settings = Settings(ComponentId("redaction"), Telemetry(), structlog.stdlib.get_logger(), Path("unused"))
    return redaction.factory.create(redaction.Config(**options), settings)


def changed(rows: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    return attributes.to_dicts(made(**options).process(spans(rows)).column("attributes"))


def test_many_rows_with_few_texts() -> None:
    rows = [{"attributes": {"a": f"mail {n % 3}@x.org", "b": n}} for n in range(3000)]
    found = changed(rows, allow_all_keys=True, blocked_values=["[0-9]@x.org"], summary="info")
    masked = {"a": "mail ****", "redaction.masked.count": 1}
    assert found == [{**masked, "b": n} for n in range(3000)]


def test_what_is_allowed_only_by_a_list_keeps_no_other() -> None:
    rows = [{"attributes": {"keep": "x", "drop": "y"}, "resource": {"drop": "y"}, "scope": ("lib", "1")}]
    batch = made(allowed_keys=["keep"]).process(spans(rows))
    assert attributes.to_dicts(batch.column("attributes")) == [{"keep": "x"}]
    (header,) = batch.column("resource").dictionary.to_pylist()
    assert attributes.resource_values(header) == {}


def test_resources_that_become_equal_are_one() -> None:
    rows = [{"resource": {"user": f"{n}@x.org"}} for n in range(5)]
    batch = made(allow_all_keys=True, blocked_values=[".+@x.org"]).process(spans(rows))
    assert len(batch.column("resource").dictionary) == 1


def test_the_model_follows_what_is_left() -> None:
    rows = [{"attributes": {"gen_ai.request.model": "m", "user.id": "jane@x.org"}}]
    batch = resolve.resolve(made(allow_all_keys=True, blocked_values=["jane"]).process(spans(rows)))
    assert batch.column("user_id").to_pylist() == ["****@x.org"]


def test_nothing_to_do_changes_nothing() -> None:
    batch = spans([{"attributes": {"a": "x"}, "events": [{"name": "e", "attributes": {"a": 1}}]}, {}])
    same = made(allow_all_keys=True, blocked_values=["y"], summary="debug").process(batch)
    assert same.record_batch.equals(batch.record_batch)


def test_slices_of_a_batch_are_redacted_alike() -> None:
    rows = [
        {"attributes": {"n": n}, "events": [{"name": str(n), "attributes": {"m": f"m{n}"}}] * (n % 3)} for n in range(9)
    ]
    processor, batch = made(allow_all_keys=True, blocked_values=["m[0-9]"]), spans(rows)
    whole = processor.process(batch).column("events").to_pylist()
    part = type(batch)(batch.record_batch.slice(4, 3))
    assert processor.process(part).column("events").to_pylist() == whole[4:7]


def test_nan_does_not_hide_what_is_beside_it() -> None:
    rows = [{"attributes": {"m": {"n": float("nan"), "mail": "jane@x.org"}}}]
    assert changed(rows, allow_all_keys=True, blocked_values=["[a-z]+@[a-z.]+"], redact_all_types=True) == [
        {"m": '{"mail":"****","n":NaN}'}
    ]


@pytest.mark.parametrize(
    "patterns",
    [[r"\Qa.b", "c.d"], [f"{n}[0-9]{{1,60}}[\\pL]{{1,60}}" for n in range(400)] + ["a.b", "c.d"]],
    ids=["open quote", "too large together"],
)
def test_patterns_that_cannot_be_one_are_looked_for_one_by_one(patterns: list[str]) -> None:
    rows = [{"attributes": {"k": text}} for text in ("a.b", "c-d", "none")]
    assert [found["k"] for found in changed(rows, allow_all_keys=True, blocked_values=patterns)] == [
        "****", "****", "none"
    ]  # fmt: skip


@given(texts=st.lists(st.text(alphabet="ab4 \n", max_size=12), max_size=6))
def test_no_match_is_left_in_any_text(texts: list[str]) -> None:
    rows = [{"attributes": {f"k{at}": text for at, text in enumerate(texts)}}]
    (found,) = changed(rows, allow_all_keys=True, blocked_values=["4+b"])
    assert all(not re.search("4+b", text) for text in found.values())


@given(text=st.text(alphabet="ab\n", max_size=12))
def test_matches_are_replaced_as_by_anybody_who_skips_empty_ones_behind_others(text: str) -> None:
    for pattern in ("a+", "ab", "^a", "b$", "(?s).+"):
        assert replaced(compiled(pattern), text, lambda match: f"<{match}>") == re.sub(
            pattern.replace("b$", r"b\Z"), r"<\g<0>>", text
        )
    whole = replaced(compiled(".*"), text, lambda _: "*")
    assert whole == "\n".join("*" for _ in text.split("\n"))


def test_a_body_is_redacted_where_it_nests() -> None:
    body = {"user": {"mail": "jane@x.org", "ids": [1, "jane@x.org"]}, "safe": "jane@x.org"}
    batch = made(allow_all_keys=True, blocked_values=[".+@x.org"], ignored_keys=["safe"], summary="debug").process(
        logs([{"body": body}, {"body": "jane@x.org"}, {"body": 5}])
    )
    said = attributes.to_dicts(batch.column("attributes"))
    assert said[0]["redaction.body.masked.keys"] == "user.ids.[1],user.mail"
    assert said[0]["redaction.body.ignored.count"] == 1
    assert said[1] == {"redaction.body.masked.keys": "body", "redaction.body.masked.count": 1}
    assert said[2] == {}
    assert '"1"' in batch.column("body_text")[0].as_py()
    assert batch.column("body_text")[0].as_py().count("jane@x.org") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"blocked_values": ["("]}, "'(': RE2 cannot compile it"),
        ({"allowed_values": ["(?=x)"]}, "'(?=x)': RE2 cannot compile it"),
        ({"blocked_key_patterns": ["["]}, "'['"),
        ({"ignored_key_patterns": ["*"]}, "'*'"),
        ({"hash_function": "sha256"}, "hash_function"),
        ({"hash_function": "hmac-sha256"}, "hmac-sha256 needs an 'hmac_key' of at least 32"),
        ({"hash_function": "hmac-sha512", "hmac_key": "k" * 63}, "of at least 64 bytes, not of 63"),
        ({"url_sanitizer": {"enabled": True}}, "url_sanitizer"),
        ({"url_sanitizer": {"enable": True}}, "url_sanitizer.enable"),
        ({"db_sanitizer": {"sql": {"enabled": True}}}, "db_sanitizer.sql.enabled"),
        ({"db_sanitizer": {"sql": {"enabled": True}}}, "is not supported: mask what it is for"),
        ({"db_sanitizer": {"sql": {"enable": True}}}, "db_sanitizer.sql.enable"),
        ({"db_sanitizer": {"oracle": {"enabled": True}}}, "db_sanitizer.oracle"),
        ({"summary": "loud"}, "summary"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        redaction.Config(**options)
    assert said in str(caught.value)


def test_the_key_is_shown_nowhere() -> None:
    config = redaction.Config(hash_function="hmac-sha256", hmac_key="very secret " * 3)  # type: ignore[arg-type]
    assert "very secret" not in repr(config) + config.model_dump_json()
