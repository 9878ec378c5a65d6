"""Who sent a span: scope and resource headers, read once per distinct one."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from collector.model.attributes import parse_resource, parse_scope
from collector.model.dialects.compiled_tables import compiled
from collector.model.dialects.conditions import Origin
from collector.model.dialects.kept import kept
from collector.model.json_values import scalar_text


@functools.lru_cache(maxsize=2_048)
def read_scope(header: bytes) -> tuple[str, str]:
    """Name and version of an instrumentation scope."""
    scope = parse_scope(header).scope
    return scope.name, scope.version


@kept(2_048)
def read_resource(header: bytes) -> dict[str, str]:
    """The scalar attributes of a resource that the tables, or contexts, ask for, as texts."""
    wanted = compiled().resource_keys | {"service.name", "telemetry.sdk.language", "telemetry.sdk.name"}
    found = {}
    for attribute in parse_resource(header).resource.attributes:
        kind = attribute.value.WhichOneof("value")
        if attribute.key in wanted and kind in {"string_value", "int_value", "double_value", "bool_value"}:
            text = scalar_text(getattr(attribute.value, kind))
            if text:
                found[attribute.key] = text
    return found


def origin(scope: tuple[str, str], resource: Mapping[str, str]) -> Origin:
    """What conditions may ask about the sender."""
    language, sdk = resource.get("telemetry.sdk.language", ""), resource.get("telemetry.sdk.name", "")
    return Origin(*scope, language, sdk)
