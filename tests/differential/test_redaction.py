"""The same options and the same items through the Collector and through Spanloom: the same attributes and bodies.

Proves the same attributes and bodies on the cases listed. Does not prove that redaction finds all that is personal,
nor equality for patterns in which the two engines of regular expressions differ.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import structlog

from collector.component.base import ComponentId, Settings
from collector.model.batch import Batch, LogBatch, MetricBatch, Signal, SpanBatch
from collector.model.codec.chosen import encode_json
from collector.telemetry import Telemetry
from collector.testing.builders import logs, metrics, scope, spans
from processors import redaction
from tests.differential.otelcol import Items, items, logs_through, metrics_through, traces_through

KEY = "k" * 32
CARD, MAIL = "4[0-9]{12}(?:[0-9]{3})?", "[a-z.]+@[a-z.]+"
# No two patterns of a case take the same text: the Collector 0.155 does not run them in the order of the list.
CASES: dict[str, dict[str, Any]] = {
    "nothing-allowed": {},
    "nothing-allowed-debug": {"summary": "debug"},
    "some-allowed": {"allowed_keys": ["note", "id", "map", "service.name", "user"], "summary": "debug"},
    "some-allowed-info": {"allowed_keys": ["note", "id"], "summary": "info"},
    "some-allowed-silent": {"allowed_keys": ["note"], "summary": "silent"},
    "all-allowed": {"allow_all_keys": True, "summary": "debug"},
    "blocked": {"allow_all_keys": True, "blocked_values": [CARD], "summary": "debug"},
    "blocked-two": {"allow_all_keys": True, "blocked_values": [CARD, MAIL], "summary": "info"},
    "blocked-in-turn": {"allow_all_keys": True, "blocked_values": ["card", r"\*\*\*\*"], "summary": "debug"},
    "blocked-some-allowed": {"allowed_keys": ["note", "text", "user"], "blocked_values": [CARD, MAIL],
                             "summary": "debug"},
    "blocked-empty-match": {"allow_all_keys": True, "blocked_values": ["x*"], "summary": "debug"},
    "blocked-all-types": {"allow_all_keys": True, "blocked_values": [CARD, "true", "2[.]5"], "redact_all_types": True,
                          "summary": "debug"},
    "blocked-list-text": {"allow_all_keys": True, "blocked_values": ['"a"', "k"], "redact_all_types": True},
    "allowed-values": {"allow_all_keys": True, "blocked_values": [MAIL], "allowed_values": [".+@acme[.]com"],
                       "summary": "debug"},
    "allowed-empty": {"allow_all_keys": True, "blocked_values": [MAIL], "allowed_values": ["^$"], "summary": "debug"},
    "ignored": {"allowed_keys": ["note"], "ignored_keys": ["mail", "n"], "blocked_values": [MAIL], "summary": "debug"},
    "ignored-patterns": {"ignored_key_patterns": ["^safe", "name$"], "summary": "debug"},
    "ignored-info": {"allow_all_keys": True, "ignored_keys": ["mail"], "blocked_values": [MAIL], "summary": "info"},
    "keys": {"allow_all_keys": True, "blocked_key_patterns": [".*token.*", "^n$", "lines"], "summary": "debug"},
    "keys-some-allowed": {"allowed_keys": ["api_token", "note"], "blocked_key_patterns": ["token"], "summary": "debug"},
    "keys-all-types": {"allow_all_keys": True, "blocked_key_patterns": ["."], "redact_all_types": True},
    "keys-allowed-value": {"allow_all_keys": True, "blocked_key_patterns": ["."], "allowed_values": ["secret", "^$"],
                           "summary": "debug"},
    "keys-and-values": {"allow_all_keys": True, "blocked_key_patterns": ["token"], "blocked_values": [CARD, "s"],
                        "summary": "debug"},
    "md5": {"allow_all_keys": True, "blocked_values": [CARD, MAIL], "hash_function": "md5", "summary": "debug"},
    "sha1": {"allow_all_keys": True, "blocked_values": [MAIL], "hash_function": "sha1"},
    "sha3": {"allow_all_keys": True, "blocked_key_patterns": ["lines", "token"], "hash_function": "sha3"},
    "hmac-256": {"allow_all_keys": True, "blocked_values": [MAIL], "hash_function": "hmac-sha256", "hmac_key": KEY},
    "hmac-512": {"allow_all_keys": True, "blocked_key_patterns": ["^n"], "hash_function": "hmac-sha512",
                 "hmac_key": "ü" * 32},
    "unicode": {"allow_all_keys": True, "blocked_values": ["ü.ï", r"\p{Greek}+", "(?i)CARD"], "summary": "debug"},
    "no-sanitizers": {"allow_all_keys": True, "url_sanitizer": {"enabled": False},
                      "db_sanitizer": {"sql": {"enabled": False}}, "blocked_values": [CARD]},
    "again": {"allow_all_keys": True, "blocked_values": [CARD], "ignored_keys": ["mail"], "summary": "debug"},
    "words": {"allow_all_keys": True, "blocked_values": [r"\bid\b", "^a", "n$"], "redact_all_types": True,
              "summary": "debug"},
    "odd-whole": {"allow_all_keys": True, "blocked_key_patterns": [".*"], "redact_all_types": True,
                  "hash_function": "md5", "summary": "debug"},
    "odd-texts-only": {"allow_all_keys": True, "blocked_key_patterns": [".*"], "hash_function": "md5"},
    "odd-values": {"allow_all_keys": True, "blocked_values": ["(?s).+"], "redact_all_types": True,
                   "hash_function": "sha3", "summary": "debug"},
    "odd-empty-match": {"allow_all_keys": True, "blocked_values": [""], "redact_all_types": True},
    "odd-boundaries": {"allow_all_keys": True, "blocked_values": [r"\b|e"], "redact_all_types": True},
    "odd-unicode": {"allow_all_keys": True, "blocked_values": [r"[^\x00-\x7F]"], "redact_all_types": True},
    "odd-syntax": {"allow_all_keys": True, "blocked_values": ["(?U)1+", r"\x{1F600}", r"\Q2.5", "(?m)^a|$"],
                   "redact_all_types": True},
    "odd-group-names": {"allow_all_keys": True, "blocked_values": ["(?P<a>4)", "(?P<a>1)", "(?<b>e)"]},
    "odd-all-at-once": {"allowed_keys": ["b", "m", "note"], "ignored_keys": ["m"], "ignored_key_patterns": ["^$"],
                        "allowed_values": ["^.{0,3}$"], "blocked_values": ["."], "redact_all_types": True,
                        "summary": "debug"},
    "too-large-together": {"allow_all_keys": True,
                           "blocked_values": [CARD, *(f"to{n}@[\\pL]{{1,60}}[0-9]{{0,60}}" for n in range(99))]},
}  # fmt: skip

FULL = {
    "note": "card 4111111111111111 of jane.doe@acme.com", "text": "two 4111111111111111 and 4222222222222",
    "id": 4111111111111111, "mail": "jane@example.com", "mail2": "it@acme.com", "n": 7, "share": 2.5, "flag": True,
    "empty": "", "list": ["a", 4111111111111111, True], "map": {"k": [1.5], "b": "jane@x.org"}, "nothing": None,
    "api_token": "s3cret", "safe.thing": "id", "first name": "ünïcode αβγ Card", "lines": "one\n\ntwo\n",
    "secret": "secret", "odd": "xx-x",
}  # fmt: skip

ODD = {
    "b": b"\x00\xff\xfe4111", "none": b"", "big": 1e21, "small": 1e-7, "d20": 1e20, "least": 5e-324, "f": 123456789.125,
    "max": 2**63 - 1, "dmax": 1.7976931348623157e308, "nan": float("nan"), "inf": float("inf"), "ninf": -float("inf"),
    "html": {"k": "<x>&", "u": "a\u2028b\u2029", "ctl": '\x01\x7f\x08\x0c\t"'}, "el": [], "em": {},
    "m": {"z": 1e21, "a": 1e-7, "f": 100000.0, "by": b"\x01", "no": None, "é": True}, "<": ["<a>"],
    "nl": [None, [b"x", {"q": []}]], "js": '{"a":"4111111111111111"}', "uni": "e\u0301\U0001f600 x", "": "empty key",
    "nul": "a\x00b",
}  # fmt: skip


def span_batch() -> SpanBatch:
    said = {
        "redaction.masked.keys": "z,a",
        "redaction.masked.count": 2,
        "redaction.ignored.count": 1,
        "note": FULL["note"],
    }
    wrong = {"redaction.masked.keys": 5, "redaction.masked.count": "x", "mail": "a@b", "note": "4111111111111111"}
    shop = {"service.name": "shop", "user": "jane@example.com", "n": 4111111111111111}
    header = scope("lib", "1", {"mail": "jane@example.com", "note": "x"})
    events = [{"name": "e", "attributes": FULL}, {"name": "f", "attributes": {}}, {"name": "g", "attributes": {"n": 1}}]
    return spans(
        [
            {"span_id": 1, "attributes": FULL, "resource": shop, "scope": header, "events": events},
            {"span_id": 2, "attributes": {}, "resource": shop, "scope": header},
            {"span_id": 3, "attributes": said, "resource": {}, "events": events[1:]},
            {"span_id": 4, "attributes": wrong, "resource": {"service.name": "other"}},
            {"span_id": 5, "attributes": {"note": "nothing here"}, "resource": shop},
            {"span_id": 6, "attributes": ODD, "resource": ODD, "events": [{"name": "e", "attributes": ODD}]},
        ]
    )


def log_batch() -> LogBatch:
    nested = {**FULL, "in": {"mail": "jane@example.com", "deeper": [{"api_token": "t"}, "jane@x.org", 5]}}
    bodies = [
        "card 4111111111111111",
        "",
        None,
        4111111111111111,
        True,
        2.5,
        nested,
        [FULL, "jane@x.org"],
        [],
        {},
        "it@acme.com",
        *ODD.values(),
        ODD,
        [ODD, [ODD]],
        {"a": {"": 1, "b": {"c": ODD}}},
    ]
    return logs(
        [
            {
                "severity_number": at % 24,
                "time_unix_nano": at + 1,
                "body": body,
                "attributes": {"note": "x", "mail": "a@b"},
            }
            for at, body in enumerate(bodies)
        ]
    )


def metric_batch() -> MetricBatch:
    return metrics(
        [{"name": "m", "attributes": FULL, "resource": {"user": "jane@x.org"}}, {"name": "n", "value_int": 1}]
    )


BATCHES: dict[Signal, Batch] = {Signal.TRACES: span_batch(), Signal.LOGS: log_batch(), Signal.METRICS: metric_batch()}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[Signal, Items]:
    cases = {name: {"redaction": options} for name, options in CASES.items()}
    folders = {signal: tmp_path_factory.mktemp(signal.value) for signal in Signal}
    return {
        Signal.TRACES: traces_through(cases, [span_batch()], folders[Signal.TRACES]),
        Signal.LOGS: logs_through(cases, [log_batch()], folders[Signal.LOGS]),
        Signal.METRICS: metrics_through(cases, [metric_batch()], folders[Signal.METRICS]),
    }


def ours(options: dict[str, Any], batch: Batch) -> list[dict[str, Any]]:
    settings = Settings(ComponentId("c"), Telemetry(), structlog.stdlib.get_logger(), Path("unused"))
    changed: Any = redaction.factory.create(redaction.Config(**options), settings).process(batch)  # type: ignore[union-attr]
    return list(items(changed.signal, encode_json(changed)))


def plain(found: Any) -> Any:
    """Attributes as maps, whatever their order; doubles as numbers: codecs differ in how they write both."""
    if isinstance(found, list):
        if all(isinstance(entry, dict) and set(entry) <= {"key", "value"} for entry in found) and any(found):
            return {entry.get("key", ""): plain(entry.get("value", {})) for entry in found}
        return [plain(entry) for entry in found]
    if isinstance(found, dict):
        return {
            key: float(value) if key == "doubleValue" else plain(value)
            for key, value in found.items()
            if value not in ({}, [], "") or key in ("stringValue", "value")
        }
    return found


def ordered(side: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(plain(item), sort_keys=True) for item in side)


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("name", CASES)
def test_the_same_is_removed_and_masked(name: str, signal: Signal, theirs: dict[Signal, Items]) -> None:
    assert ordered(ours(CASES[name], BATCHES[signal])) == ordered(theirs[signal][name])
