"""The sampling threshold in a tracestate: read, written, and read again.

Proves probabilities and their digits, and that other members stay. Does not prove what samplers make of them.
"""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from collector.model import trace_state


@pytest.mark.parametrize(
    ("text", "probability"),
    [
        ("", 1.0),
        ("ot=th:8", 0.5),
        ("vendor=x, ot=rv:abcdef01234567;th:c", 0.25),
        ("ot=th:0", 1.0),
        ("ot=th:ffffffffffffff", 2**-56),
        ("ot=th:", 1.0),
        ("ot=th:xyz", 1.0),
        ("ot=th:123456789abcdef", 1.0),  # longer than 56 bits
        ("ot=p:8", 1.0),
        ("other=th:8", 1.0),
        ("ot=th:8,ot=th:8", 1.0),  # no trace state
    ],
)
def test_the_threshold_says_how_likely_a_span_was_to_come(text: str, probability: float) -> None:
    assert trace_state.probability(text) == probability


@pytest.mark.parametrize(
    ("text", "kept", "written"),
    [
        ("", 0.5, "ot=th:8"),
        ("", 0.25, "ot=th:c"),
        ("a=1,ot=rv:abcdef01234567;th:8,b=2", 0.125, "ot=th:e;rv:abcdef01234567,a=1,b=2"),
        ("", 0.1, "ot=th:e666"),
        ("", 0.0001, "ot=th:fff9724"),
        ("ot=th:8,a=1", 1.0, "a=1"),
        ("a=1", 1.0, "a=1"),
        ("not, a trace state", 0.5, "ot=th:8"),
    ],
)
def test_the_threshold_is_written_before_what_else_is_there(text: str, kept: float, written: str) -> None:
    assert trace_state.with_probability(text, kept) == written


@given(st.floats(1e-9, 1.0))
def test_what_is_written_is_read_to_four_digits(kept: float) -> None:
    assert trace_state.probability(trace_state.with_probability("", kept)) == pytest.approx(kept, rel=1e-3)


def test_there_are_never_too_many_members() -> None:
    many = ",".join(f"k{n}=v" for n in range(32))

    assert trace_state.members(trace_state.with_probability(many, 0.5)) is not None
