"""The rows of one trace in the order of a tree: each below its parent, siblings by their start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]

COLUMNS = (
    "trace_id", "span_id", "parent_span_id", "type", "name", "span_name", "trace_name", "start_time", "duration_ns",
    "start_unix_nano", "end_unix_nano", "level", "status_message", "error_type", "model", "agent_name", "usage_scope",
    "input_tokens", "output_tokens", "total_tokens", "total_cost", "cost_source", "user_id", "session_id",
    "service_name", "sampled_by",
)  # fmt: skip
"""What is read of ``observations``."""


@dataclass(frozen=True, slots=True)
class Node:
    """One row in its place."""

    row: Row
    depth: int
    last: tuple[bool, ...]
    """For each level below the root down to this one: whether its row is the last of its siblings."""
    is_orphan: bool
    """It names a parent that is not stored."""


def tree(rows: Sequence[Row]) -> Iterator[Node]:
    """All rows, parents first. Rows whose parent is missing, or that are their own ancestors, stand at the top."""
    ordered = sorted(rows, key=lambda row: (int(row["start_unix_nano"]), row["span_id"]))
    known = {row["span_id"] for row in ordered}
    children: dict[str, list[Row]] = {}
    for row in ordered:
        if row["parent_span_id"] in known:
            children.setdefault(row["parent_span_id"], []).append(row)
    seen: set[str] = set()
    tops = [row for row in ordered if row["parent_span_id"] not in known]
    for top in [*tops, *ordered]:  # of a circle nothing has been reached yet: its earliest span begins it
        if top["span_id"] in seen:
            continue
        waiting: list[tuple[Row, tuple[bool, ...]]] = [(top, ())]
        while waiting:
            row, last = waiting.pop()
            if row["span_id"] in seen:
                continue
            seen.add(row["span_id"])
            yield Node(row, len(last), last, row["parent_span_id"] is not None and not last)
            below = [child for child in children.get(row["span_id"], ()) if child["span_id"] not in seen]
            waiting += reversed([(child, (*last, at == len(below) - 1)) for at, child in enumerate(below)])
