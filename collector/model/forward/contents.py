"""The content of decided rows, taken out of its stored texts once for whatever target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from collector.model.dialects.messages.parts import Message
from collector.model.fast_json import loads
from collector.model.forward.scalars import Facts

_COLUMNS = ("type", "subtype", "input", "output", "tool_definitions")
_MESSAGES = '[{"role":'
_JSON = ("{", "[")


@dataclass(frozen=True)
class Value:
    """One input or output: canonical messages, another JSON value, or plain text."""

    text: str

    @cached_property
    def messages(self) -> list[Message] | None:
        """The canonical messages; None when it is something else."""
        value = self.json if self.text.startswith(_MESSAGES) else None
        if isinstance(value, list) and all(isinstance(m, dict) and isinstance(m.get("parts"), list) for m in value):
            return value
        return None

    @cached_property
    def json(self) -> Any:
        """The object or list the text is JSON of; else None."""
        if not self.text.startswith(_JSON):
            return None
        try:
            return loads(self.text)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class RowContent:
    """What one row holds, apart from its facts."""

    number: int
    type: str
    subtype: str | None
    input: Value | None
    output: Value | None
    tools: list[Any] | None
    """Tool definitions in the canonical form."""


def rows(facts: Facts) -> Iterator[RowContent]:
    """The rows that hold any content."""
    columns = [facts.column(name).to_pylist() for name in _COLUMNS]
    for number, (kind, subtype, sent, answered, tools) in enumerate(zip(*columns, strict=True)):
        if sent is None and answered is None and tools is None:
            continue
        definitions = Value(tools).json if tools is not None else None
        yield RowContent(
            number,
            kind,
            subtype,
            None if sent is None else Value(sent),
            None if answered is None else Value(answered),
            definitions if isinstance(definitions, list) else None,
        )


def function_tool(definition: Any) -> Any:
    """A tool definition as OpenAI's API takes it, the form most backends know; others unchanged."""
    if not isinstance(definition, dict) or definition.get("type") != "function" or "name" not in definition:
        return definition
    return {"type": "function", "function": {k: v for k, v in definition.items() if k != "type"}}
