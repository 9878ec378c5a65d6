"""The same options and the same spans through the Collector and through Spanloom give the same attributes.

Proves equality on the cases listed, for spans and for resources. Does not prove it for logs and metrics, nor for
options that are refused here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import structlog

from collector.component.base import ComponentId, Settings
from collector.model.batch import SpanBatch
from collector.model.codec.chosen import encode_json
from collector.telemetry import Telemetry
from collector.testing.builders import spans
from processors import attributes, resource
from tests.differential.otelcol import traces_through


def action(kind: str, key: str = "", **options: Any) -> dict[str, Any]:
    return {"action": kind, **({"key": key} if key else {}), **options}


ACTIONS: dict[str, list[dict[str, Any]]] = {
    "insert": [action("insert", "text", value="new"), action("insert", "fresh", value=7)],
    "update": [action("update", "text", value="new"), action("update", "fresh", value=7)],
    "upsert": [action("upsert", "text", value=1.5), action("upsert", "fresh", value=True)],
    "upsert-from": [action("upsert", "copy", from_attribute="number"), action("upsert", "none", from_attribute="no")],
    "insert-from-list": [action("insert", "copy", from_attribute="list")],
    "delete": [action("delete", "text"), action("delete", "no")],
    "delete-pattern": [action("delete", pattern="^(te|nu)"), action("delete", "list", pattern="flag$")],
    "hash": [action("hash", key) for key in ("text", "number", "share", "flag", "empty", "list", "map", "odd")],
    "hash-pattern": [action("hash", pattern="t$")],
    "extract": [action("extract", "url", pattern=r"^(?P<scheme>\w+)://(?P<host>[^/?]+)(?P<query>\?.*)?")],
    "extract-over": [action("extract", "url", pattern="://(?P<text>[a-z]+)"), action("delete", "url")],
    "convert-int": [action("convert", key, converted_type="int") for key in ("text", "digits", "share", "flag", "odd")],
    "convert-double": [
        action("convert", key, converted_type="double") for key in ("text", "digits", "number", "flag", "odd")
    ],
    "convert-string": [
        action("convert", key, converted_type="string")
        for key in ("number", "share", "flag", "list", "map", "large", "tiny", "whole")
    ],
    "in-order": [
        action("insert", "a", value="x"), action("upsert", "b", from_attribute="a"), action("delete", "a"),
        action("hash", "b"), action("update", "a", value="never"),
    ],
}  # fmt: skip

CHANGE = [action("upsert", "met", value=True)]
MATCHES: dict[str, dict[str, Any]] = {
    "include-name": {"include": {"match_type": "strict", "span_names": ["chat", "embed"]}},
    "exclude-name": {"exclude": {"match_type": "regexp", "span_names": ["^ch"]}},
    "include-service": {"include": {"match_type": "strict", "services": ["shop"]}},
    "include-service-expression": {"include": {"match_type": "regexp", "services": ["s.*p$"]}},
    "include-kind": {"include": {"match_type": "strict", "span_kinds": ["SPAN_KIND_CLIENT"]}},
    "include-library": {"include": {"match_type": "strict", "libraries": [{"name": "lib", "version": "1"}]}},
    "include-any-version": {"include": {"match_type": "regexp", "libraries": [{"name": "^li"}]}},
    "include-value": {"include": {"match_type": "strict", "attributes": [{"key": "number", "value": 5}]}},
    "include-other-type": {"include": {"match_type": "strict", "attributes": [{"key": "number", "value": "5"}]}},
    "include-there": {"include": {"match_type": "strict", "attributes": [{"key": "list"}, {"key": "flag"}]}},
    "include-expression": {"include": {"match_type": "regexp", "attributes": [{"key": "number", "value": "^[56]$"}]}},
    "exclude-resource": {"exclude": {"match_type": "strict", "resources": [{"key": "zone", "value": "eu"}]}},
    "both": {
        "include": {"match_type": "regexp", "span_names": [".*"]},
        "exclude": {"match_type": "strict", "span_names": ["chat"], "attributes": [{"key": "flag", "value": True}]},
    },
}


def batch() -> SpanBatch:
    full = {
        "text": "a text, ünïcode", "number": 5, "share": 2.5, "flag": True, "empty": "", "list": ["a", 1, True],
        "map": {"k": [1.5], "b": "x"}, "odd": " 7", "digits": "-42", "large": 1e25, "tiny": 1.5e-9, "whole": 3.0,
        "url": "https://example.com?x=1",
    }  # fmt: skip
    shop, other = {"service.name": "shop", "zone": "eu", "n": 1}, {"zone": "us"}
    return spans(
        [
            {"span_id": 1, "span_name": "chat", "attributes": full, "resource": shop, "scope": ("lib", "1"), "kind": 3},
            {"span_id": 2, "span_name": "chat", "attributes": {}, "resource": shop, "scope": ("lib", "2"), "kind": 2},
            {"span_id": 3, "span_name": "embed", "attributes": {**full, "number": -6, "flag": False, "share": -0.75,
             "url": "ftp://nowhere", "digits": "9223372036854775808", "odd": "1e3"}, "resource": other, "scope": "x"},
            {"span_id": 4, "span_name": "", "attributes": {"text": "only", "number": 6, "url": 5, "list": []},
             "resource": {}, "scope": ("lib", "1")},
        ]
    )  # fmt: skip


def plain(key_values: list[dict[str, Any]]) -> dict[str, Any]:
    return {entry["key"]: _value(entry.get("value", {})) for entry in key_values}


def _value(value: dict[str, Any]) -> Any:
    """As JSON, with whole doubles and their texts alike: codecs differ in how they write them."""
    if "doubleValue" in value:
        return ("double", float(value["doubleValue"]))
    if "intValue" in value:
        return ("int", int(value["intValue"]))
    if "arrayValue" in value:
        return [_value(entry) for entry in value["arrayValue"].get("values", [])]
    if "kvlistValue" in value:
        return plain(value["kvlistValue"].get("values", []))
    return value


def ours(factory: Any, options: dict[str, Any]) -> list[dict[str, Any]]:
    settings = Settings(ComponentId("c"), Telemetry(), structlog.stdlib.get_logger(), Path("unused"))
    changed = factory.create(factory.config(**options), settings).process(batch())
    return [
        {**span, "resource": group.get("resource", {})}
        for group in json.loads(encode_json(changed))["resourceSpans"]
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    ]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    cases: dict[str, dict[str, Any]] = {}
    for name, actions in ACTIONS.items():
        cases[f"a-{name}"] = {"attributes": {"actions": actions}}
    for name, match in MATCHES.items():
        cases[f"m-{name}"] = {"attributes": {**match, "actions": CHANGE}}
    for name, actions in RESOURCE.items():
        cases[f"r-{name}"] = {"resource": {"attributes": actions}}
    return traces_through(cases, [batch()], tmp_path_factory.mktemp("otelcol"))


RESOURCE = {
    "upsert": [action("upsert", "zone", value="all"), action("insert", "service.name", value="unnamed")],
    "delete": [action("delete", "zone"), action("delete", pattern="^service")],
    "hash": [action("hash", "zone"), action("convert", "n", converted_type="string")],
    "from": [action("insert", "copy", from_attribute="service.name")],
}


def attributes_of(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {span["spanId"]: plain(span.get("attributes", [])) for span in found}


@pytest.mark.parametrize("name", ACTIONS)
def test_actions_do_the_same(name: str, theirs: dict[str, list[dict[str, Any]]]) -> None:
    assert attributes_of(ours(attributes.factory, {"actions": ACTIONS[name]})) == attributes_of(theirs[f"a-{name}"])


@pytest.mark.parametrize("name", MATCHES)
def test_the_same_spans_are_meant(name: str, theirs: dict[str, list[dict[str, Any]]]) -> None:
    found = attributes_of(ours(attributes.factory, {**MATCHES[name], "actions": CHANGE}))
    assert found == attributes_of(theirs[f"m-{name}"])
    assert 0 < sum("met" in values for values in found.values()) < len(found) or name == "include-other-type"


@pytest.mark.parametrize("name", RESOURCE)
def test_resources_change_in_the_same_way(name: str, theirs: dict[str, list[dict[str, Any]]]) -> None:
    found, expected = (
        {span["spanId"]: plain(span["resource"].get("attributes", [])) for span in side}
        for side in (ours(resource.factory, {"attributes": RESOURCE[name]}), theirs[f"r-{name}"])
    )
    assert found == expected
