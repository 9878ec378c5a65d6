"""Price files as they are now: read again when they change, the last good ones kept when a new one is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from processors._prices.litellm import LiteLlmPrices, read_litellm
from processors._prices.pricer import Pricer, Table
from processors._prices.user import PriceEntry, UserPrices, read_prices
from spanloom import Settings

_Signature = tuple[tuple[int, int, int] | None, ...]
"""Per file its modification time, size and inode; none: it is not there."""


@dataclass(frozen=True)
class PriceFiles:
    """Where prices come from besides the built-in list."""

    overrides: Sequence[PriceEntry] = ()
    own: Path | None = None
    litellm: Path | None = None

    def signature(self) -> _Signature:
        """Differs when a file does."""
        return tuple(_signature(path) for path in (self.own, self.litellm) if path is not None)

    def pricer(self, built_in: Table) -> Pricer:
        """Reads the files. Raises ``ValueError`` naming the file that is wrong."""
        tables: list[Table] = [UserPrices(self.overrides, "overrides")] if self.overrides else []
        if self.own is not None:
            tables.append(UserPrices(*read_prices(self.own)))
        tables.append(built_in)
        if self.litellm is not None:
            entries, name = read_litellm(self.litellm)
            tables.append(LiteLlmPrices(entries, f"litellm {name}"))
        return Pricer(tables)


class ReloadingPricer:
    """The pricer over the files' present contents."""

    def __init__(self, files: PriceFiles, built_in: Table, settings: Settings) -> None:
        self._files = files
        self._built_in = built_in
        self._log = settings.log
        self._reloads = settings.telemetry.counter(
            "spanloom_cost_price_reloads", "Price files read again after a change.", ("outcome",)
        )
        self._signature = files.signature()
        self._pricer = files.pricer(built_in)

    def current(self) -> Pricer:
        """Looks whether a file changed: two system calls. A wrong one is logged, counted and not used."""
        signature = self._files.signature()
        if signature != self._signature:
            self._signature = signature
            self._reload()
        return self._pricer

    def _reload(self) -> None:
        try:
            self._pricer = self._files.pricer(self._built_in)
        except ValueError as error:
            self._reloads.labels("failed").inc()
            # Its text says all.
            self._log.error("the changed price file is not used", error=str(error), prices="as before")
        else:
            self._reloads.labels("done").inc()
            self._log.info("price files read again")


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
