"""``spanloom trace``: one trace as a tree, with times, tokens, cost and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from collector.cli import cells
from collector.cli.asking import Stored, quoted
from collector.cli.options import DEFAULT_DATA_DIR, ConfigFiles, DataDir, Endpoint, Overrides
from collector.cli.output import Output, errors_explained, note, print_json, print_line, print_table
from collector.errors import ConfigError, PermanentError

_MOST_ROWS = 20_000
_DIGITS = frozenset("0123456789abcdef")
_HEADS = ("name", "type", "start", "duration", "tokens", "cost", "model", "error")


class Form(StrEnum):
    """How a trace is printed."""

    TABLE = "table"
    JSON = "json"


def trace(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Id of the trace; its first digits, if no other has them.")],
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    endpoint: Endpoint = None,
    output: Annotated[Form, typer.Option(help="A tree, or one JSON document.")] = Form.TABLE,
) -> None:
    """Show a stored trace as a tree: what ran when and for how long, its tokens, its cost and what failed.

    Asks the service that uses the data folder, or opens the store read-only when none runs. Tokens and costs stand on
    the calls that count; the sums above are those of the whole trace.
    """
    from collector.offline.trace_tree import COLUMNS, tree  # noqa: PLC0415 - only needed here

    with errors_explained():
        stored = Stored(config, overrides, data_dir, endpoint)
        found = whole_id(stored, id_)
        sql = f"SELECT {', '.join(COLUMNS)} FROM observations WHERE trace_id = {quoted(found)} ORDER BY start_unix_nano"  # noqa: S608 - quoted
        answer = stored.select(sql, _MOST_ROWS)
    nodes = list(tree(answer.objects))
    summary = _summary(found, [node.row for node in nodes])
    if output is Form.JSON:
        print_json({**summary, "observations": [{**node.row, "depth": node.depth} for node in nodes]})
    else:
        _print(summary, nodes)
    if answer.truncated:
        note(f"only the first {_MOST_ROWS} spans are shown", kind="warning")


def whole_id(stored: Stored, start: str) -> str:
    """The id of the only stored trace that begins so. Raises ``ConfigError`` or ``PermanentError``."""
    digits = start.strip().lower()
    if not digits or len(digits) > 32 or not set(digits) <= _DIGITS:
        raise ConfigError(f"{start!r} is no trace id: expected up to 32 digits of 0-9 and a-f")
    sql = (
        "SELECT trace_id, min(start_time) AS start_time, arg_min(name, start_unix_nano) AS name FROM observations "  # noqa: S608 - hex digits only
        f"WHERE starts_with(trace_id, '{digits}') GROUP BY trace_id ORDER BY start_time DESC"
    )
    rows = stored.select(sql, 6).rows
    if not rows:
        raise PermanentError(f"no stored trace has an id that begins with {digits}")
    if len(rows) > 1:
        names = [f"{row[0]} ({cells.plain_time(row[1] or '')}, {row[2]})" for row in rows[:5]]
        more = ", ..." if len(rows) > 5 else ""
        raise PermanentError(f"several traces have ids that begin with {digits}: {', '.join(names)}{more}")
    return str(rows[0][0])


def _summary(trace_id: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Facts of the whole trace; money as text with all its digits."""
    starts = [int(row["start_unix_nano"]) for row in rows]
    ends = [int(row["end_unix_nano"]) for row in rows]
    costs = [Decimal(row["total_cost"]) for row in rows if row["total_cost"] is not None]
    tokens = [int(row["total_tokens"]) for row in rows if row["total_tokens"] is not None]
    first = rows[0]
    return {
        "trace_id": trace_id,
        "name": next((row["trace_name"] for row in rows if row["trace_name"]), None) or first["name"],
        "session_id": next((row["session_id"] for row in rows if row["session_id"]), None),
        "user_id": next((row["user_id"] for row in rows if row["user_id"]), None),
        "service_name": first["service_name"],
        "start_time": first["start_time"],
        "duration_ns": max(ends) - min(starts),
        "span_count": len(rows),
        "error_count": sum(row["level"] == "ERROR" for row in rows),
        "total_tokens": sum(tokens) if tokens else None,
        "total_cost": format(sum(costs, Decimal(0)), "f") if costs else None,
        "unpriced_count": sum(row["cost_source"] == "unpriced" for row in rows),
        "sampled_by": first["sampled_by"],
    }


def _print(summary: Mapping[str, Any], nodes: Sequence[Any]) -> None:
    print_line(f"trace {summary['trace_id']}  {cells.on_one_line(summary['name'] or '')}".rstrip())
    who = [(word, summary[f"{word}_id"]) for word in ("session", "user") if summary[f"{word}_id"]]
    facts = [
        cells.clock_of(summary["start_time"]),
        cells.plain_duration(summary["duration_ns"]),
        f"{summary['span_count']} span{'s' * (summary['span_count'] != 1)}",
        "" if summary["total_tokens"] is None else f"{summary['total_tokens']:,} tokens",
        cells.plain_dollars(summary["total_cost"]),
        f"{summary['unpriced_count']} without a price" if summary["unpriced_count"] else "",
        f"{summary['error_count']} failed" if summary["error_count"] else "",
        *(f"{word} {cells.on_one_line(value)}" for word, value in who),
    ]
    print_line("  " + ", ".join(filter(None, facts)) + "\n")
    start = min((int(node.row["start_unix_nano"]) for node in nodes), default=0)
    unused = {name for name, column in _OPTIONAL.items() if not any(node.row[column] for node in nodes)}
    if not summary["error_count"]:
        unused.add("error")
    heads = [name for name in _HEADS if name not in unused]
    rows = [dict(zip(_HEADS, _cells(node, start), strict=True)) for node in nodes]
    print_table(heads, [[row[head] for head in heads] for row in rows], Output.TABLE, hint="")


_OPTIONAL = {"tokens": "total_tokens", "cost": "total_cost", "model": "model"}
"""Columns that a trace without model calls does not need."""


def _cells(node: Any, start: int) -> list[str]:
    row = node.row
    *above, here = node.last or (None,)
    guides = "" if here is None else "".join("   " if last else "│  " for last in above) + ("└─ " if here else "├─ ")
    failed = row["level"] == "ERROR"
    return [
        guides + ("(…) " if node.is_orphan else "") + str(row["name"]),
        str(row["type"]),
        f"+{cells.plain_duration(int(row['start_unix_nano']) - start)}",
        cells.plain_duration(None if row["duration_ns"] is None else int(row["duration_ns"])),
        "" if row["total_tokens"] is None else str(row["total_tokens"]),
        cells.plain_dollars(row["total_cost"]) or ("no price" if row["cost_source"] == "unpriced" else ""),
        row["model"] or "",
        (row["status_message"] or row["error_type"] or "failed") if failed else "",
    ]
