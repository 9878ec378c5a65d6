"""``service.json`` in the data folder: how other commands find the running service."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "service.json"
_WILDCARDS = {"0.0.0.0", "[::]", ""}  # noqa: S104 - compared with, not bound


@dataclass(frozen=True)
class RunningService:
    """A service that uses the data folder."""

    endpoint: str
    """Address the admin server listens on, ``127.0.0.1:4330``."""
    pid: int


def reachable(address: str) -> str:
    """An address a client on this machine can use: a wildcard is reached as localhost."""
    host, _, port = address.rpartition(":")
    return f"localhost:{port}" if host in _WILDCARDS else address


def write(data_dir: Path, endpoint: str) -> None:
    """Says that this process serves the folder; readable by its owner only."""
    data_dir.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=data_dir, prefix=f".{NAME}.")  # mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(RunningService(endpoint, os.getpid())), file)
    Path(name).replace(data_dir / NAME)


def remove(data_dir: Path) -> None:
    """Takes it back, if it is still that of this process."""
    found = _read(data_dir)
    if found and found.pid == os.getpid():
        (data_dir / NAME).unlink(missing_ok=True)


def read(data_dir: Path) -> RunningService | None:
    """The service that uses the folder, or None when none does (a file left by a kill does not count)."""
    found = _read(data_dir)
    return found if found and _is_alive(found.pid) else None


def _read(data_dir: Path) -> RunningService | None:
    try:
        fields = json.loads((data_dir / NAME).read_text(encoding="utf-8"))
        return RunningService(str(fields["endpoint"]), int(fields["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is there, and somebody else's
        return True
    return pid > 0
