"""Modes, allow lists, a user's own patterns, and what is refused at start.

Proves modes, keys, allow lists, refusals, and that failures keep the value in. Does not prove that what is configured
finds everything.
"""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from collector.model import attributes, schema
from collector.testing.builders import logs, spans
from processors._pii import identifiers
from processors._pii.entities import Entity, Mode
from processors._pii.identity import key_file
from processors._pii.masking_engine import Engine
from processors._pii.patterns import built_in, bytes_per_second, compiled, data, entity_defaults, users
from processors.pii import Config, factory
from spanloom import Signal, Stage
from tests.processors._pii.pii_kit import (
    CARD,
    EMAIL,
    IBAN,
    OPENAI_KEY,
    counted,
    failed,
    mask_attributes,
    mask_text,
    processor,
)

_KEY = "k" * 32


def test_runs_first_and_on_every_signal() -> None:
    assert factory.stage is Stage.MASK
    assert factory.signals == frozenset(Signal)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("redact", "to [EMAIL], [CREDIT_CARD]!"),
        ("mask", "to ************************, ****************!"),
        ("partial", "to a***@example.org, ************1111!"),
    ],
)
def test_modes(mode: str, expected: str) -> None:
    masker = processor(mode=mode)
    text = f"to {EMAIL}, {CARD}!"
    assert mask_text(masker, text) == expected
    assert mask_text(masker, expected) == expected


def test_hash_keeps_equal_values_equal_and_needs_the_key_to_be_guessed() -> None:
    one, same, other = (
        processor(mode="hash", hash_key=_KEY),
        processor(mode="hash", hash_key=_KEY),
        processor(mode="hash", hash_key="o" * 32),
    )
    masked = mask_text(one, f"{EMAIL} {EMAIL.upper()}")
    first, second = masked.split(" ")
    assert first == second
    assert first.startswith("[EMAIL:")
    assert mask_text(same, EMAIL) == first != mask_text(other, EMAIL)
    assert mask_text(one, CARD) == mask_text(one, "4111 1111 1111 1111")
    assert mask_text(one, masked) == masked


def test_drop_removes_the_attribute_and_nothing_else() -> None:
    masker = processor(entities={"email": "drop"})
    values = {"a": f"x {EMAIL}", "b": CARD, "c": "kept", "d": [EMAIL], "n": 1}
    assert mask_attributes(masker, values) == {"b": "[CREDIT_CARD]", "c": "kept", "d": [""], "n": 1}
    batch = spans([{"span_name": EMAIL, "attributes": {"a": EMAIL}}, {"attributes": {"a": "kept"}}])
    masked = masker.process(batch)
    assert masked.column("span_name").to_pylist() == ["", "span 1"]
    assert [len(row) for row in masked.column("attributes").to_pylist()] == [0, 1]


@pytest.mark.parametrize("off", ["off", False])
def test_an_entity_can_be_turned_off(off: Any) -> None:
    masker = processor(entities={"email": off})
    assert mask_text(masker, f"{EMAIL} {CARD}") == f"{EMAIL} [CREDIT_CARD]"


def test_allowed_values_win() -> None:
    masker = processor(allow=[CARD], allow_patterns=[r"[a-z.]+@example\.org"])
    text = f"{EMAIL} {CARD} foo@bar.com x{EMAIL}.com"
    assert mask_text(masker, text) == f"{EMAIL} {CARD} [EMAIL] [EMAIL]"
    assert mask_text(masker, '{"a": "foo@exa\\u006dple.org"}') == '{"a": "foo@exa\\u006dple.org"}'


