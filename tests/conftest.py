"""Fixtures that more than one folder needs."""

import os
import socket

import pytest

from collector.model.codec import choice
from tests import skip_report

choice.choose(os.environ.get(choice.VARIABLE))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what was skipped, why, and what to install or run for it."""
    found = skip_report.reasons(terminalreporter.stats.get("skipped", []))
    if found:
        terminalreporter.section(f"{found.total()} tests were skipped")
        for line in skip_report.lines(found):
            terminalreporter.write_line(line)


@pytest.fixture
def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
