"""Ingest: every request gets an answer, and the answer says whether to send it again.

Proves answers and their kind when decoding, a processor or the journal fails. Does not prove the order of rare races
between requests, nor what goes over a wire.
"""

from __future__ import annotations

import asyncio

import pytest

from collector.component.receiver import Received
from collector.engine.ingest.chain import Chain
from collector.engine.ingest.ingest import Ingest, Route
from collector.errors import JournalError, PermanentError, RetryableError
from collector.model.batch import Signal
from collector.model.codec.chosen import encode
from collector.telemetry import Telemetry
from collector.testing import builders

BODY = encode(builders.logs([{"body": "one"}]))


class Bench:
    """An ingest over a log, whose ``append`` can be made to fail."""

    def __init__(self, storage):
        self.journal = storage.log
        self.fatal = []
        self.error = None
        self._append = self.journal.append
        self.journal.append = self.append
        telemetry = Telemetry()
        chain = Chain("logs", (), (), lambda batch: batch, telemetry)
        routes = {("otlp", Signal.LOGS): [Route(chain, ("logs",))]}
        self.ingest = Ingest(routes, storage, telemetry, wake=lambda: None, fatal=self.fatal.append)

    def append(self, *args):
        if self.error is not None:
            raise self.error
        return self._append(*args)

    def send(self, *bodies):
        """Sends bodies at once, then starts the work; the outcomes."""

        async def send():
            consumer = self.ingest.consumer("otlp")
            tasks = [asyncio.ensure_future(consumer.consume(Signal.LOGS, body)) for body in bodies]
            await asyncio.sleep(0)
            if not self.ingest._thread.ident:
                self.ingest.start()
            return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)

        return asyncio.run(send())

    def close(self):
        self.ingest.stop()


@pytest.fixture
def bench(storages):
    bench = Bench(storages.open())
    yield bench
    bench.close()


def test_requests_are_answered_one_by_one_when_their_group_fails(bench):
    bench.error = ValueError("a secret")
    outcomes = bench.send(BODY, BODY)
    assert [type(o) for o in outcomes] == [PermanentError, PermanentError]
    assert "secret" not in str(outcomes)
    bench.error = None
    assert bench.send(BODY) == [Received(1)]


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), MemoryError()])
def test_what_is_not_the_datas_doing_is_refused_for_now(bench, error):
    bench.error = error
    assert [type(o) for o in bench.send(BODY, BODY)] == [RetryableError, RetryableError]
    bench.error = None
    assert bench.send(BODY) == [Received(1)]


def test_after_a_fatal_error_nobody_waits_for_an_answer(bench):
    bench.error = JournalError("fdatasync failed")
    assert [type(o) for o in bench.send(BODY, BODY, BODY)] == [RetryableError] * 3
    assert bench.fatal == [bench.error]
    assert [type(o) for o in bench.send(BODY)] == [RetryableError]
