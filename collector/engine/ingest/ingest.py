"""From requests to durable batches: coalesce as bytes, decode, run the chains, one fsync, answer.

One work thread. While it is busy with one group, the next gathers; there is no timer, so an idle
server adds no latency.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from collector.component.connector import RequestCondition
from collector.component.receiver import Metadata, Received, no_metadata
from collector.engine.ingest.chain import Chain
from collector.engine.journal.journal import Journal
from collector.engine.journal.records import Entry, Written
from collector.errors import CollectorError, JournalError, PermanentError, RetryableError, where
from collector.model.batch import Batch, LogBatch, Signal
from collector.model.codec.chosen import check_framing, decode
from collector.model.scores.find import awaits_span
from collector.model.stored.observations import genai_logs
from collector.telemetry import Telemetry

_MAX_GROUP_BYTES = 8 * 1024 * 1024
_MAX_GROUP_REQUESTS = 1024
_STOPPING = "the service is stopping"


@dataclass(frozen=True, slots=True)
class Route:
    """Pipelines that share a stateless prefix, and so share what is written."""

    chain: Chain
    pipelines: tuple[str, ...]
    join: bool = False
    """Only log records that belong to spans, for the content of the pipelines' observations."""
    assembling: tuple[str, ...] = ()
    """Those of the pipelines that assemble traces: they are told of dropped spans."""


@dataclass(slots=True)
class _Request:
    body: bytes
    answer: asyncio.Future[Received]
    loop: asyncio.AbstractEventLoop


Key = tuple[str, Signal]
_Queue = tuple[str, Signal, frozenset[str]]
"""What may be worked on together: requests to one receiver, of one signal, that met the same conditions."""
Outcome = Received | CollectorError


