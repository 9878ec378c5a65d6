"""Inflates request bodies piece by piece, so that a bomb is noticed before it is in memory."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import zstandard

from collector.errors import InvalidDataError

PIECE_BYTES = 1024 * 1024
"""Most that gzip and deflate yield at once."""

_ZSTD_INPUT_BYTES = 512
"""zstandard cannot bound its output; a block of 4 bytes makes at most 128 KiB of it."""

_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
"""RFC 9659: a recipient of ``Content-Encoding: zstd`` need not accept larger windows."""


class Inflater(Protocol):
    """Undoes one ``Content-Encoding``."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Pieces of inflated bytes, made as they are asked for. Raises ``InvalidDataError``."""

    def finish(self) -> None:
        """Raises ``InvalidDataError`` when the body ended before its time."""


class _Zlib:
    """gzip (also of several members) and deflate (RFC 1950)."""

    def __init__(self, name: str, wbits: int) -> None:
        self._name = name
        self._wbits = wbits
        self._stream = zlib.decompressobj(wbits)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._stream.eof:
                self._stream = zlib.decompressobj(self._wbits)
            self._begun = True
            try:
                piece = self._stream.decompress(data, PIECE_BYTES)
            except zlib.error:
                raise InvalidDataError(f"the body is not valid {self._name}") from None
            data = self._stream.unused_data or self._stream.unconsumed_tail
            if piece:
                yield piece

    def finish(self) -> None:
        if self._begun and not self._stream.eof:
            raise InvalidDataError(f"the {self._name} body is truncated")


class _Zstd:
    """zstd, also of several frames."""

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        self._stream = self._decompressor.decompressobj()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_INPUT_BYTES):
            yield from self._feed(data[start : start + _ZSTD_INPUT_BYTES])

    def _feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._stream.eof:
                self._stream = self._decompressor.decompressobj()
            self._begun = True
            try:
                piece = self._stream.decompress(data)
            except zstandard.ZstdError:
                raise InvalidDataError("the body is not valid zstd") from None
            data = self._stream.unused_data if self._stream.eof else b""
            if piece:
                yield piece

    def finish(self) -> None:
        if self._begun and not self._stream.eof:
            raise InvalidDataError("the zstd body is truncated")


INFLATERS: Mapping[str, Callable[[], Inflater]] = {
    "gzip": lambda: _Zlib("gzip", 16 + zlib.MAX_WBITS),
    "deflate": lambda: _Zlib("deflate", zlib.MAX_WBITS),
    "zstd": _Zstd,
}
"""By name of the ``Content-Encoding``."""
