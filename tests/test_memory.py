"""Memory is measured, and near its limit said so.

Proves the measure on this system and the words near the limit. Does not prove that anything is refused because of it
(``e2e/test_memory_limiter``).
"""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from collector import memory


def test_what_is_taken_shows() -> None:
    before = memory.anonymous()
    taken = bytearray(64 << 20)
    taken[::4096] = b"x" * len(taken[::4096])
    assert memory.anonymous() - before > 48 << 20
    assert 0 < memory.anonymous() < memory.available()


def test_a_system_that_does_not_say_never_comes_near(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(memory, "_STATM", tmp_path / "absent")
    assert memory.anonymous() == 0
    assert not memory.Pressure(1)()


@pytest.mark.parametrize(("used", "near"), [(100, False), (101, True)])
def test_above_the_soft_limit_is_near(used: int, near: bool) -> None:
    pressure = memory.Pressure(100, measure=lambda: used)
    with capture_logs() as said:
        assert [pressure(), pressure()] == [near, near]
    assert [entry["log_level"] for entry in said] == ["warning"] * near
