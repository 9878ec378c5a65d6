"""Spans translated to another dialect and received again are the same rows.

Every captured payload, decided over whole traces, goes out in every dialect; what a second collector
makes of it is compared column by column. ``docs/forwarding.yaml`` lists what may differ, and why.

Proves it in batches, without a network. Does not prove that vendors' backends read it as our receiver does.
"""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from ruamel.yaml import YAML

from collector.component.exporter import DecidedSpans
from collector.model import schema
from collector.model.batch import Signal
from collector.model.codec.chosen import encode
from collector.model.forward.target_tables import TARGETS
from collector.model.forward.translate import translate
from collector.offline.captures import read_capture
from tests.model.forward.forward_kit import decide

ROOT = Path(__file__).parents[3]
CAPTURES = ROOT / "tests" / "fixtures" / "otlp"
EXCEPTIONS = YAML(typ="safe").load((ROOT / "docs" / "forwarding.yaml").read_text())["exceptions"]
NOT_MODEL = frozenset(
    {"dialect", "usage_scope", "usage_rule", "provided_usage", "provided_cost", "price_ref", "attributes", "events",
     "otlp"}
)  # fmt: skip
"""Who said it, in which words, and by which rule it was taken: a translation changes just these."""
COLUMNS = [name for name in schema.OBSERVATIONS.names if name not in NOT_MODEL]
JSON_COLUMNS = frozenset({"input", "output", "metadata", "model_parameters", "tool_definitions"})
Rows = dict[tuple[str, str], dict[str, Any]]


def captured(signal: Signal) -> bytes:
    """Every captured request of a signal as one: serialised requests concatenate."""
    lines = (CAPTURES / "EXPECT.jsonl").read_text().splitlines()
    files = dict.fromkeys(name for line in lines for name in json.loads(line)["files"] if f".{signal}." in name)
    return b"".join(body for name in files for _, body in read_capture(CAPTURES / name))


@pytest.fixture(scope="module")
def captures() -> dict[str, list[DecidedSpans]]:
    """All captured spans as exporters are given them, with assembly and without."""
    requests = [(signal, captured(signal)) for signal in (Signal.TRACES, Signal.LOGS)]
    return {processors: decide(requests, processors) for processors in ("tail_sampling", "")}


def rows(decided: Iterable[DecidedSpans]) -> Rows:
    found = [row for part in decided for row in part.observations.to_pylist()]
    return {(row["trace_id"], row["span_id"]): row for row in found}


def value(row: dict[str, Any], column: str) -> Any:
    found = row[column]
    if column in JSON_COLUMNS and isinstance(found, str) and found[:1] in {"{", "["}:
        with contextlib.suppress(ValueError):
            return json.dumps(json.loads(found), sort_keys=True)
    return sorted(found) if isinstance(schema.OBSERVATIONS.field(column).type, pa.MapType) and found else found


def differences(before: Rows, after: Rows) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    assert before.keys() == after.keys()
    for key, row in before.items():
        again = after[key]
        assert (row["usage_scope"] == "counted") == (again["usage_scope"] == "counted"), row["name"]
        yield from ((c, row, again) for c in COLUMNS if value(row, c) != value(again, c))


def excuse(target: str, column: str, before: dict[str, Any], after: dict[str, Any]) -> int | None:
    """The number of the listed exception that this difference is."""
    for number, entry in enumerate(EXCEPTIONS):
        as_listed = entry["after"] == "any" or after[column] == before[entry["after"]]
        if (entry["target"], entry["column"]) == (target, column) and before[column] is None and as_listed:
            return number
    return None


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_translated_is_received_as_it_was(target: str, captures: dict[str, list[DecidedSpans]]) -> None:
    excused, wrong = set(), defaultdict(list)
    for processors, decided in captures.items():
        bodies = [encode(translate(part.spans, part.observations, target)) for part in decided]
        again = rows(decide([(Signal.TRACES, b"".join(bodies))], processors))
        assert {row["dialect"] for row in again.values()} == {"otel_genai" if target == "semconv" else target}
        for column, row, other in differences(rows(decided), again):
            number = excuse(target, column, row, other)
            if number is None:
                wrong[column].append((row["name"], row[column], other[column]))
            else:
                excused.add(number)
    assert not wrong
    assert excused == {n for n, entry in enumerate(EXCEPTIONS) if entry["target"] == target}, "listed, but gone"
