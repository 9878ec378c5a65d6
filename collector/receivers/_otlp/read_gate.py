"""Reads the message of a gRPC call within the budget, its connection's part of it, and its time.

gRPC tells neither how large a message will be nor how much of it has come. So a likely size is reserved before it is
read, and corrected after; and compressed messages are inflated only then, as far as the share can be extended.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable

from collector.component.receiver import ByteBudget
from collector.receivers._shared.arriving import Pace, Pieces, Refused, inflate, reading
from collector.receivers._shared.inflate import INFLATERS
from collector.receivers._shared.status import over_budget
from collector.serving import budget as serving
from collector.serving.budget import Share

_MAX_WAITING = 32
_WAIT_SECONDS = 1.0
_POLL_SECONDS = 0.01

_GZIP = b"\x1f\x8b"
_ZLIB_32K_WINDOW = 0x78
_ZLIB_DICTIONARY = 0x20


class SizeEstimate:
    """The size 19 in 20 requests stay below, learned as they come.

    Each request moves the estimate by a small factor, up 19 times as far as down: it rests where
    one in 20 is larger. It begins high and jumps when it is far too low, as calls whose size is
    underestimated are all read at once.
    """

    def __init__(self, limit: int, *, initial: int = 4 * 1024 * 1024) -> None:
        self._limit = limit
        self._value = float(min(initial, limit))

    @property
    def value(self) -> int:
        """Bytes, between 1 KiB and the limit."""
        return int(self._value)

    def observe(self, size: int) -> None:
        larger = max(self._value * math.exp(0.095), size / 4)
        value = larger if size > self._value else self._value * math.exp(-0.005)
        self._value = min(max(value, min(1024, self._limit)), self._limit)


class ReadGate:
    """Reserves the estimated size for a call that is about to be read, reads it, and holds its real size.

    A reservation is mostly larger than the message and held only while it is read, so a few calls
    may wait a moment for one. They hold nothing; what gRPC has buffered of them is small.
    """

    def __init__(self, budget: ByteBudget, limit: int, seconds: float) -> None:
        """``limit``: bytes of a message, as sent and inflated. ``seconds``: by when it must be there; 0: whenever."""
        self._estimate = SizeEstimate(limit)
        self._limit = limit
        self._pace = Pace(first=seconds, bytes_per_second=0, total=0)
        self._waiting = 0
        self._connection_limit = max(limit, budget.limit // 2) if isinstance(budget, serving.ByteBudget) else limit
        self._arriving: dict[str, int] = defaultdict(int)

    async def read(self, share: Share, connection: str, receive: Callable[[], Awaitable[bytes]]) -> bytes:
        """The inflated message, with exactly its size held of ``share``. ``connection``: who it comes from.

        Raises ``Refused`` (no budget, or too slow), ``TooLargeError``, ``InvalidDataError`` and what ``receive``
        raises; then the caller releases the share.
        """
        reserved = await self._reserve(share, connection)
        try:
            with reading(share, self._pace, lambda: None) as one:
                message = await one.next(receive)
        finally:
            self._leave(connection, reserved)
        self._estimate.observe(len(message))
        if not share.grow_to(len(message)):
            raise Refused(over_budget())
        share.shrink_to(len(message))
        return await self._inflated(message, share)

    async def _reserve(self, share: Share, connection: str) -> int:
        """Refused: the budget is used up, by requests that are being worked on, or this connection's part by others
        of its calls.
        """
        if reserved := self._try_reserve(share, connection):
            return reserved
        if self._waiting >= _MAX_WAITING:
            raise Refused(over_budget())
        self._waiting += 1
        try:
            for _ in range(round(_WAIT_SECONDS / _POLL_SECONDS)):
                await asyncio.sleep(_POLL_SECONDS)
                if reserved := self._try_reserve(share, connection):
                    return reserved
        finally:
            self._waiting -= 1
        raise Refused(over_budget())

    def _try_reserve(self, share: Share, connection: str) -> int:
        """How much was reserved; 0: nothing."""
        size = self._estimate.value
        if self._arriving.get(connection, 0) + size > self._connection_limit or not share.grow_to(size):
            return 0
        self._arriving[connection] += size
        return size

    def _leave(self, connection: str, reserved: int) -> None:
        self._arriving[connection] -= reserved
        if not self._arriving[connection]:
            del self._arriving[connection]

    async def _inflated(self, message: bytes, share: Share) -> bytes:
        encoding = encoding_of(message)
        if not encoding:
            return message
        inflater, pieces = INFLATERS[encoding](), Pieces(share, self._limit, "max_recv_msg_size_mib")
        await inflate(inflater, message, pieces, besides=len(message))
        inflater.finish()
        return pieces.join()


def encoding_of(message: bytes) -> str:
    """``gzip``, ``deflate`` or "" as the message begins: gRPC does not say which it is.

    No OTLP message begins like either. gzip's first byte is none of protobuf's, and zlib's would be a field number
    (15) that no request of OTLP has.
    """
    if message.startswith(_GZIP):
        return "gzip"
    if len(message) > 1 and message[0] == _ZLIB_32K_WINDOW and not message[1] & _ZLIB_DICTIONARY:
        return "" if int.from_bytes(message[:2], "big") % 31 else "deflate"
    return ""
