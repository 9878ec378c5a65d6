"""No text makes the loader fail in any other way than by naming problems.

Proves that random and damaged texts end in named problems, never in another error. Does not prove that the problems
named are the right ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from collector.component.registry import Registry
from collector.config.load import DEFAULT_YAML, document, load
from collector.errors import ConfigError

ENVIRON = {"A": "1", "B": "{a: ${A}}", "S": "hunter22"}
_words = st.sampled_from(
    [
        *":,[]{}-&*!|>'\"#%@`?$\n\t ",
        "${",
        "${env:",
        "${A}",
        "${B}",
        "<<",
        "a",
        "otlp",
        "\\U",
        "---",
        "null",
        "\x00",
        "é",
    ]
)
soup = st.lists(_words, max_size=30).map("".join)
_KEYS = """
    receivers processors exporters service pipelines traces otlp otlp_http debug endpoint headers policies type name
    key a/b extensions telemetry tail_sampling x
"""
keys = st.sampled_from(["", *_KEYS.split()])
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | keys | soup,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=25,
)


def problems_of(check: Callable[..., object], *arguments: Any, **more: Any) -> tuple[str, ...]:
    """Empty when it was accepted; any other error than ``ConfigError`` gets through."""
    try:
        check(*arguments, **more)
    except ConfigError as error:
        return error.problems or ("a refusal without a reason",)
    return ()


def attempt(text: str, registry: Registry) -> None:
    found = problems_of(load, [f"yaml:{text}"], environ=ENVIRON, data_dir=Path(), registry=registry)
    found += problems_of(document, [f"yaml:{text}"], environ=ENVIRON, registry=registry)
    assert "a refusal without a reason" not in found
    assert "hunter22" not in "".join(found)


shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@given(soup)
@shared
def test_any_text(registry: Registry, text: str) -> None:
    attempt(text, registry)


@given(st.dictionaries(keys, values, max_size=5))
@shared
def test_any_tree(registry: Registry, tree: dict[str, Any]) -> None:
    attempt(json.dumps(tree), registry)


@given(st.integers(0, len(DEFAULT_YAML)), st.integers(0, 12), soup)
@shared
def test_any_edit_of_the_default(registry: Registry, at: int, length: int, text: str) -> None:
    attempt(DEFAULT_YAML[:at] + text + DEFAULT_YAML[at + length :], registry)


@given(st.text(max_size=20), soup)
@shared
def test_any_override(registry: Registry, key: str, value: str) -> None:
    overrides = [f"{key}={value}", key]
    found = problems_of(load, (), overrides=overrides, environ=ENVIRON, data_dir=Path(), registry=registry)
    assert "a refusal without a reason" not in found


@pytest.mark.parametrize("depth", [150, 100_000])
def test_deep_nesting_is_an_error(registry: Registry, depth: int) -> None:
    text = f"yaml:x: {'[' * depth}{']' * depth}"
    found = problems_of(load, [text], environ={}, data_dir=Path(), registry=registry)
    assert any("nested more than 100 levels deep" in problem for problem in found)
