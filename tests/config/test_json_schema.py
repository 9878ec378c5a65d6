"""The JSON Schema, and the files people can run.

Proves that schema and checker agree on the files we ship, on samples, and on every option's name. Does not prove that
they agree on every file: rules across keys are the checker's alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from collector.component.registry import Registry
from collector.config.json_schema import json_schema
from collector.config.load import DEFAULT_YAML, load
from collector.options.durations import parse_duration

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "config").glob("*.yaml"))
ENVIRON = {
    "LANGFUSE_PUBLIC_KEY": "pk-lf-1",
    "LANGFUSE_SECRET_KEY": "sk-lf-1",
    "LANGFUSE_AUTH": "cGstbGYtMTpzay1sZi0x",
    "PHOENIX_ENDPOINT": "http://localhost:6006",
    "BACKEND_A_ENDPOINT": "https://a.example.com",
    "BACKEND_B_ENDPOINT": "b.example.com:4317",
    "BACKEND_A_TOKEN": "token-a",
    "BACKEND_B_TOKEN": "token-b",
}


def yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def errors(schema: dict[str, Any], document: Any) -> list[str]:
    jsonschema.Draft202012Validator.check_schema(schema)
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(document)]


def test_the_schema_accepts_what_the_checker_accepts(registry: Registry) -> None:
    schema = json_schema(registry)
    assert errors(schema, yaml(DEFAULT_YAML)) == []
    text = """
    receivers: {otlp: {protocols: {grpc: , http: {max_recv_msg_size_mib: "${env:N}"}}}}
    processors: {pii/2: , batch: {timeout: 1s}, tail_sampling: {policies: [{type: latency, name: a, threshold_ms: 1}]}}
    exporters: {otlphttp/x: {endpoint: a, compression: "${env:C:-gzip}"}, debug: "${file:debug.yaml}"}
    extensions: {health_check: }
    service: {pipelines: {traces/a: {receivers: [otlp], exporters: [debug]}}, shutdown_timeout: 5s}
    """
    assert errors(schema, yaml(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "procesors: {}",
        "exporters: {redis: {}}",
        "exporters: {otlp_http: {endpont: a}}",
        "exporters: {otlp_http: {endpoint: a, compression: brotli}}",
        "receivers: {otlp: {protocols: {http: {max_recv_msg_size_mib: many}}}}",
        "processors: {tail_sampling: {policies: [{type: latency, name: a}]}}",
        "processors: {tail_sampling: {policies: []}}",
        "service: {workers: 1}",
    ],
)
def test_the_schema_refuses_what_the_checker_refuses(registry: Registry, text: str) -> None:
    assert errors(json_schema(registry), yaml(text))


def test_the_schema_describes_every_option(registry: Registry) -> None:
    schema = json_schema(registry)
    exporter = schema["$defs"]["exporter.otlp_http"]["properties"]
    assert exporter["endpoint"]["description"] == "Where to."
    undescribed = [
        f"{name}.{key}"
        for name, definition in schema["$defs"].items()
        for key, option in definition.get("properties", {}).items()
        if not option.get("description")
    ]
    assert undescribed == []


def test_the_shipped_schema_is_the_one_the_types_generate() -> None:
    shipped = json.loads((ROOT / "config" / "schema.json").read_text(encoding="utf-8"))
    assert shipped == json_schema(), "run: spanloom schema > config/schema.json"


def test_a_duration_an_editor_fills_in_is_one_the_checker_takes() -> None:
    defaults = list(_duration_defaults(json_schema()))
    assert timedelta(minutes=5) in [parse_duration(default) for default in defaults]


def _duration_defaults(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "default" in schema and '"duration"' in json.dumps(schema) and isinstance(schema["default"], str):
            yield schema["default"]
        for inner in schema.values():
            yield from _duration_defaults(inner)


def test_there_are_files_to_run() -> None:
    assert {path.stem for path in FILES} >= {
        "laptop",
        "forward-to-langfuse",
        "forward-to-two-backends",
        "sample-and-lake",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_shipped_file_is_valid_and_says_nothing_in_vain(path: Path, tmp_path: Path) -> None:
    config = load([path], environ=ENVIRON, data_dir=tmp_path)
    assert config.warnings == ()
    assert errors(json_schema(), yaml(path.read_text(encoding="utf-8"))) == []
    for secret in ("sk-lf-1", "cGstbGYtMTpzay1sZi0x", "token-a", "token-b"):
        assert secret not in json.dumps(config.document)


def test_the_laptop_file_is_the_embedded_default(tmp_path: Path) -> None:
    laptop = load([ROOT / "config" / "laptop.yaml"], environ={}, data_dir=tmp_path)
    default = load((), environ={}, data_dir=tmp_path)
    assert (laptop.pipelines, laptop.service) == (default.pipelines, default.service)
    for kind in ("receivers", "processors", "exporters"):
        assert getattr(laptop, kind) == getattr(default, kind)