def test_a_users_pattern_sees_resolved_escapes_and_may_have_boundaries() -> None:
    masker = processor(patterns=[{"name": "ticket", "regex": r"\bTCK-[0-9]{4}\b", "replacement": "<ticket>"}])
    assert mask_text(masker, "see TCK-1234") == "see <ticket>"
    assert mask_text(masker, '{"a": "see\\nTCK-1234"}') == '{"a": "see\\n<ticket>"}'
    assert mask_text(masker, "STCK-1234 TCK-12345") == "STCK-1234 TCK-12345"
    assert counted(masker) == {"ticket": 2}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"entities": {"emial": "redact"}}, r"unknown entity emial (did you mean 'email'\?\); there are: email"),
        ({"entities": {"email": "shred"}}, "'redact', 'mask', 'partial', 'hash', 'drop' or 'off'"),
        ({"mode": "hash"}, "needs hash_key"),
        ({"entities": {"email": "hash"}}, "needs hash_key"),
        ({"hash_key": "short"}, "at least 16"),
        ({"patterns": [{"name": "x", "regex": "(?=a)b"}]}, "cannot compile"),
        ({"patterns": [{"name": "x", "regex": "("}]}, "cannot compile"),
        ({"patterns": [{"name": "x", "regex": "a*"}]}, "matches the empty text"),
        ({"patterns": [{"name": "x", "regex": "ab", "replacement": 'a"b'}]}, "no backslash"),
        ({"patterns": [{"name": "x", "regex": "a+", "replacement": "aa"}]}, "masking twice"),
        ({"patterns": [{"name": "1 x", "regex": "ab"}]}, "match pattern"),
        ({"allow_patterns": ["("]}, "cannot compile"),
        ({"blocked_key_patterns": ["("]}, "cannot compile"),
        ({"blocked_key_patterns": ["(?=a)b"]}, "cannot compile"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_refuses_what_cannot_work(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason.replace("(", r"\(")):
        Config(**options)


def test_refuses_a_pattern_that_is_slow_on_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors._pii.patterns.bytes_per_second", lambda _: 100_000.0)
    with pytest.raises(ValueError, match=r"too slow: 0\.1 MB/s"):
        users(Entity("x", "X", Mode.REDACT), "ab")


def test_the_key_of_hashes_is_not_shown() -> None:
    assert _KEY not in repr(Config(hash_key=_KEY))
    assert _KEY not in str(Config(hash_key=_KEY).model_dump())


def test_built_in_patterns_would_pass_the_test_of_users_patterns() -> None:
    entities = {name: Entity(name, name, Mode.REDACT) for name in entity_defaults()}
    for pattern in built_in(entities):
        assert compiled(pattern.prefilter).search(b"") is None
        assert bytes_per_second(pattern.finder) > 2_000_000


def test_every_entity_has_a_pattern_and_every_pattern_an_entity() -> None:
    named = {p["entity"] for p in data()["patterns"]}
    assert named == data()["entities"].keys()
    assert entity_defaults().keys() == named | identifiers.data().keys()


def test_content_can_be_dropped_as_a_whole() -> None:
    masker = processor(keep_content=False)
    values = {
        "gen_ai.input.messages": "[]",
        "input.value": "hello",
        "custom": "text",
        "custom.number": 7,
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 12,
        "user.id": "u1",
    }
    kept = {k: values[k] for k in ("custom.number", "gen_ai.request.model", "gen_ai.usage.input_tokens", "user.id")}
    assert mask_attributes(masker, values) == kept
    batch = spans([{"status_message": "said hello", "resource": {"deployment.custom": "r", "service.name": "s"}}])
    masked = masker.process(batch)
    assert masked.column("status_message").to_pylist() == [""]
    assert masked.column("resource").equals(batch.column("resource"))
    record = masker.process(logs([{"body": "hello"}, {"body": {"a": "b"}}, {"body": 3}]))
    assert record.column("body_type").to_pylist() == [schema.EMPTY, schema.EMPTY, schema.INT]
    assert record.column("body_text").to_pylist() == ["", "", ""]


def test_users_stay_apart_and_the_same_without_being_known(tmp_path: Path) -> None:
    masker = processor(tmp_path / "data")
    first = mask_attributes(masker, {"user.id": EMAIL, "session.id": f"chat-{EMAIL}", "x": EMAIL})
    assert first["x"] == "[EMAIL]"
    assert first["user.id"].startswith("user-")
    assert first["session.id"].startswith("session-")
    assert len(first["user.id"]) == len("user-") + 16
    assert mask_attributes(masker, {"user.id": "bob@example.org"})["user.id"] != first["user.id"]
    again = processor(tmp_path / "data")
    assert mask_attributes(again, {"user.id": EMAIL.upper()})["user.id"] == first["user.id"]
    elsewhere = processor(tmp_path / "other")
    assert mask_attributes(elsewhere, {"user.id": EMAIL})["user.id"] != first["user.id"]
    assert mask_attributes(masker, first) == first


def test_user_ids_without_personal_data_stay_as_they_are(tmp_path: Path) -> None:
    masker = processor(tmp_path)
    assert mask_attributes(masker, {"user.id": "u-17"}) == {"user.id": "u-17"}
    assert list(tmp_path.iterdir()) == []


def test_a_configured_key_needs_no_file_and_agrees_between_collectors(tmp_path: Path) -> None:
    one, two = processor(tmp_path / "a", hash_key=_KEY), processor(tmp_path / "b", hash_key=_KEY)
    assert mask_attributes(one, {"user.id": EMAIL}) == mask_attributes(two, {"user.id": EMAIL})
    assert list(tmp_path.iterdir()) == []


def test_the_key_file_is_the_owners_alone(tmp_path: Path) -> None:
    key_file(tmp_path)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_processes_that_begin_at_once_agree_on_the_key(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from processors._pii.identity import key_file; "
        "print(key_file(pathlib.Path(sys.argv[1])).hex())"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "d")], stdout=subprocess.PIPE) for _ in range(3)
    ]
    keys = {child.communicate()[0] for child in children}
    with ThreadPoolExecutor(4) as pool:
        keys |= {f"{k.hex()}\n".encode() for k in pool.map(key_file, [tmp_path / "d"] * 8)}
    assert len(keys) == 1
    assert len(keys.pop()) == 65
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["pii.key"]


