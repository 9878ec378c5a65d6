"""Shapes of objects: parameters of a request, metadata."""

from __future__ import annotations

from typing import Any

from collector.model.dialects.messages.blocks import parts
from collector.model.dialects.messages.span_content import Content


def members(value: Any, _system: Any, _content: Content) -> Any:
    """The members of an object; an empty text is how some emitters write one that was not given."""
    inner = parts.json_value(value)
    return {k: v for k, v in inner.items() if v != ""} or None if isinstance(inner, dict) else None


def semconv_parameters(_value: Any, system: Any, content: Content) -> Any:
    """``gen_ai.request.*``, the output type, and what OpenAI's own deprecated names say beyond them."""
    deprecated = dict(content.prefixed.get("gen_ai.openai.request.", {}))
    wanted = content.keys.get("gen_ai.output.type") or deprecated.pop("response_format", None)
    deprecated.pop("response_format", None)
    found = {**deprecated, "output_type": wanted, **content.prefixed.get("gen_ai.request.", {})}
    return request_parameters(found, system, content)


def request_parameters(fields: dict[str, Any], _system: Any, content: Content) -> Any:
    """The request's parameters, and what the AI SDK calls settings beside them."""
    found = {**content.prefixed.get("ai.settings.", {}), **fields}
    return {k: v for k, v in found.items() if v not in (None, "", []) and not k.startswith("context.")} or None


def genkit_config(value: Any, _system: Any, _content: Content) -> Any:
    inner = parts.json_value(value)
    config = inner.get("config") if isinstance(inner, dict) else None
    return config if isinstance(config, dict) and config else None


def metadata_object(value: Any, _system: Any, _content: Content) -> Any:
    """A JSON object; another value under the name ``metadata``, as Langfuse keeps it."""
    inner = parts.json_value(value)
    if isinstance(inner, dict):
        return inner
    return None if inner in (None, "", []) else {"metadata": inner}


def json_object(value: Any, _system: Any, _content: Content) -> Any:
    """The object the text is; nothing else is one."""
    inner = parts.json_value(value)
    return inner if isinstance(inner, dict) else None


def metadata_values(fields: dict[str, Any], _system: Any, _content: Content) -> Any:
    return {k: parts.json_container(v) for k, v in fields.items() if v not in (None, "")}


def langfuse_metadata(fields: dict[str, Any], _system: Any, content: Content) -> Any:
    """Values by SDK: JSON text of anything, or raw text beside JSON of containers."""
    return {k: _langfuse_value(v, json_text=content.json_metadata) for k, v in fields.items()}


def _langfuse_value(value: Any, *, json_text: bool) -> Any:
    if not isinstance(value, str):
        return value
    if json_text:
        return parts.any_json(value)
    return parts.json_value(value) if value[:1] == value[-1:] == '"' else parts.json_container(value)
