"""Sources, references, overrides and merging.

Proves how sources are read, referred to, overridden and merged before anything is checked. Does not prove that the
Collector would merge the same in every corner: our own rules are written down here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from collector.config import confmap
from collector.config.yaml_tree import find, plain


def load(*sources: str, sets: tuple[str, ...] = (), **environ: str) -> confmap.Document:
    return confmap.load([f"yaml:{source}" for source in sources], overrides=sets, environ=environ)


def value(text: str, **environ: str) -> Any:
    document = load(f"x: {text}", **environ)
    assert document.problems == []
    return plain(find(document.root, ["x"]))


def problem(*sources: str, sets: tuple[str, ...] = (), **environ: str) -> str:
    (only,) = load(*sources, sets=sets, **environ).problems
    return str(only)


# What a variable holds → what the Collector makes of it.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("12", 12),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("true", True),
        ("yes", "yes"),
        ("[a, 1]", ["a", 1]),
        ("{a: {b: c}}", {"a": {"b": "c"}}),
        ("", None),
        ("null", None),
        ("pa$$word", "pa$$word"),
        ("${env:OTHER}", "${env:OTHER}"),
        ("'quoted'", "'quoted'"),
        ("#no comment", "#no comment"),
        ("a #tail", "a #tail"),
        ("*anchor", "*anchor"),
        ("{broken", "{broken"),
        ("2026-11-20", "2026-11-20"),
    ],
)
def test_a_whole_variable_is_read_as_yaml_and_text_stays_as_it_is(text: str, expected: Any) -> None:
    assert value("${env:X}", X=text) == expected
    assert value("${X}", X=text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:${env:PORT}", "localhost:4317"),
        ("${env:PORT}${env:PORT}", "43174317"),
        ("${env:NONE:-fallback}", "fallback"),
        ("${env:NONE:-}", None),
        ("a${env:NONE:-}b", "ab"),
        ("${NONE:-4318}", 4318),
        ("${env:NONE:-${env:PORT}}", 4317),
        ("${env:PORT:-1}", 4317),
        ("'a $${env:PORT} b'", "a ${env:PORT} b"),
        ("$$", "$"),
        ("$5 and $PORT", "$5 and $PORT"),
        ("'${unclosed'", "${unclosed"),
        ("'${yaml:{a: 1}}'", {"a": 1}),
        ("'${yaml:[1, 2]}'", [1, 2]),
    ],
)
def test_references_inside_text_defaults_and_escapes(text: str, expected: Any) -> None:
    assert value(text, PORT="4317") == expected


def test_a_section_from_a_variable_is_expanded_in_turn() -> None:
    assert value("${env:X}", X="{a: '${env:Y}', b: $$}", Y="1") == {"a": 1, "b": "$"}


def test_files_are_values_or_sections(tmp_path: Path) -> None:
    secret, section = tmp_path / "token", tmp_path / "part.yaml"
    secret.write_text("s3cret\n", encoding="utf-8")
    section.write_text("a: ${env:A}\nb: [1]\n", encoding="utf-8")
    assert value(f"'Bearer ${{file:{secret}}}'") == "Bearer s3cret"
    assert value(f"${{file:{secret}}}") == "s3cret"
    assert value(f"${{file:{section}}}", A="2") == {"a": 2, "b": [1]}


def test_a_problem_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    section = tmp_path / "part.yaml"
    section.write_text("a: 1\nb: ${env:NONE}\n", encoding="utf-8")
    assert problem(f"x: ${{file:{section}}}").startswith(f"{section}:2: x.b: the environment variable NONE is not set")


def test_files_that_include_each_other_are_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop.yaml"
    loop.write_text(f"a: ${{file:{loop}}}\n", encoding="utf-8")
    assert "is '${file:" in problem(f"x: ${{file:{loop}}}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${env:NONE}", "the environment variable NONE is not set; set it, or give a default: ${env:NONE:-value}"),
        ("a ${NONE} b", "the environment variable NONE is not set; set it, or give a default: ${env:NONE:-value}"),
        ("${env:1X}", "'1X' is no name of an environment variable; write '$$' for a plain '$'"),
        ("${vault:a/b}", "unknown reference 'vault': use env, file or yaml, or '$$' for a plain '$'"),
        ("${https://a/b}", "a configuration is not fetched over the network: save it as a file first"),
        ("${file:/no/such}", "cannot read the file /no/such: No such file or directory"),
    ],
)
def test_references_that_lead_nowhere_are_errors(text: str, expected: str) -> None:
    assert problem(f"x: {{y: '{text}'}}") == f"yaml:1: x.y: {expected}"


def test_every_unset_variable_is_reported() -> None:
    assert len(load("a: ${A}\nb: ['${B}']\nc: {d: '${C}'}").problems) == 3


def test_a_variable_that_a_later_source_replaces_need_not_be_set() -> None:
    document = load("a: ${env:NONE}", "a: 1")
    assert (document.problems, plain(document.root)) == ([], {"a": 1})


keys = st.sampled_from("abc")
trees: st.SearchStrategy[Any] = st.recursive(
    st.integers() | st.text("xyz", max_size=2) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(keys, trees, max_size=3)


def expected_merge(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        both = {key: expected_merge(base[key], over[key]) for key in base.keys() & over.keys()}
        return {**base, **over, **both}
    return over


def merged(*parts: Mapping[str, Any]) -> Any:
    return plain(load(*(json.dumps(part) for part in parts)).root)


@settings(deadline=None)
@given(documents, documents)
def test_maps_merge_and_everything_else_is_replaced(base: dict[str, Any], over: dict[str, Any]) -> None:
    assert merged(base, over) == expected_merge(base, over)


@settings(deadline=None)
@given(documents, documents, documents)
def test_merging_is_associative(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    assert merged(merged(a, b), c) == merged(a, b, c)


@settings(deadline=None)
@given(documents)
def test_an_empty_source_changes_nothing_and_merging_twice_is_merging_once(a: dict[str, Any]) -> None:
    assert merged(a, {}) == merged({}, a) == merged(a, a) == a


def test_an_empty_section_keeps_what_was_said_before_and_says_so() -> None:
    document = load("processors: {pii: {}}", "processors:\nexporters:")
    assert plain(document.root) == {"processors": {"pii": {}}, "exporters": None}
    (warning,) = document.warnings
    assert str(warning).startswith("yaml:1: processors: this section is empty: what was said before stays")


def test_a_null_value_replaces_a_value() -> None:
    assert plain(load("a: 1", "a: null").root) == {"a": None}


def test_a_section_behind_a_reference_is_merged() -> None:
    assert plain(load("a: ${env:X}", "a: {c: 2}", X="{b: 1}").root) == {"a": {"b": 1, "c": 2}}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("a.b=2", {"a": {"b": 2, "l": [1]}}),
        ("a::b=2", {"a": {"b": 2, "l": [1]}}),
        ("a.l=[3]", {"a": {"b": 1, "l": [3]}}),
        ("a.b=x=y", {"a": {"b": "x=y", "l": [1]}}),
        ("a.b=${env:X}", {"a": {"b": 7, "l": [1]}}),
        ("n.e.w={k: v}", {"a": {"b": 1, "l": [1]}, "n": {"e": {"w": {"k": "v"}}}}),
        ("a.b=", {"a": {"b": None, "l": [1]}}),
    ],
)
def test_set_applies_last_with_yaml_values(override: str, expected: Any) -> None:
    assert plain(load("a: {b: 1, l: [1]}", sets=(override,), X="7").root) == expected


@pytest.mark.parametrize("override", ["a.b", "=1", "a..b=1", ".a=1"])
def test_set_without_a_key_or_value_is_an_error(override: str) -> None:
    assert "expected KEY=VALUE" in problem("{}", sets=(override,))


def test_a_duplicate_key_names_both_lines() -> None:
    text = "a:\n  b: 1\n  c: 2\n  b: 3\n"
    assert problem(text) == "yaml:4: a.b: this key is here twice: first in line 2, again in line 4"


def test_the_same_key_with_and_without_quotes_is_a_duplicate() -> None:
    assert "twice" in problem("a: 1\n'a': 2\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: [1\nb: 2", 2), ("a: 1\n b: 2", 2), ("a: *nothing", 1), ("a: !tag 1", 1), ("a\tb: {", 1), ("a: \x01", 0)],
)
def test_broken_yaml_names_the_line_and_shows_no_content(text: str, line: int) -> None:
    message = problem(text)
    assert message.startswith(f"yaml:{line}: " if line else "yaml: ")
    assert "nothing" not in message


def test_two_documents_in_one_file_are_refused() -> None:
    assert "single document" in problem("a: 1\n---\nb: 2\n")


def test_a_source_that_is_no_map_is_an_error() -> None:
    assert "a map of sections" in problem("[1, 2]")


def test_anchors_and_merge_keys_work() -> None:
    text = "base: &b {x: 1, y: 2}\na: {<<: *b, y: 3}\nc: {<<: [{x: 9}, *b]}"
    tree = plain(load(text).root)
    assert (tree["a"], tree["c"]) == ({"x": 1, "y": 3}, {"x": 9, "y": 2})


def test_a_document_that_explodes_through_aliases_is_refused() -> None:
    lines = ["l0: &l0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 7)]
    assert "more than 200,000 values" in problem("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0123", 123), ("0o17", 15), ("-0x10", -16), ("1_000", 1000), ("on", "on"), ("~", None), (".inf", float("inf"))],
)
def test_scalars_follow_yaml_1_2(text: str, expected: Any) -> None:
    assert value(text) == expected


def test_sources_can_be_variables_and_file_uris(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: 1", encoding="utf-8")
    for source in (path, str(path), f"file:{path}"):
        assert plain(confmap.load([source], overrides=(), environ={}).root) == {"a": 1}
    assert plain(confmap.load(["env:C"], overrides=(), environ={"C": "a: 1"}).root) == {"a": 1}
