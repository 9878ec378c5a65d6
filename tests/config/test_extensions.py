"""The sections ``extensions`` and ``service.extensions``: checked as other components are, with advice for the rest.

Proves the checks. Does not prove that an extension runs: ``tests/service/test_extensions.py`` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector.component.base import ComponentId
from collector.config.json_schema import json_schema
from collector.config.plan import CollectorConfig
from collector.errors import ConfigError

Load = Callable[..., CollectorConfig]

BASE = """\
receivers: {otlp: {protocols: {http: }}}
processors: {pii: }
exporters: {debug: }
extensions: @
service:
  extensions: [@]
  pipelines: {traces: {receivers: [otlp], processors: [pii], exporters: [debug]}}
"""


def text(section: str, listed: str) -> str:
    return BASE.replace("@", section, 1).replace("@", listed)


def problems(load_text: Load, section: str, listed: str = "") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(text(section, listed))
    return list(caught.value.problems)


def test_what_is_listed_is_in_the_plan_in_that_order(load_text: Load) -> None:
    given = "{health_check: , health_check/b: {endpoint: 'localhost:1'}, health_check/c: }"
    config = load_text(text(given, "health_check/b, health_check"))
    assert list(config.extensions) == [ComponentId("health_check", "b"), ComponentId("health_check")]
    options: Any = config.extensions[ComponentId("health_check", "b")].config
    assert options.endpoint == "localhost:1"
    assert config.warnings == (
        "c.yaml:4: extensions.health_check/c: service.extensions does not list this extension: it is not started",
    )


def test_without_any_there_are_none(load_text: Load) -> None:
    config = load_text(text("", ""))
    assert (config.extensions, config.warnings) == ({}, ())


@pytest.mark.parametrize(
    ("section", "listed", "expected"),
    [
        (
            "{health_check: }",
            "helth_check",
            ("service.extensions[0]: 'helth_check' is not declared under 'extensions' (did you mean 'health_check'?)"),
        ),
        (
            "{health_check: }",
            "debug",
            ("service.extensions[0]: 'debug' is declared under 'exporters', not under 'extensions'"),
        ),
        (
            "{health_check: }",
            "health_check, health_check",
            ("service.extensions[1]: extension 'health_check' is listed twice"),
        ),
        (
            "{health_check: }",
            "a/",
            ("service.extensions[0]: 'a/' is not a component id: expected 'type' or 'type/name'"),
        ),
        (
            "{health_check: {endpont: x}}",
            "health_check",
            ("extensions.health_check.endpont: unknown key (did you mean 'endpoint'?)"),
        ),
        (
            "{nothing_like_it: }",
            "",
            ("extensions.nothing_like_it: unknown extension type 'nothing_like_it'; installed: health_check"),
        ),
        (
            "{opamp: }",
            "opamp",
            (
                "extensions.opamp: this extension of the Collector is not supported here: remote "
                "management is not supported"
            ),
        ),
        ("[health_check]", "", "extensions: must be a map of extensions, each under its id"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(load_text: Load, section: str, listed: str, expected: str) -> None:
    (problem,) = problems(load_text, section, listed)
    assert problem.partition(": ")[2] == expected


@pytest.mark.parametrize("name", ["zpages", "pprof", "file_storage", "healthcheckv2", "memory_limiter"])
def test_what_the_collector_has_and_is_not_needed_here_warns_once(load_text: Load, name: str) -> None:
    config = load_text(text(f"{{{name}: {{any: 1}}, {name}/2: }}", name))
    one, other = config.warnings
    assert one.startswith(f"c.yaml:4: extensions.{name}: this extension has no effect here: ")
    assert other.startswith(f"c.yaml:4: extensions.{name}/2: this extension has no effect here: ")
    assert config.extensions == {}


def test_a_probe_open_to_everybody_warns(load_text: Load) -> None:
    (warning,) = load_text(text("{health_check: {endpoint: '0.0.0.0:13133'}}", "health_check")).warnings
    assert "extensions.health_check.endpoint: listens on every network interface without TLS" in warning


def test_an_extension_in_a_pipeline_is_recognised(load_text: Load) -> None:
    given = text("{health_check: }", "health_check").replace("exporters: [debug]", "exporters: [health_check]")
    with pytest.raises(ConfigError) as caught:
        load_text(given)
    assert "'health_check' is declared under 'extensions', not under 'exporters'" in caught.value.problems[0]


def test_the_schema_knows_them(registry: Any) -> None:
    section = json_schema(registry)["properties"]["extensions"]["patternProperties"]
    assert section["^(health_check)(/.+)?$"]["anyOf"][0] == {"$ref": "#/$defs/extension.health_check"}
    assert any("zpages" in pattern and "health_check" not in pattern for pattern in section)


def test_what_its_type_says_is_secret_is_hidden(load_text: Load) -> None:
    config = load_text(text("{health_check: {key: hunter2}}", "health_check"))
    assert config.document["extensions"] == {"health_check": {"key": "[REDACTED]"}}
    assert config.document["service"]["extensions"] == ["health_check"]
