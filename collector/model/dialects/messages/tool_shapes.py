"""Shapes of tool definitions: any provider's form as ``{type, name, description?, parameters?}``."""

from __future__ import annotations

from typing import Any

from collector.model.dialects.messages import chat, langfuse
from collector.model.dialects.messages.blocks import parts
from collector.model.dialects.messages.span_content import Content


def tool_definitions(value: Any, _system: Any, _content: Content) -> Any:
    """Tool definitions in any provider's form, as ``{type, name, description?, parameters?}``."""
    inner = parts.json_value(value)
    if isinstance(inner, dict):
        inner = [inner] if "name" in inner or "function" in inner else list(inner.values())
    if not isinstance(inner, list):
        return inner or None
    return [_definition(tool) for entry in inner if entry for tool in _declared(parts.json_value(entry))] or None


def _declared(tool: Any) -> list[Any]:
    """The functions of one entry: Gemini's holds several."""
    if isinstance(tool, dict):
        for member in ("function_declarations", "functionDeclarations"):
            if isinstance(tool.get(member), list) and tool[member]:
                return list(tool[member])
    return [tool]


def openinference_tools(entries: list[Any], system: Any, content: Content) -> Any:
    found = [e.get("tool", e) if isinstance(e, dict) else e for e in entries]
    return tool_definitions([f.get("json_schema", f) if isinstance(f, dict) else f for f in found], system, content)


def request_tools(value: Any, system: Any, content: Content) -> Any:
    inner = parts.json_container(value)
    tools = chat.tools_in(inner) or langfuse.definitions(inner)
    return tool_definitions(tools, system, content) if isinstance(tools, list) else None


def pydantic_tools(value: Any, system: Any, content: Content) -> Any:
    inner = parts.json_value(value)
    return tool_definitions(inner.get("function_tools"), system, content) if isinstance(inner, dict) else None


def _definition(tool: Any) -> Any:
    if not isinstance(tool, dict):
        return tool
    if isinstance(tool.get("toolSpec"), dict) and "name" not in tool:  # Bedrock
        tool = tool["toolSpec"]
    inner = tool.get("function") if isinstance(tool.get("function"), dict) else tool
    assert isinstance(inner, dict)
    if not inner.get("name"):
        return tool
    out = {"type": tool.get("type") or "function", "name": inner["name"]}
    schema_members = ("parameters", "input_schema", "inputSchema", "parameters_json_schema")
    parameters = next((inner[m] for m in schema_members if inner.get(m)), None)
    if inner.get("description"):
        out["description"] = inner["description"]
    if parameters is not None:
        parameters = parts.json_value(parameters)
        wrapped = isinstance(parameters, dict) and parameters.keys() == {"json"}  # Bedrock
        out["parameters"] = parameters["json"] if wrapped else parameters
    known = {"type", "name", "description", "function", *schema_members}
    return {**out, **{k: v for k, v in {**tool, **inner}.items() if k not in known and v is not None}}
