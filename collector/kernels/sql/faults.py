"""Items an expression failed on: counted, and logged once in a while."""

from __future__ import annotations

import time

from collector.component.base import Settings
from collector.model.batch import Signal

_EVERY_SECONDS = 60


class SqlFaults:
    """Counts the failures of one processor; ``logged``: also writes them to the log."""

    def __init__(self, settings: Settings, *, logged: bool) -> None:
        self._failed = settings.telemetry.failed_expressions.labels(str(settings.id))
        self._log = settings.log
        self._logged = logged
        self._logged_at = -float(_EVERY_SECONDS)

    def count(self, items: int, signal: Signal) -> None:
        """Adds this many failures. What the items hold is never logged."""
        if not items:
            return
        self._failed.inc(items)
        now = time.monotonic()
        if self._logged and now - self._logged_at >= _EVERY_SECONDS:
            self._logged_at = now
            self._log.warning(
                "an expression failed on some items: they are passed on as they were", items=items, signal=signal.value
            )


def unless_propagate(mode: object) -> object:
    """Raises ``ValueError`` for the Collector's mode that is no mode here."""
    if mode == "propagate":
        raise ValueError(
            "'propagate' would refuse whole requests for one item; it is passed on as it was and counted: "
            "write ignore or silent"
        )
    return mode
