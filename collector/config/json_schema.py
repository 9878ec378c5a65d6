"""JSON Schema of a whole configuration, from the ``Config`` of every installed component.

For editors: ``# yaml-language-server: $schema=...`` in the first line of a file. The schema is looser
than ``spanloom validate`` where a ``${...}`` may stand for a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from collector.component.base import ComponentConfig, Kind
from collector.component.registry import ALIASES, Registry
from collector.config.engine_processors import ENGINE_PROCESSORS
from collector.config.service_config import ServiceConfig
from collector.config.validation import collector_options
from collector.errors import ConfigError
from collector.options.durations import format_duration

_REFERENCE = {"$ref": "#/$defs/reference"}
_REFERENCE_DEFINITION = {
    "description": "A value from elsewhere: ${env:X}, ${env:X:-default}, ${file:PATH}.",
    "type": "string",
    "pattern": r"\$\{.+\}",
}
_TITLES = {
    "receivers": "Where data comes in, by id (type or type/name).",
    "processors": "What changes or drops data, by id.",
    "exporters": "Where data goes, by id.",
    "connectors": "Exporters of one pipeline that are receivers of another, by id.",
    "extensions": "What runs beside the pipelines, by id; service.extensions lists what is started.",
    "service": "Pipelines and settings of the service itself.",
}


def json_schema(registry: Registry | None = None) -> dict[str, Any]:
    """The schema with one definition per component type. Components that cannot be loaded are left out."""
    registry = registry or Registry()
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for kind in Kind:
        section = {}
        for type_, model in sorted(_models(registry, kind)):
            name = f"{kind.value}.{type_}"
            definitions |= _definitions(model, name)
            names = [type_, *(alias for alias, target in ALIASES.get(kind, {}).items() if target == type_)]
            section[f"^({'|'.join(names)})(/.+)?$"] = _nullable(name)
        if kind is Kind.EXTENSION:
            known = [name for name in collector_options()["extensions"]["warn"] if name not in registry.names(kind)]
            section[f"^({'|'.join(known)})(/.+)?$"] = {"description": "Accepted, without effect."}
        properties[f"{kind}s"] = _section(f"{kind}s", section)
    definitions |= {**_definitions(ServiceConfig, "service"), "reference": _REFERENCE_DEFINITION}
    properties["service"] = {"$ref": "#/$defs/service", "description": _TITLES["service"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Spanloom configuration",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
    }


def _models(registry: Registry, kind: Kind) -> Iterator[tuple[str, type[ComponentConfig]]]:
    names = registry.names(kind)
    for name in names:
        try:
            yield name, registry.get(kind, name).config
        except ConfigError:
            continue
    if kind is Kind.PROCESSOR:
        yield from ((name, model) for name, model in ENGINE_PROCESSORS.items() if name not in names)


def _section(name: str, patterns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": ["object", "null"],
        "description": _TITLES[name],
        "patternProperties": dict(patterns),
        "additionalProperties": False,
    }


def _nullable(name: str) -> dict[str, Any]:
    return {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}, _REFERENCE]}


def _definitions(model: type[ComponentConfig], name: str) -> dict[str, Any]:
    """The model and its parts, each under a name that no other component uses."""
    schema = model.model_json_schema(mode="validation")
    parts = schema.pop("$defs", {})
    found = {f"{name}.{part}": _adapted(inner, name) for part, inner in parts.items()}
    return {name: _adapted(schema, name), **found}


def _adapted(schema: Any, name: str) -> Any:
    """A pydantic schema with references renamed, and ``${...}`` and empty sections allowed."""
    if isinstance(schema, list):
        return [_adapted(item, name) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = f"{name}.{schema['$ref'].rpartition('/')[2]}"
        rest = {key: value for key, value in schema.items() if key not in ("$ref", "default")}
        return {**rest, **_nullable(target)}
    adapted = {key: _adapted_part(key, part, name) for key, part in schema.items() if key not in _LEFT_OUT}
    return _or_reference(adapted)


def _with_default(adapted: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Durations as a configuration writes them: pydantic gives their defaults in ISO 8601, which nobody may write."""
    kinds = [schema, *schema.get("anyOf", ())]
    default = schema.get("default")
    if isinstance(default, str) and any(kind.get("format") == "duration" for kind in kinds):
        return adapted | {"default": format_duration(_TIMEDELTA.validate_python(default))}
    return adapted


_TIMEDELTA = TypeAdapter(timedelta)
_LEFT_OUT = {"title", "discriminator"}
_NAMES = {"properties", "patternProperties"}
"""Under these keys stand names of the user's making, and under those the schemas."""
_VALUES = {"default", "examples", "enum", "const", "required"}
"""Under these keys stand values, not schemas."""
_OUTSIDE = ("description", "default", "examples")


def _adapted_part(key: str, part: Any, name: str) -> Any:
    if key in _NAMES:
        return {inner: _with_default(_adapted(value, name), value) for inner, value in part.items()}
    return part if key in _VALUES else _adapted(part, name)


def _or_reference(schema: dict[str, Any]) -> dict[str, Any]:
    """Allows ``${env:X}`` where something other than free text is wanted."""
    kind = schema.get("type")
    is_free_text = kind == "string" and not ({"enum", "pattern", "format", "const"} & schema.keys())
    is_scalar = kind in ("integer", "number", "boolean", "string") or "enum" in schema or "const" in schema
    if is_free_text or not is_scalar:
        return schema
    outside: dict[str, Any] = {key: schema[key] for key in _OUTSIDE if key in schema}
    inside = {key: value for key, value in schema.items() if key not in _OUTSIDE}
    return outside | {"anyOf": [inside, dict(_REFERENCE)]}
