"""Programs that some tests need. ``.ci/install-tools`` puts them into ``.ci/tools``; without them tests skip."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_INSTALLED = ROOT / ".ci" / "tools"


def tool(name: str) -> str:
    """Path of a program; skips the test when it is nowhere."""
    found = shutil.which(name) or shutil.which(name, path=str(_INSTALLED))
    if found is None:
        pytest.skip(f"{name} is not on PATH; .ci/install-tools installs it")
    return found


def call(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def done(*command: str | Path) -> str:
    """Standard output of a command that must succeed."""
    result = call(*command)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
