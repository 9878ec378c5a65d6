"""The chat of a session from its calls: what each call says anew, and no message twice.

Most applications send the whole conversation with every call. A message of a call's input is folded where the
conversation has it already, in the same order. What a call is asked last, after its latest answer, is new unless
another call of the same trace was asked the same: a person may say "yes" twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]

COLUMNS = (
    "trace_id", "span_id", "parent_span_id", "type", "name", "start_time", "start_unix_nano", "duration_ns", "level",
    "status_message", "error_type", "model", "agent_name", "tool_call_id", "usage_scope", "total_tokens", "total_cost",
    "user_id", "input", "output",
)  # fmt: skip
"""What is read of ``observations``."""

_ASSISTANT = ("assistant", "model", "ai")


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a turn."""

    role: str
    parts: tuple[Mapping[str, Any], ...]
    """As they are stored: ``text``, ``tool_call``, ``tool_call_response``, ... A tool call has its ``result``, where
    one is known."""
    is_answer: bool
    """The call gave it, and was not sent it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One call, with what it adds to the conversation."""

    row: Row
    folded: int
    """Messages of its input that stood before."""
    messages: tuple[Said, ...]


@dataclass(slots=True)
class _History:
    """What was said so far, in the order it was first said."""

    keys: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)

    def find(self, key: str, start: int, trace: str | None) -> int | None:
        """Where a message stands from ``start`` on; ``trace``: only one that was said in it."""
        for at in range(start, len(self.keys)):
            if self.keys[at] == key and trace in {None, self.traces[at]}:
                return at
        return None

    def add(self, key: str, trace: str) -> None:
        self.keys.append(key)
        self.traces.append(trace)


def chat(rows: Iterable[Row]) -> list[Turn]:
    """The turns of a session in the order of their start; empty when nothing of what was said is stored.

    Turns are the model calls, each once; where no call has content, what went into and came out of each trace.
    """
    ordered = sorted(rows, key=lambda row: (int(row["start_unix_nano"]), row["span_id"]))
    calls = [row for row in ordered if row["type"] == "generation" and row["usage_scope"] in {None, "counted"}]
    if not any(row["input"] or row["output"] for row in calls):
        calls = [row for row in ordered if row["parent_span_id"] is None]
    results = _results(ordered)
    history = _History()
    turns = [_turn(row, history, results) for row in calls if row["input"] or row["output"]]
    return [turn for turn in turns if turn.messages or turn.row["level"] == "ERROR"]


def _results(rows: Sequence[Row]) -> dict[str, Any]:
    """Tool call id → what the tool said, from messages and from the spans of tools."""
    found: dict[str, Any] = {}
    for row in rows:
        for message in messages_of(row["input"], "user"):
            for part in message["parts"]:
                if part.get("type") == "tool_call_response" and part.get("id"):
                    found.setdefault(part["id"], part.get("response", part.get("result")))
    for row in rows:
        if row["type"] == "tool" and row["tool_call_id"] and row["output"] is not None:
            found.setdefault(row["tool_call_id"], row["output"])
    return found


def _turn(row: Row, history: _History, results: Mapping[str, Any]) -> Turn:
    sent = messages_of(row["input"], "user")
    asked_from = 1 + max((at for at, message in enumerate(sent) if message["role"] in _ASSISTANT), default=-1)
    shown, folded, at = [], 0, 0
    for number, message in enumerate(sent):
        key = _key(message)
        is_asked = number >= asked_from and message["role"] != "system"
        found = history.find(key, at, row["trace_id"] if is_asked else None)
        if found is not None:
            folded, at = folded + 1, found + 1
            continue
        history.add(key, row["trace_id"])
        at = len(history.keys)
        if said := _said(message, results, is_answer=False):
            shown.append(said)
    for message in messages_of(row["output"], "assistant"):
        history.add(_key(message), row["trace_id"])
        if said := _said(message, results, is_answer=True):
            shown.append(said)
    return Turn(row, folded, tuple(shown))


def _said(message: Mapping[str, Any], results: Mapping[str, Any], *, is_answer: bool) -> Said | None:
    """The message with tool calls joined to their results; none when it holds nothing but such results."""
    parts: list[Mapping[str, Any]] = []
    for part in message["parts"]:
        if part.get("type") == "tool_call" and part.get("id") in results:
            parts.append({**part, "result": results[part["id"]]})
        elif part.get("type") != "tool_call_response" or part.get("id") not in results:
            parts.append(part)
    return Said(message["role"], tuple(parts), is_answer) if parts or not message["parts"] else None


def messages_of(text: str | None, role: str) -> list[dict[str, Any]]:
    """The messages of a stored ``input`` or ``output``; other text is one message of that role."""
    if not text:
        return []
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, list) and found and all(_is_message(message) for message in found):
        return [
            {"role": str(m.get("role", role)), "parts": [p for p in m["parts"] if isinstance(p, dict)]} for m in found
        ]
    return [{"role": role, "parts": [{"type": "text", "content": found if isinstance(found, str) else text}]}]


def _is_message(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("parts"), list)


def _key(message: Mapping[str, Any]) -> str:
    """What makes two messages the same one; how an answer ended and was thought about is not sent again."""
    role = "assistant" if message["role"] in _ASSISTANT else message["role"]
    parts = [_part_key(part) for part in message["parts"] if part.get("type") not in {"reasoning", "thinking"}]
    return json.dumps([role, parts], sort_keys=True, ensure_ascii=False)


def _part_key(part: Mapping[str, Any]) -> Any:
    kind = part.get("type")
    if kind == "tool_call" and part.get("id"):
        return [kind, part["id"]]
    if kind == "tool_call_response" and part.get("id"):
        return [kind, part["id"]]
    if kind == "text":
        return [kind, str(part.get("content", "")).strip()]
    return part
