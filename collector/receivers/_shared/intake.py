"""What the transports of the OTLP receiver share: hand over to the pipelines, count, time."""

from __future__ import annotations

import asyncio
import time

from collector.component.receiver import Metadata, Received, ReceiverSettings, no_metadata
from collector.errors import CollectorError
from collector.model.batch import Signal
from collector.receivers._shared.status import Refusal, describe, refusal
from collector.serving.budget import Share


class Intake:
    """One transport's way into the pipelines."""

    def __init__(self, settings: ReceiverSettings, transport: str) -> None:
        telemetry = settings.telemetry
        labels = {"receiver": str(settings.id), "transport": transport}
        self._labels = labels
        self._settings = settings
        self._telemetry = telemetry
        self._bytes = telemetry.request_bytes.labels(**labels)
        self._seconds = telemetry.request_seconds.labels(**labels)
        self._requests = {
            (signal, outcome): telemetry.requests.labels(**labels, signal=signal, outcome=outcome)
            for signal in settings.signals
            for outcome in ("success", "partial", "refused", "failure")
        }
        for signal in settings.signals:
            telemetry.accepted.add(signal, 0, **labels)

    async def consume(self, signal: Signal, body: bytes, metadata: Metadata = no_metadata) -> Received | Refusal:
        """Returns once the body is durable, or why it was not taken. Never raises but on cancellation."""
        try:
            return await self._settings.consumer.consume(signal, body, metadata)
        except Exception as error:
            return self.refused(error)

    async def consume_to_the_end(
        self, signal: Signal, body: bytes, share: Share, metadata: Metadata
    ) -> Received | Refusal:
        """Like ``consume``; when the caller is cancelled, the pipelines still hold the body, so
        ``share`` is released only when they are done with it.
        """
        task = asyncio.get_running_loop().create_task(self.consume(signal, body, metadata))
        task.add_done_callback(lambda _: share.release())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # Nobody is left to be answered, but what becomes durable will be delivered, and has to add up.
            task.add_done_callback(lambda done: self._count_unanswered(signal, done))
            raise

    def _count_unanswered(self, signal: Signal, task: asyncio.Task[Received | Refusal]) -> None:
        if not task.cancelled() and isinstance(answer := task.result(), Received):
            self._count_items(signal, answer)

    def refused(self, error: Exception) -> Refusal:
        """The answer for ``error``; logs what is not the client's doing."""
        answer = refusal(error)
        if not isinstance(error, CollectorError):
            self._settings.log.error("request failed", transport=self._labels["transport"], error=describe(error))
        return answer

    def count(self, signal: Signal, answer: Received | Refusal | None, *, body_bytes: int, started: float) -> None:
        """Counts one finished request; ``None``: the client went away. ``started`` is of ``perf_counter``."""
        self._seconds.observe(time.perf_counter() - started)
        self._bytes.inc(body_bytes)
        match answer:
            case Received():
                outcome = "partial" if answer.rejected else "success"
                self._count_items(signal, answer)
            case Refusal(reason="internal"):
                outcome = "failure"
            case Refusal():
                outcome = "refused"
            case None:
                outcome = "failure"
        self._requests[signal, outcome].inc()

    def _count_items(self, signal: Signal, answer: Received) -> None:
        self._telemetry.accepted.add(signal, answer.accepted, **self._labels)
        if answer.rejected:
            self._telemetry.refused.add(signal, answer.rejected, **self._labels, reason="invalid")
