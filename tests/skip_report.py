"""What a test run says at its end about the tests it skipped: how many, why, and what makes them run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

TOOLS = "run .ci/install-tools, then put .ci/tools first on PATH (.ci/run does both)"
REMEDIES: Sequence[tuple[str, str]] = (
    (r"docker", "install Docker and start it"),
    (r"helm|otelcol|collector .*(built|PATH)|kubernetes|kubeconform|hadolint|install-tools", TOOLS),
    (r"langfuse", TOOLS),
    (r"node\b|npm", "install Node.js, then run .ci/install-tools"),
    (r"wheel for this platform|hyperscan", "nothing: there is none for this machine"),
    (r"installed here", "nothing: it tests what happens without"),
    (r"ipv6", "a machine with IPv6 on its loopback"),
    (r"root", "run as another user than root"),
    (r"could not import '([\w.]+)'", r"pip install what brings \1"),
)
"""Pattern of a reason → what to install or run; the first that is found. A reason that says so itself has none."""


def reasons(reports: Iterable[Any]) -> Counter[str]:
    """Reason → tests skipped for it."""
    found: Counter[str] = Counter()
    for report in reports:
        told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        found[told.removeprefix("Skipped: ").strip() or "no reason given"] += 1
    return found


def lines(found: Counter[str]) -> Iterator[str]:
    """The report: a line per reason, those that skip most in front."""
    for reason, tests in found.most_common():
        what = f"{tests} {'test' if tests == 1 else 'tests'}: {reason}"
        remedy = _remedy(reason)
        yield f"{what}; to run {'it' if tests == 1 else 'them'}: {remedy}" if remedy else what


def _remedy(reason: str) -> str:
    for pattern, remedy in REMEDIES:
        if match := re.search(pattern, reason, re.IGNORECASE):
            return match.expand(remedy)
    return ""
