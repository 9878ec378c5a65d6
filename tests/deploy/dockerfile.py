"""The Dockerfile, read without Docker."""

from __future__ import annotations

import re

from tests.deploy.tools import ROOT

PATH = ROOT / "deploy" / "docker" / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """(keyword, rest) in order, continuation lines joined, comments dropped."""
    lines = (line for line in PATH.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#"))
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(keyword, rest) for keyword, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def values(keyword: str) -> list[str]:
    return [rest for name, rest in instructions() if name == keyword]


def copied() -> list[str]:
    """What is copied from the repository, as paths in it."""
    copies = [rest.split() for rest in values("COPY") if not rest.startswith("--from")]
    return [source for words in copies for source in words[:-1]]
