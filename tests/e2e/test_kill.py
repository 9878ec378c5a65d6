"""Nothing acknowledged is lost and nothing is there twice, however the service dies.

Proves it for a killed process on a healthy disk: every acknowledged item is stored once. Does not prove it for power
loss, where the disk's own cache decides.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.e2e.load import Clients, Sent, post, shuffled_and_split
from tests.e2e.running import Spanloom, duckdb_rows, parquet_rows

CYCLES = int(os.environ.get("SPANLOOM_KILL_CYCLES", "30"))


def check_exactly_once(data_dir, sent: Sent):
    """Every span of an acknowledged request once, none that nobody sent, and sums that are the truth."""
    truth = sum(sent.spans.values())
    for read in (duckdb_rows, parquet_rows):
        table = "observations" if read is duckdb_rows else "{t}"
        found = read(data_dir, f"select trace_id, span_id, count(*) from {table} group by all")
        assert {(t, s) for t, s, _ in found} == set(sent.spans)
        assert {n for *_, n in found} == {1}
        ((tokens,),) = read(data_dir, f"select sum(input_tokens) from {table}")
        assert tokens == truth


@pytest.mark.timeout(900)
def test_kill_9_under_load_loses_nothing_and_a_shuffled_split_resend_adds_nothing(tmp_path):
    sent = Sent()
    address: list[str | None] = [None]
    clients = Clients(sent, lambda: address[0])
    rng = random.Random(7)
    for _ in range(CYCLES):
        with Spanloom(tmp_path) as service:
            address[0] = service.endpoints["otlp"]["http"]
            # Long enough for decisions and exports to happen, at another point of them each time.
            service.process_wait = rng.uniform(0.2, 1.5)
            _wait(service.process_wait)
            service.kill()
            address[0] = None
    with Spanloom(tmp_path) as service:
        address[0] = service.endpoints["otlp"]["http"]
        clients.finish()
        assert sent.acknowledged == set(range(len(sent.bodies)))
        for body in shuffled_and_split(sent.bodies):
            assert post(address[0], body)
        assert service.terminate() == 0
    check_exactly_once(tmp_path, sent)


def test_sigterm_under_load_delivers_everything_acknowledged(tmp_path):
    sent = Sent()
    address: list[str | None] = [None]
    with Spanloom(tmp_path) as service:
        address[0] = service.endpoints["otlp"]["http"]
        clients = Clients(sent, lambda: address[0])
        _wait(2)
        assert service.terminate() == 0
        address[0] = None
    stored = {(t, s) for t, s in duckdb_rows(tmp_path, "select trace_id, span_id from observations")}
    with Spanloom(tmp_path) as service:
        address[0] = service.endpoints["otlp"]["http"]
        clients.finish()
        assert service.terminate() == 0
    assert stored <= set(sent.spans)
    assert len(stored) > 0
    check_exactly_once(tmp_path, sent)


def _wait(seconds: float) -> None:
    """Load runs meanwhile: the time is the load's size, nothing is waited for."""
    import threading

    threading.Event().wait(seconds)