class Ingest:
    """The consumer behind all receivers."""

    def __init__(
        self,
        routes: Mapping[Key, Sequence[Route]],
        journal: Journal,
        telemetry: Telemetry,
        *,
        written: Callable[[Sequence[Written]], None],
        fatal: Callable[[BaseException], None],
        clock: Callable[[], int] = time.time_ns,
        conditions: Sequence[RequestCondition] = (),
    ) -> None:
        """``conditions``: what connectors ask of every request."""
        self._conditions = tuple(conditions)
        self._routes = routes
        self._journal = journal
        self._telemetry = telemetry
        self._written = written
        self._fatal = fatal
        self._clock = clock
        self._log = structlog.get_logger("ingest")
        self._wake = threading.Condition()
        self._queues: dict[_Queue, deque[_Request]] = {}
        self._stopping = False
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="ingest", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Answers what was taken, then ends. Safe to call twice or without a start."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    def consumer(self, receiver: str) -> Consumer:
        """The consumer of one receiver."""
        return Consumer(self, receiver)

    async def take(self, receiver: str, signal: Signal, body: bytes, metadata: Metadata) -> Received:
        """Queues one request; see ``component.Consumer.consume``."""
        check_framing(signal, body)
        if not body:
            return Received(0)
        loop = asyncio.get_running_loop()
        request = _Request(body, loop.create_future(), loop)
        met = frozenset(condition.key for condition in self._conditions if condition.is_met(metadata))
        with self._wake:
            if self._ended:
                raise RetryableError(_STOPPING)
            self._queues.setdefault((receiver, signal, met), deque()).append(request)
            self._wake.notify()
        return await request.answer

    def _work(self) -> None:
        requests: list[_Request] = []
        try:
            while (group := self._next_group()) is not None:
                key, requests = group
                self._telemetry.group_requests.observe(len(requests))
                _answer(requests, self._process(key, [r.body for r in requests]))
                requests = []
        except BaseException as error:
            self._fatal(error)
        finally:
            self._refuse_all(requests)

    def _refuse_all(self, requests: list[_Request]) -> None:
        """Nobody waits for a thread that has ended: who was not answered may send again elsewhere."""
        with self._wake:
            self._ended = True
            left = [*requests, *(request for queue in self._queues.values() for request in queue)]
            self._queues.clear()
        if left:
            _answer(left, [RetryableError(_STOPPING)] * len(left))

    def _next_group(self) -> tuple[_Queue, list[_Request]] | None:
        with self._wake:
            while not any(self._queues.values()):
                if self._stopping:
                    return None
                self._wake.wait()
            # The queue that has waited longest goes first: dicts keep insertion order.
            key = next(k for k, q in self._queues.items() if q)
            queue = self._queues.pop(key)
            group = [queue.popleft()]
            size = len(group[0].body)
            while queue and len(group) < _MAX_GROUP_REQUESTS and size + len(queue[0].body) <= _MAX_GROUP_BYTES:
                group.append(queue.popleft())
                size += len(group[-1].body)
            if queue:
                self._queues[key] = queue
        return key, group

    def _process(self, key: _Queue, bodies: list[bytes]) -> list[Outcome]:
        """One outcome per body. A group that fails for an unforeseen reason is tried one by one."""
        try:
            return self._process_group(key, bodies)
        except JournalError:
            raise
        except CollectorError as error:
            return [error] * len(bodies)
        except Exception as error:
            if len(bodies) > 1:
                return [self._process(key, [body])[0] for body in bodies]
            # The text of an unforeseen error may quote the data, so only its kind and place are told.
            self._log.error("a request could not be processed", error=type(error).__name__, at=where(error))
            if isinstance(error, MemoryError | OSError):  # not the data's doing: later it may go well
                return [RetryableError("out of memory, descriptors or disk", retry_after=5)]
            return [PermanentError(f"processing failed ({type(error).__name__})")]

    def _process_group(self, key: _Queue, bodies: list[bytes]) -> list[Outcome]:
        receiver, signal, met = key
        decoded = decode(signal, bodies)
        entries = run_routes(self._routes[receiver, signal], decoded.batches, met)
        if entries:
            self._written(self._journal.append(entries, self._clock()))
        outcomes: list[Outcome] = []
        for i in range(len(bodies)):
            if (failed := decoded.failed.get(i)) is not None:
                outcomes.append(failed)
            else:
                rejected, reason = decoded.rejected[i]
                outcomes.append(Received(int(decoded.accepted[i]), rejected, reason))
        return outcomes


@dataclass(frozen=True, slots=True)
class Consumer:
    """``component.Consumer`` for one receiver."""

    ingest: Ingest
    receiver: str

    async def consume(self, signal: Signal, body: bytes, metadata: Metadata = no_metadata) -> Received:
        return await self.ingest.take(self.receiver, signal, body, metadata)


def run_routes(routes: Sequence[Route], batches: Sequence[Batch], met: frozenset[str] = frozenset()) -> list[Entry]:
    """What each route makes of the batches, ready for the journal. ``met``: see ``journal.Entry``."""
    return [entry for route in routes for entry in _run(route, batches, met)]


def _run(route: Route, batches: Sequence[Batch], met: frozenset[str]) -> list[Entry]:
    out = []
    for batch in batches:
        if route.join:
            if not isinstance(batch, LogBatch):
                continue
            batch = batch.filter(genai_logs(batch) | awaits_span(batch))
            if not batch.num_rows:
                continue
        batch, dropped = route.chain.run(batch, met)
        if batch.num_rows:
            out.append(Entry(batch, route.pipelines, route.join, met=met))
        if dropped is not None and route.assembling:
            out.append(Entry(dropped, route.assembling, dropped=True, met=met))
    return out


def _answer(requests: Sequence[_Request], outcomes: Sequence[Outcome]) -> None:
    """Hands outcomes back to the event loop, one call per group."""

    def resolve() -> None:
        for request, outcome in zip(requests, outcomes, strict=True):
            if request.answer.done():  # the client went away
                continue
            if isinstance(outcome, Received):
                request.answer.set_result(outcome)
            else:
                request.answer.set_exception(outcome)

    requests[0].loop.call_soon_threadsafe(resolve)
