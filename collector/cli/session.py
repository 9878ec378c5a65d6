"""``spanloom session``: the chat of a session, each message once."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from collector.cli import cells
from collector.cli.asking import Stored, quoted
from collector.cli.options import DEFAULT_DATA_DIR, ConfigFiles, DataDir, Endpoint, Overrides
from collector.cli.output import errors_explained, note, print_json, print_line, styled
from collector.errors import PermanentError

_MOST_ROWS = 20_000
_LONG = 600
"""Characters of a text that are shown without ``--full``."""

_ROLE = 11


class Form(StrEnum):
    """How a session is printed."""

    TEXT = "text"
    JSON = "json"


def session(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Id of the session; its beginning, if no other has it.")],
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    endpoint: Endpoint = None,
    full: Annotated[bool, typer.Option("--full", help="Print long texts in full.")] = False,
    output: Annotated[Form, typer.Option(help="A text to read, or one JSON document.")] = Form.TEXT,
) -> None:
    """Read the chat of a stored session: who said what, each message once, tool calls with their results.

    Calls usually send the whole conversation again; messages that stood before are left out and counted. Asks the
    service that uses the data folder, or opens the store read-only when none runs.
    """
    from collector.offline.session_chat import COLUMNS, chat  # noqa: PLC0415 - only needed here

    with errors_explained():
        stored = Stored(config, overrides, data_dir, endpoint)
        found = _whole_id(stored, id_)
        columns = ", ".join(COLUMNS)
        sql = f"SELECT {columns} FROM observations WHERE session_id = {quoted(found)} ORDER BY start_unix_nano"  # noqa: S608 - quoted
        answer = stored.select(sql, _MOST_ROWS)
    rows = answer.objects
    turns = chat(rows)
    summary = _summary(found, rows)
    if output is Form.JSON:
        print_json({**summary, "turns": [_as_json(turn) for turn in turns]})
    else:
        _print(summary, turns, None if full else _LONG)
    if not turns:
        note("no content is stored of this session: the applications send none, or a processor drops it")
    if answer.truncated:
        note(f"only the first {_MOST_ROWS} spans were read", kind="warning")


def _whole_id(stored: Stored, text: str) -> str:
    """Raises ``PermanentError`` when no session, or more than one, is meant."""
    like = quoted(text)
    sql = (
        f"SELECT DISTINCT session_id, session_id = {like} AS whole FROM observations "  # noqa: S608 - quoted
        f"WHERE starts_with(session_id, {like}) ORDER BY whole DESC, session_id"
    )
    rows = stored.select(sql, 6).rows
    if not rows:
        hint = "; if the id holds an address or a number, a pseudonym is stored: spanloom pii pseudonym --session ID"
        raise PermanentError(f"no stored session has an id that begins with {text!r}{hint}")
    if len(rows) > 1 and not rows[0][1]:
        more = ", ..." if len(rows) > 5 else ""
        raise PermanentError(f"several sessions begin so: {', '.join(str(row[0]) for row in rows[:5])}{more}")
    return str(rows[0][0])


def _summary(session_id: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    costs = [Decimal(row["total_cost"]) for row in rows if row["total_cost"] is not None]
    tokens = [int(row["total_tokens"]) for row in rows if row["total_tokens"] is not None]
    return {
        "session_id": session_id,
        "user_ids": sorted({row["user_id"] for row in rows if row["user_id"]}),
        "start_time": min((row["start_time"] for row in rows if row["start_time"]), default=None),
        "trace_count": len({row["trace_id"] for row in rows}),
        "total_tokens": sum(tokens) if tokens else None,
        "total_cost": format(sum(costs, Decimal(0)), "f") if costs else None,
    }


def _as_json(turn: Any) -> dict[str, Any]:
    row = turn.row
    facts = ("trace_id", "span_id", "type", "name", "start_time", "duration_ns", "model", "agent_name", "level")
    money = ("total_tokens", "total_cost", "status_message", "error_type")
    messages = [{"role": m.role, "is_answer": m.is_answer, "parts": list(m.parts)} for m in turn.messages]
    return {**{name: row[name] for name in (*facts, *money)}, "folded": turn.folded, "messages": messages}


def _print(summary: Mapping[str, Any], turns: Sequence[Any], longest: int | None) -> None:
    facts = [
        f"{summary['trace_count']} trace{'s' * (summary['trace_count'] != 1)}",
        "" if summary["total_tokens"] is None else f"{summary['total_tokens']:,} tokens",
        cells.plain_dollars(summary["total_cost"]),
        *(f"user {cells.on_one_line(user)}" for user in summary["user_ids"]),
    ]
    print_line(f"session {cells.on_one_line(summary['session_id'])}  ({', '.join(filter(None, facts))})")
    width = min(shutil.get_terminal_size().columns, 120) if sys.stdout.isatty() else None
    for turn in turns:
        row = turn.row
        said = [
            cells.clock_of(row["start_time"]),
            cells.on_one_line(row["model"] or row["name"]),
            cells.on_one_line(row["agent_name"] or ""),
            cells.plain_duration(None if row["duration_ns"] is None else int(row["duration_ns"])),
            "" if row["total_tokens"] is None else f"{int(row['total_tokens']):,} tokens",
            cells.plain_dollars(row["total_cost"]),
            f"trace {row['trace_id'][:8]}",
        ]
        print_line("\n" + styled(f"-- {', '.join(filter(None, said))}", "dim"))
        if turn.folded:
            print_line(styled(f"   ({turn.folded} earlier message{'s' * (turn.folded != 1)} sent again)", "dim"))
        for message in turn.messages:
            _print_message(message, longest, width)
        if row["level"] == "ERROR":
            print_line(f"{'failed':{_ROLE}}{cells.harmless(row['status_message'] or row['error_type'] or '')}")


def _print_message(message: Any, longest: int | None, width: int | None) -> None:
    label = styled(f"{cells.on_one_line(message.role):{_ROLE}}", "bold")
    for line in _lines(message, longest, width):
        print_line(f"{label}{line}".rstrip())
        label = " " * _ROLE


def _lines(message: Any, longest: int | None, width: int | None) -> Iterator[str]:
    for part in message.parts or ({"type": "text", "content": ""},):
        for line in cells.harmless(_part_text(part, longest)).split("\n"):
            yield from (
                (textwrap.wrap(line, max(20, width - _ROLE), break_on_hyphens=False) or [""]) if width else [line]
            )


def _part_text(part: Mapping[str, Any], longest: int | None) -> str:
    kind = part.get("type")
    if kind == "text":
        return _shortened(part.get("content"), longest)
    if kind in {"reasoning", "thinking"}:
        return f"(thinks) {_shortened(part.get('content'), longest)}"
    if kind == "tool_call":
        arguments = part.get("arguments")
        called = f"calls {part.get('name')}({'' if arguments is None else _shortened(arguments, longest)})"
        return f"{called}\n-> {_shortened(part['result'], longest)}" if "result" in part else called
    if kind == "tool_call_response":
        return f"-> {_shortened(part.get('response', part.get('result')), longest)}"
    rest = {key: value for key, value in part.items() if key != "type"}
    return f"({kind or 'part'}) {_shortened(rest, longest)}"


def _shortened(value: Any, longest: int | None) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    if longest is None or len(text) <= longest:
        return text
    return f"{text[:longest]}{cells.CUT} ({len(text) - longest:,} more characters: --full)"
