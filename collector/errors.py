"""The errors of the collector, sorted by what the caller should do.

::

    CollectorError
    ├── ConfigError            the configuration is wrong: refuse to start, say where
    ├── PermanentError         this data will never be taken: do not send it again
    │   ├── InvalidDataError   ... because it is malformed
    │   └── TooLargeError      ... because it is above a size limit
    ├── RetryableError         not now: send it again later
    └── JournalError           the journal cannot be trusted or written: stop the process

Receivers turn them into a wire status in one place (``collector.receivers._shared.status``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class CollectorError(Exception):
    """Base of everything the collector raises on purpose."""


class ConfigError(CollectorError):
    """The configuration cannot be used. Each problem names file, line and key path."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = problems


class WrongValuesError(ValueError):
    """What a component's options raise when they know which values inside them are wrong.

    The configuration then names the line of each of them, and not that of the section they stand in.
    """

    def __init__(self, problems: Sequence[tuple[Sequence[str | int], str]], text: str = "") -> None:
        """``problems``: (keys and positions from here down to the value, why it is wrong); ``text``: all in one."""
        super().__init__(text or "; ".join(why for _, why in problems))
        self.problems = tuple((tuple(path), why) for path, why in problems)


class PermanentError(CollectorError):
    """The data will never be accepted; sending it again is pointless."""


class InvalidDataError(PermanentError):
    """The bytes are not what they claim to be (HTTP 400, gRPC INVALID_ARGUMENT)."""


class TooLargeError(PermanentError):
    """A request is above the size limit, as sent or inflated (HTTP 413, RESOURCE_EXHAUSTED)."""


class RetryableError(CollectorError):
    """A temporary condition; the sender keeps the data and tries again."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds the sender should wait; None leaves it to the sender's own back-off."""


class JournalError(CollectorError):
    """The journal is damaged or cannot be written. Not retried: the process ends."""


def where(error: BaseException) -> str:
    """File and line where an error was raised: what a log may say of one whose text could quote data."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"


def suggest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)``, or nothing when no name is near."""
    names = list(known)
    lower = {name.lower().replace("-", "_"): name for name in names}
    near = get_close_matches(word.lower().replace("-", "_"), lower, n=1, cutoff=0.6)
    return f" (did you mean {lower[near[0]]!r}?)" if near else ""
