"""What is worked out from the tables and kept, and forgotten together when the tables change."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

_P = ParamSpec("_P")
_T = TypeVar("_T")

_FORGET: list[Callable[[], None]] = []


def kept(size: int | None = None) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Like ``functools.lru_cache``, for answers that depend on the dialect tables.

    ``size``: how many answers are kept; none: all of them.
    """

    def keeping(function: Callable[_P, _T]) -> Callable[_P, _T]:
        cached = functools.lru_cache(maxsize=size)(function)
        _FORGET.append(cached.cache_clear)
        return cast("Callable[_P, _T]", cached)

    return keeping


def forget() -> None:
    """Every such answer is worked out anew when it is next asked for."""
    for clear in _FORGET:
        clear()
