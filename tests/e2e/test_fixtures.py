"""Every captured payload through the real service gives the rows it must give, in both stores.

Proves rows against what each capture says of itself, in any order of arrival. Does not prove dialects of which nobody
has captured anything.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import genai_prices
import pytest

from tests.e2e.captures import (
    disagreements,
    each,
    files,
    grpc_sender,
    http_sender,
    log_records,
    metric_points,
    scenarios,
    shuffled_and_split,
    signal_of,
)
from tests.e2e.conftest import FixtureRun
from tests.e2e.running import PORTS, Row, Spanloom, assert_same_rows, by_trace, stored_rows

RUNS = [("http", "binpb"), ("http", "json"), ("grpc", "binpb")]
WHOLE = (
    "processors.tail_sampling.decision_wait=10m",
    "processors.tail_sampling.decision_wait_after_root_received=10m",
)
"""Nothing is decided before the end, when everything is."""


@pytest.mark.parametrize(("transport", "encoding"), RUNS)
def test_rows_of_captured_payloads_agree_with_what_is_expected_of_them(
    fixture_run: FixtureRun, transport: str, encoding: str
) -> None:
    traces = by_trace(stored_rows(fixture_run(transport, encoding)))
    expected = scenarios(encoding)
    assert len(expected) > 100
    wrong = [line for scenario in expected for line in disagreements(scenario, traces)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("table", "count"), [("logs", log_records), ("metrics", metric_points)])
@pytest.mark.parametrize(("transport", "encoding"), RUNS)
def test_every_log_record_and_metric_point_is_a_row(
    fixture_run: FixtureRun, transport: str, encoding: str, table: str, count: Callable[[str], int]
) -> None:
    sent = sum(count(name) for group in files(encoding) for name in group if signal_of(name) == table)
    assert len(stored_rows(fixture_run(transport, encoding), table)) == sent > 0


def test_the_order_and_grouping_in_which_spans_and_logs_arrive_changes_nothing(
    fixture_run: FixtureRun, tmp_path: Path
) -> None:
    requests = list(shuffled_and_split("binpb", random.Random(3)))
    half = len(requests) // 2
    with Spanloom(tmp_path, sets=(*PORTS, *WHOLE)) as service, grpc_sender(service.grpc) as over_grpc:
        each(([request] for request in requests[:half]), lambda request: http_sender(service)(*request))
        each(([request] for request in requests[half:]), lambda request: over_grpc(*request))
        assert service.terminate() == 0
    assert_same_rows(stored_rows(tmp_path), stored_rows(fixture_run("http", "binpb")))


def test_the_plain_sum_of_cost_is_what_the_counted_calls_cost(fixture_run: FixtureRun) -> None:
    rows = stored_rows(fixture_run("http", "binpb"))
    counted = [row for row in rows if row["usage_scope"] == "counted"]
    costs = [_recomputed(row, rows) for row in counted]
    for row, cost in zip(counted, costs, strict=True):
        assert (row["total_cost"] is None) == (cost is None), _call(row)
        # Half a pico-dollar for each bucket that is rounded.
        assert cost is None or abs(row["total_cost"] - cost) <= Decimal(len(row["cost"]) + 1) / 10**12, _call(row)
    by_source = Counter(row["cost_source"] for row in counted)
    assert min(by_source["provided"], by_source["computed"]) > 10
    plain = sum(row["total_cost"] for row in rows if row["total_cost"] is not None)
    assert abs(plain - sum(cost for cost in costs if cost is not None)) < Decimal("1e-9")


def _recomputed(row: Row, rows: list[Row]) -> Decimal | None:
    """The cost of one call from what was sent with it, else from the library's own arithmetic."""
    if row["cost_source"] == "provided":
        return _sent_cost(json.loads(row["provided_cost"] or _of_the_same_call(row, rows)))
    if row["cost_source"] != "computed":
        return None
    usage = genai_prices.Usage(
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cache_read_tokens=row["cache_read_tokens"],
        cache_write_tokens=row["cache_write_tokens"],
        cache_write_1h_tokens=row["usage"].get("input_cache_write_1h"),
    )
    provider, model = _listed(row)
    return genai_prices.calc_price(
        usage, model, provider_id=provider, genai_request_timestamp=row["start_time"]
    ).total_price


def _listed(row: Row) -> tuple[str | None, str]:
    """(provider, model) as the library lists them: found by the library where it knows the names telemetry has."""
    for model in (row["model"], row["request_model"]):
        # Bedrock's instrumentation cuts the answer's model down to a family; what was asked for is whole.
        if model is not None and _found(model, row["provider"]):
            return row["provider"], model
    # Names of its own kind (gcp.gemini, a gateway's prefix): the row says what was meant.
    provider, model = row["price_ref"].split(" ")[1].partition("/")[2].rpartition(">")[2].split(":", 1)
    assert model.split("/")[-1] in row["model"], _call(row)
    return provider, model


def _found(model: str, provider: str | None) -> bool:
    try:
        genai_prices.calc_price(genai_prices.Usage(), model, provider_id=provider)
    except LookupError:
        return False
    return True


def _of_the_same_call(row: Row, rows: list[Row]) -> str:
    """What another span of this call, which is not counted, came with."""
    (sent,) = {
        other["provided_cost"]
        for other in rows
        if (other["trace_id"], other["response_id"]) == (row["trace_id"], row["response_id"])
        and other["usage_scope"] != "counted"
        and other["provided_cost"] is not None
    }
    return sent


def _sent_cost(sent: dict[str, float]) -> Decimal:
    """The total a span came with; without one, the sum of its parts."""
    totals = [value for key, value in sent.items() if key.rpartition(".")[2] in {"total", "total_cost", "cost"}]
    return Decimal(str(totals[0] if totals else sum(sent.values())))


def _call(row: Row) -> str:
    fields = ("scope_name", "provider", "model", "usage", "cost", "total_cost", "provided_cost", "price_ref")
    return str({field: row[field] for field in fields})
