"""Bodies while they arrive, for HTTP and gRPC: how long they may take, and what they hold of the budget meanwhile.

Bytes are reserved as they come, and a body has to come at some speed: who announces much and sends little holds little,
and not for long. Whoever cannot extend its share, or is too slow, is refused so that it may send again, and gives
everything back; nobody waits holding.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from collector.errors import TooLargeError
from collector.receivers._shared.inflate import Inflater
from collector.receivers._shared.status import TOO_SLOW, Refusal, over_budget
from collector.serving.budget import Arrival, Share

_FIRST_BYTES = 1024
"""Held before the first byte of a body is there."""

_STEP_BYTES = 256 * 1024
"""Most that a body holds beyond what has come of it."""


class Refused(Exception):  # noqa: N818 - not an error of ours: a decision on its way out
    """The request is to be answered with ``answer``."""

    def __init__(self, answer: Refusal) -> None:
        self.answer = answer


@dataclass(frozen=True)
class Pace:
    """How long a body may take, in seconds from the end of its headers; 0 means no limit."""

    first: float = 15
    """Until its first byte."""

    bytes_per_second: int = 1024
    """Slowest average after that."""

    total: float = 300
    """Until its last byte."""

    def seconds_for(self, received: int) -> float | None:
        """By when more than ``received`` bytes must be there; None: whenever."""
        limits = [self.total] if self.total else []
        if self.first:
            slowest = received / self.bytes_per_second if self.bytes_per_second else 0
            if not received or self.bytes_per_second:
                limits.append(self.first + slowest)
        return min(limits, default=None)


class Reading:
    """One body being read, in time."""

    def __init__(self, pace: Pace, forget: Callable[[], None]) -> None:
        self._pace = pace
        self._forget = forget
        self._begun = asyncio.get_running_loop().time()
        self._timeout: asyncio.Timeout | None = None
        self.arrival: Arrival

    async def next(self, receive: Callable[[], Awaitable[bytes]]) -> bytes:
        """What ``receive`` returns. Raises ``Refused`` when it takes too long."""
        self.check()
        seconds = self._pace.seconds_for(self.arrival.received)
        try:
            async with asyncio.timeout_at(None if seconds is None else self._begun + seconds) as self._timeout:
                data = await receive()
        except TimeoutError:
            self.check()
            raise Refused(TOO_SLOW) from None
        finally:
            self._timeout = None
        self.check()
        self.arrival.received += len(data)
        return data

    def check(self) -> None:
        """Raises ``Refused`` when the share was given to somebody else."""
        if self.arrival.turned_out:
            raise Refused(over_budget())

    def turn_out(self) -> None:
        """Drops what was read and wakes who waits for more."""
        self._forget()
        if self._timeout is not None:
            self._timeout.reschedule(asyncio.get_running_loop().time())


@contextlib.contextmanager
def reading(share: Share, pace: Pace, forget: Callable[[], None]) -> Iterator[Reading]:
    """While a body is read. ``forget`` drops what has been read of it."""
    one = Reading(pace, forget)
    with share.arrives(one.turn_out) as one.arrival:
        yield one
        one.check()


class Pieces:
    """The inflated pieces of one body, within a size and its share."""

    def __init__(self, share: Share, limit: int, option: str) -> None:
        """``option`` names the limit in errors."""
        self._share = share
        self._limit = limit
        self._option = option
        self._only = b""
        self._buffer = io.BytesIO()
        self.size = 0

    def admit(self, length: int | None) -> None:
        """Raises ``Refused`` when a body of that length (None: unknown) has no room now. Little is held of it yet."""
        expected = _STEP_BYTES if length is None else length
        if not self._share.grow_to(expected):
            raise Refused(over_budget())
        self._share.shrink_to(min(expected, _FIRST_BYTES))

    def add(self, piece: bytes, *, besides: int = 0) -> None:
        """``besides``: bytes that the share has to cover in addition. Raises ``TooLargeError`` and ``Refused``."""
        self.size += len(piece)
        if self.size > self._limit:
            raise self.too_large()
        needed = self.size + besides
        if needed > self._share.held:
            ahead = min(self.size, _STEP_BYTES, self._limit - self.size)
            if not self._share.grow_to(needed + ahead) and not self._share.grow_to(needed):
                raise Refused(over_budget())
        # Joined at the end, a body would be in memory twice; a buffer grows in place and hands out what it has.
        if self.size == len(piece):
            self._only = piece
            return
        if self._only:
            self._buffer.write(self._only)
            self._only = b""
        self._buffer.write(piece)

    def join(self) -> bytes:
        """The body; exactly its size is held of the share."""
        self._share.shrink_to(self.size)
        body = self._only or self._buffer.getvalue()
        self.clear()
        return body

    def clear(self) -> None:
        """Lets go of the pieces."""
        self._only = b""
        self._buffer = io.BytesIO()

    def too_large(self) -> TooLargeError:
        return TooLargeError(f"the request is larger than {self._limit} bytes ({self._option})")


async def inflate(
    inflater: Inflater, data: bytes, pieces: Pieces, arriving: Reading | None = None, *, besides: int = 0
) -> None:
    """Adds what ``data`` inflates to. Raises as ``Pieces.add``, ``InvalidDataError``, and ``Refused`` when ``arriving``
    is turned out.
    """
    for piece in inflater.feed(data):
        if arriving is not None:
            arriving.check()
        pieces.add(piece, besides=besides)
        if len(piece) >= _STEP_BYTES:
            await asyncio.sleep(0)  # a well packed body must not hold up everybody else
