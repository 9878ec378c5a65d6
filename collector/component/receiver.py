"""Receivers: where data comes in, and the engine they hand it to.

Most receivers answer a client, who forgets its data then: what they hand to ``Consumer.consume`` is
durable when it returns. A receiver that reads from a source which is durable itself, such as a
broker's partition, takes a ``Source`` for it: nothing is written twice, and the source is told up to
which position everything was delivered, to be read again from there after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from collector.component.base import ComponentConfig, Settings, Stability
from collector.model.batch import Signal


@dataclass(frozen=True)
class Received:
    """The engine's answer to one request: what of it is now safe."""

    accepted: int
    rejected: int = 0
    message: str = ""
    """Why items were rejected, in English, without any content."""


Metadata = Callable[[str], Sequence[str]]
"""A request's HTTP headers or gRPC metadata: the values under a name in lower case. Only asked, never kept."""


def no_metadata(_name: str) -> Sequence[str]:
    """Of a request that came without any."""
    return ()


class Consumer(Protocol):
    """Where a receiver hands over what it received."""

    async def consume(self, signal: Signal, body: bytes, metadata: Metadata = no_metadata) -> Received:
        """Takes one request body for the codec: a serialised OTLP Export…ServiceRequest (protobuf), or prepared JSON.

        Returns once everything accepted is durable in every pipeline fed by the receiver. Raises
        ``InvalidDataError``, ``TooLargeError`` or ``RetryableError``; then nothing was taken.
        """

    def source(self, name: str, delivered: Callable[[int], object]) -> Source:
        """Where to hand over what one durable source holds; ``name`` tells the receiver's sources apart.

        ``delivered`` is called on the event loop with a position: it and all before it that were handed
        in are delivered by every exporter of every pipeline, or need not be. The position only ever goes
        up. It is told about once a second, and for the last time when exporters have ended, after the
        receiver's ``shutdown``. Call this on the event loop. Raises ``ValueError`` when the receiver has
        a source of this name.
        """


class Source(Protocol):
    """One durable source of a receiver: an ordered log that can be read again from a position."""

    async def consume(self, signal: Signal, body: bytes, position: int, metadata: Metadata = no_metadata) -> Received:
        """Takes one serialised request (as ``Consumer.consume``) that ends at this position of the source.

        Positions are 0 or more and are handed in in ascending order; the next may be handed in before
        this one returns. It returns when the request is taken, in memory only: the source keeps it until
        its position is told as delivered. Raises ``InvalidDataError`` or ``TooLargeError``, and then
        nothing will be delivered of this position; or ``RetryableError``, and then the position that is
        told stays below this one until it was handed in again and taken.
        """


class ByteBudget(Protocol):
    """Bounds the bytes of requests in memory, over all receivers. Not thread-safe: event loop only."""

    def try_take(self, n: int, *, more: bool = False) -> bool:
        """Takes ``n`` bytes, or says no at once: the receiver answers "later". ``more``: for a request that has
        some.
        """

    def give_back(self, n: int) -> None: ...


@dataclass(frozen=True, kw_only=True)
class ReceiverSettings(Settings):
    """What the engine passes to a receiver."""

    consumer: Consumer
    budget: ByteBudget
    signals: frozenset[Signal]
    """The signals some pipeline takes from this receiver; others answer UNIMPLEMENTED / 404."""


class Receiver(Protocol):
    """Accepts data. Methods run on the event loop."""

    async def start(self) -> None:
        """Listens when it returns. Raises ``ConfigError`` when an address cannot be bound."""

    async def shutdown(self) -> None:
        """Accepts nothing new, answers what is in flight, returns."""

    @property
    def endpoints(self) -> Mapping[str, str]:
        """Protocol (``grpc``, ``http``) → address it listens on, e.g. ``127.0.0.1:4317``."""


def never_over_tls(_config: Any) -> frozenset[str]:
    """For a receiver that has no TLS."""
    return frozenset()


@dataclass(frozen=True)
class ReceiverFactory:
    """How a receiver is made: its options, and what turns them and the settings into one."""

    config: type[ComponentConfig]
    create: Callable[[Any, ReceiverSettings], Receiver]
    signals: frozenset[Signal] = frozenset(Signal)
    stability: Stability = Stability.BETA
    over_tls: Callable[[Any], frozenset[str]] = never_over_tls
    """From its options: the protocols of ``Receiver.endpoints`` that it serves over TLS."""
    has_durable_source: bool = False
    """It hands in everything through ``Consumer.source``. With no other receivers, nothing is kept on disk."""
