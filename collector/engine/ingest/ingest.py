"""From requests to batches in a log: coalesce as bytes, decode, run the chains, one append, answer.

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
from typing import NamedTuple

import structlog

from collector.component.connector import RequestCondition
from collector.component.receiver import Metadata, Received, no_metadata
from collector.engine.ingest.chain import Chain
from collector.engine.journal.log import Log
from collector.engine.journal.memory_log import MemoryLog
from collector.engine.journal.records import Entry
from collector.engine.journal.storage import Storage
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
    position: int | None = None
    """In the source that keeps the request until it is delivered."""


Key = tuple[str, Signal]
Outcome = Received | CollectorError


class _Queue(NamedTuple):
    """What may be worked on together: requests to one receiver, of one signal, that match the same conditions."""

    receiver: str
    signal: Signal
    matched_conditions: frozenset[str]
    log: Log
    """Where they go to: one source's requests do not mix with others."""


class Ingest:
    """The consumer behind all receivers."""

    def __init__(
        self,
        routes: Mapping[Key, Sequence[Route]],
        storage: Storage,
        telemetry: Telemetry,
        *,
        wake: Callable[[], None],
        fatal: Callable[[BaseException], None],
        clock: Callable[[], int] = time.time_ns,
        conditions: Sequence[RequestCondition] = (),
    ) -> None:
        """``wake`` is called when a log has new records; ``conditions``: what connectors ask of every request."""
        self._conditions = tuple(conditions)
        self._routes = routes
        self._storage = storage
        self._telemetry = telemetry
        self._tell = wake
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

    def open_source(self, receiver: str, name: str, delivered: Callable[[int], object]) -> Source:
        """A source of one receiver; see ``component.Consumer.source``."""
        loop = asyncio.get_running_loop()

        def tell(position: int) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(delivered, position)

        return Source(self, receiver, self._storage.source(f"{receiver}/{name}", tell))

    async def take(self, receiver: str, signal: Signal, body: bytes, metadata: Metadata) -> Received:
        """Queues one request; see ``component.Consumer.consume``."""
        check_framing(signal, body)
        if not body:
            return Received(0)
        return await self._queue(self._key(receiver, signal, metadata, self._storage.log), body)

    async def take_from(
        self, receiver: str, log: MemoryLog, signal: Signal, body: bytes, position: int, metadata: Metadata
    ) -> Received:
        """Queues one request of a durable source; see ``component.Source.consume``."""
        log.hand_in(position)
        try:
            check_framing(signal, body)
        except PermanentError:
            log.taken([position])
            raise
        if not body:
            log.taken([position])
            return Received(0)
        return await self._queue(self._key(receiver, signal, metadata, log), body, position)

    def _key(self, receiver: str, signal: Signal, metadata: Metadata, log: Log) -> _Queue:
        matched_conditions = frozenset(condition.key for condition in self._conditions if condition.is_met(metadata))
        return _Queue(receiver, signal, matched_conditions, log)

    async def _queue(self, key: _Queue, body: bytes, position: int | None = None) -> Received:
        loop = asyncio.get_running_loop()
        request = _Request(body, loop.create_future(), loop, position)
        with self._wake:
            if self._ended:
                raise RetryableError(_STOPPING)
            self._queues.setdefault(key, deque()).append(request)
            self._wake.notify()
        return await request.answer

    def _work(self) -> None:
        requests: list[_Request] = []
        try:
            while (group := self._next_group()) is not None:
                key, requests = group
                self._telemetry.group_requests.observe(len(requests))
                outcomes = self._process(key, [r.body for r in requests])
                _note_taken(key.log, requests, outcomes)
                _answer(requests, outcomes)
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
        decoded = decode(key.signal, bodies)
        entries = run_routes(self._routes[key.receiver, key.signal], decoded.batches, key.matched_conditions)
        if entries:
            key.log.append(entries, self._clock())
            self._tell()
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

    def source(self, name: str, delivered: Callable[[int], object]) -> Source:
        return self.ingest.open_source(self.receiver, name, delivered)


@dataclass(frozen=True, slots=True)
class Source:
    """``component.Source`` of one receiver."""

    ingest: Ingest
    receiver: str
    log: MemoryLog

    async def consume(self, signal: Signal, body: bytes, position: int, metadata: Metadata = no_metadata) -> Received:
        return await self.ingest.take_from(self.receiver, self.log, signal, body, position, metadata)


def run_routes(
    routes: Sequence[Route], batches: Sequence[Batch], matched_conditions: frozenset[str] = frozenset()
) -> list[Entry]:
    """What each route makes of the batches, ready for the journal. ``matched_conditions``: see ``journal.Entry``."""
    return [entry for route in routes for entry in _run(route, batches, matched_conditions)]


def _run(route: Route, batches: Sequence[Batch], matched_conditions: frozenset[str]) -> list[Entry]:
    out = []
    for batch in batches:
        if route.join:
            if not isinstance(batch, LogBatch):
                continue
            batch = batch.filter(genai_logs(batch) | awaits_span(batch))
            if not batch.num_rows:
                continue
        batch, dropped = route.chain.run(batch, matched_conditions)
        if batch.num_rows:
            out.append(Entry(batch, route.pipelines, route.join, matched_conditions=matched_conditions))
        if dropped is not None and route.assembling:
            out.append(Entry(dropped, route.assembling, dropped=True, matched_conditions=matched_conditions))
    return out


def _note_taken(log: Log, requests: Sequence[_Request], outcomes: Sequence[Outcome]) -> None:
    """Of what was refused for now the position stays open; the rest is in the log, or never will be."""
    if isinstance(log, MemoryLog):
        done = zip(requests, outcomes, strict=True)
        log.taken([r.position for r, o in done if r.position is not None and not isinstance(o, RetryableError)])


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
