"""Sampling over stored traces goes by the time that passed between them, and trace by trace.

Proves time, traces and money over small data sets. Does not prove agreement with a running service:
``e2e/test_sampling_agrees`` does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collector.component.sampler import TraceDecisions
from collector.config.load import load
from collector.config.plan import CollectorConfig
from collector.errors import InvalidDataError
from collector.model.batch import Signal
from collector.model.codec.chosen import encode
from collector.offline.dry_run import dry_run
from collector.offline.sampling_report import ALL, SamplingReport, dollars, trace_rows
from collector.offline.simulation import simulate
from collector.testing.builders import spans

SECOND = 10**9
OWN = {"model": "gpt-4o-mini", "per_million": {"input": 1, "output": 0}}


def configured(folder: Path, **processors: Any) -> CollectorConfig:
    document = {
        "receivers": {"otlp": {"protocols": {"http": {}}}},
        "processors": processors,
        "exporters": {"parquet": {}},
        "service": {
            "pipelines": {"traces": {"receivers": ["otlp"], "processors": list(processors), "exporters": ["parquet"]}}
        },
    }
    file = folder / "config.yaml"
    file.write_text(json.dumps(document))
    return load([str(file)], environ={}, data_dir=folder)


def lake(folder: Path, arrivals: dict[int, int]) -> Path:
    """A data set of traces of two spans; ``arrivals``: trace → the second it came in. Its spans came apart."""
    everything = configured(folder)
    day = folder / "lake" / "observations" / "date=2025-10-09"
    day.mkdir(parents=True)
    for trace, second in arrivals.items():
        for part in (0, 1):
            row = {"trace_id": trace, "span_id": 2 * trace + part, "parent_span_id": 2 * trace if part else None}
            at = (second + 100 * part) * SECOND
            (table,) = dry_run(everything, [(Signal.TRACES, encode(spans([row])))], clock=lambda at=at: at)
            pq.write_table(table, day / f"{trace}-{part}.parquet")
    (day / "_half-written.parquet").write_bytes(b"nothing")
    return folder / "lake"


def limited(folder: Path) -> CollectorConfig:
    rate = {"name": "rate", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 2, "burst_capacity": 4}}
    return configured(folder, tail_sampling={"policies": [rate]})


@pytest.mark.parametrize(("every", "kept"), [(1, 4), (10, 6)])
def test_a_limiter_refills_between_stored_traces(every: int, kept: int, tmp_path: Path) -> None:
    """Six traces of two spans in pairs: a bucket of four lets two pass at first, then one a second."""
    stored = lake(tmp_path, {n + 1: 1_760_000_000 + n // 2 * every for n in range(6)})
    report = SamplingReport()
    simulate(limited(tmp_path), [stored], report.observe)

    amounts = report.amounts["traces", ALL, "kept"]
    assert (amounts.traces, amounts.spans) == (kept, 2 * kept)


def test_without_a_sampler_everything_is_kept(tmp_path: Path) -> None:
    stored = lake(tmp_path, {1: 1_760_000_000})
    seen: list[dict[str, Any]] = []
    simulate(configured(tmp_path), [stored], lambda *shown: seen.extend(trace_rows(*shown)))

    assert [(row["keep"], row["sampled_by"], row["policies"], row["spans"]) for row in seen] == [(True, None, {}, 2)]


def dear(folder: Path) -> Path:
    """A data folder with logs beside a call that was stored with its cost."""
    pricing = configured(folder, cost={})
    call = {
        "attributes": {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 100,
        }
    }
    (table,) = dry_run(pricing, [(Signal.TRACES, encode(spans([call])))])
    day = folder / "data" / "parquet" / "observations" / "date=2025-10-09"
    day.mkdir(parents=True)
    pq.write_table(table, day / "a.parquet")
    logs = folder / "data" / "parquet" / "logs"
    logs.mkdir()
    pq.write_table(pa.table({"body": ["x"]}), logs / "a.parquet")
    with duckdb.connect(str(folder / "store.duckdb")) as connection:
        connection.register("rows", table)
        connection.execute("CREATE TABLE observations AS FROM rows")
    return folder / "data"


@pytest.mark.parametrize("processors", [{}, {"cost": {}}, {"cost": {"overrides": [OWN]}}])
def test_stored_costs_count_unless_the_configuration_works_them_out(processors: dict[str, Any], tmp_path: Path) -> None:
    report = SamplingReport()
    simulate(configured(tmp_path, **processors), [dear(tmp_path)], report.observe)
    expected = 1_000_000_000 if any(processors.values()) else 210_000_000
    assert report.amounts["traces", ALL, "kept"].cost == expected


@pytest.mark.parametrize("place", ["data", "data/parquet", "data/parquet/observations", "duckdb"])
def test_the_data_folder_is_read_as_well_as_its_parts(place: str, tmp_path: Path) -> None:
    dear(tmp_path)
    (tmp_path / "duckdb").mkdir()
    (tmp_path / "store.duckdb").rename(tmp_path / "duckdb" / "spanloom.duckdb")
    report = SamplingReport()
    simulate(configured(tmp_path), [tmp_path / place], report.observe)
    assert report.amounts["traces", ALL, "kept"].spans == 1


def test_what_is_no_data_set_is_named(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "other" / "a.parquet")
    with pytest.raises(InvalidDataError, match="other: cannot be read as observations: no column trace_id, span_id"):
        simulate(configured(tmp_path), [tmp_path / "other"], _never)


def _never(_pipeline: str, _traces: pa.RecordBatch, _verdicts: TraceDecisions) -> None:
    raise AssertionError("nothing was decided")


@pytest.mark.parametrize(
    ("pico", "text"), [(0, "0"), (1, "0.000000000001"), (2_500_000_000_000, "2.5"), (10**18, "1000000")]
)
def test_money_is_told_with_all_its_digits(pico: int, text: str) -> None:
    assert dollars(pico) == text
