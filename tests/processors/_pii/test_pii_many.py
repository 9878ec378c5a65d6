"""Hundreds of a user's patterns: Hyperscan says which, and finds nothing that RE2 alone would not.

Proves equal results and what falls back to RE2. Does not prove that it is faster.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import pyarrow as pa
import pytest
import structlog
from hypothesis import given, settings, strategies as st

from collector.testing.builders import spans
from processors._pii import many, masking_engine as engines
from processors._pii.many import MANY, HyperscanSet
from processors.pii import Pii
from tests.processors._pii.pii_kit import EMAIL, mask_text, processor

pytestmark = pytest.mark.skipif(importlib.util.find_spec("hyperscan") is None, reason="no wheel for this platform")

_REGEXES = [
    *(rf"\bT{i:03d}-[0-9]{{4}}\b" for i in range(MANY)),
    r"(?i)acme.{1,3}x",
    r"^begin",
    r"end$",
    r"ünï[éà]{2}",
    r"[^a-z ]{3}q",
    r"\pL{2}7",
    r"(?:lo+ng){2,5}",
]
_PATTERNS = [{"name": f"P{i}", "regex": regex} for i, regex in enumerate(_REGEXES)]


def _with_re2_alone(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Pii:
    with monkeypatch.context() as patch:
        patch.setattr(engines, "is_installed", lambda: False)
        return processor(**options)


@pytest.fixture(scope="module")
def both() -> tuple[Pii, Pii]:
    with pytest.MonkeyPatch.context() as patch:
        return processor(patterns=_PATTERNS), _with_re2_alone(patch, patterns=_PATTERNS)


def test_is_chosen_for_large_sets_only(both: tuple[Pii, Pii]) -> None:
    assert both[0]._engine._many is not None
    assert both[1]._engine._many is None
    assert processor(patterns=_PATTERNS[:MANY])._engine._many is None


_PARTS = st.sampled_from(
    (
        *("T001-1234", "T029-99", " ", "acme", "ACMEéx", "begin", "end", "ünï", "éà", "###q", "ab7", "\n"),
        *("\\u0041cme x", "long", "looong", "\\n", '"', "é", "T029-4321.", EMAIL),
    )
)


@settings(deadline=None)
@given(st.lists(_PARTS, max_size=8))
def test_masks_what_re2_alone_masks(both: tuple[Pii, Pii], parts: list[str]) -> None:
    text = "".join(parts)
    assert mask_text(both[0], text) == mask_text(both[1], text)


def test_rows_without_a_find_stay(both: tuple[Pii, Pii]) -> None:
    batch = spans([{"attributes": {"a": f"row {i}"}} for i in range(50)] + [{"attributes": {"a": "T003-1234"}}])
    assert both[0].process(batch).column("attributes").equals(both[1].process(batch).column("attributes"))
    texts = pa.array(["nothing", "T003-1234", None, "", EMAIL])
    assert both[0]._engine.candidates(texts).tolist() == [1, 4]


def test_what_hyperscan_might_read_otherwise_is_left_to_re2() -> None:
    patterns = HyperscanSet(["abc", "a(", r"\pL7", "é", "x+y"])
    assert (patterns.known, patterns.others) == ([0, 4], [1, 2, 3])
    assert patterns.matching(b"abc xxy") == [0, 1, 2, 3, 4]
    assert patterns.matching(b"nothing") == [1, 2, 3]
    assert patterns.matching(b"\xff no text") == [0, 1, 2, 3, 4]


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.pii.is_installed", lambda: False)
    with structlog.testing.capture_logs() as said:
        _with_re2_alone(monkeypatch, patterns=_PATTERNS)
    assert [entry["remedy"] for entry in said] == ["pip install 'spanloom[hyperscan]'"]
    assert many.is_installed()