def test_an_engine_error_costs_the_value_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    masker = processor()
    real = Engine.mask

    def breaks(self: Engine, raw: bytes, *rest: Any) -> Any:
        if b"boom" in raw:
            raise RuntimeError(raw.decode())
        return real(self, raw, *rest)

    monkeypatch.setattr(Engine, "mask", breaks)
    batch = spans(
        [
            {"span_name": f"boom {EMAIL}", "attributes": {"a": f"boom {EMAIL}", "gen_ai.usage.input_tokens": 5}},
            {"span_name": EMAIL},
        ]
    )
    masked = masker.process(batch)
    assert masked.column("span_name").to_pylist() == ["[MASKING_FAILED]", "[EMAIL]"]
    assert [(a["text"], a["num"]) for a in masked.column("attributes").to_pylist()[0]] == [
        ("[MASKING_FAILED]", 0),
        ("", 5),
    ]
    assert failed(masker) == 2


def test_a_key_that_cannot_be_kept_fails_closed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    masker = processor(tmp_path / "file" / "data")
    assert mask_attributes(masker, {"user.id": EMAIL, "user.name": "kept"})["user.id"] == "[MASKING_FAILED]"
    assert failed(masker) == 1


def test_a_damaged_key_file_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "pii.key").write_text("not hex")
    with pytest.raises(OSError, match="holds no key"):
        key_file(tmp_path)


def test_nested_values_that_are_no_json_fail_closed() -> None:
    column = attributes.build(
        1,
        np.array([0, 0]),
        pa.array(["a", "b"]).dictionary_encode(),
        np.array([schema.KVLIST, schema.BYTES], "uint8"),
        np.array([0, 0]),
        pa.array([f"{{broken {EMAIL}", f"no base64 {EMAIL}!"]),
    )
    batch = spans([{}]).with_columns({"attributes": column})
    masked = processor().process(batch)
    assert EMAIL.encode() not in bytes(masked.to_ipc())


@pytest.mark.parametrize(
    "unit",
    [
        "sk-",
        "xsk-",
        "eyJ",
        "_eyJ",
        "a@b.",
        "4 ",
        "-----BEGIN " + "PRIVATE KEY-----",
        '"password":"',
        "\\",
        "\\u0040",
        "[" * 50,
    ],
)
def test_texts_made_to_be_slow_are_masked_or_given_up_on(unit: str) -> None:
    masker = processor()
    masked = mask_text(masker, (unit * 60_000)[:60_000] + f" {EMAIL} ")
    assert EMAIL not in masked


def test_a_value_of_megabytes_is_masked() -> None:
    text = "The quick brown fox. " * 150_000
    masked = mask_text(processor(), f"{text}{EMAIL} {text}{OPENAI_KEY} {IBAN}")
    assert masked == f"{text}[EMAIL] {text}[API_KEY] [IBAN]"


def test_values_never_reach_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    mask_attributes(processor(), {"a": EMAIL, "b": '{"x": "' + EMAIL})
    assert EMAIL not in "".join(capfd.readouterr())


def test_the_example_names_every_entity_that_is_off_by_default() -> None:
    example = Path(__file__).parents[3] / "docs" / "processors" / "pii" / "3-all-entities.yaml"
    named = YAML(typ="safe").load(example.read_text("utf-8"))["processors"]["pii"]["entities"]
    assert set(named) == {entity for entity, default in entity_defaults().items() if not default}


@pytest.mark.parametrize("regex", ["(?:a{0,900}){0,1}.{0,1000}x{500}", "(.{0,200}){5}foo", "[a-z ]{0,1000}x{500}"])
def test_counted_repeats_that_can_be_very_slow_are_refused(regex: str) -> None:
    with pytest.raises(ValidationError, match="can be very slow on some texts"):
        Config.model_validate({"patterns": [{"name": "SLOW", "regex": regex}]})
