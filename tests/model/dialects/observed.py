"""Spans as sent, as the rows a store would get: facts, counting over the trace, content."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from collector.model.facts import resolve
from collector.model.stored.observations import observations
from collector.testing import builders
from tests.engine.assembly_kit import Bench

Row = Mapping[str, Any]


def observed(rows: Sequence[Row], logs: Sequence[Row] = ()) -> list[dict[str, Any]]:
    """Stored rows by start time. JSON text of content stays text; maps are dicts."""
    bench = Bench()
    bench.send(resolve.resolve(builders.spans(rows)))
    records = builders.logs(logs) if logs else None
    found: list[dict[str, Any]] = []
    faults: Counter[str] = Counter()
    for decision in bench.tick(10**15, everything=True):
        parts, _ = bench.reader.read("traces", decision)
        for part in parts:
            found += observations(part.spans, part.decided, records, faults=faults).to_pylist()
    assert not faults
    for row in found:
        row["usage"] = dict(row["usage"] or [])
    return sorted(found, key=lambda row: row["start_unix_nano"])


def one(attributes: Mapping[str, Any] | None = None, logs: Sequence[Row] = (), **row: Any) -> dict[str, Any]:
    """The stored row of a span that is a trace by itself."""
    (found,) = observed([{"attributes": attributes or {}, **row}], logs)
    return found


def content(text: str | None) -> Any:
    """The JSON value of a content column; plain text as it is."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
