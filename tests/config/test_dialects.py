"""Dialects from outside: ``service.dialects`` and the entry points ``spanloom.dialects``.

Proves that files are read, ordered among the built-in dialects and used by what runs afterwards, that every mistake is
a problem of the configuration with file, row and key, and that tables go back to what they were. Does not prove what a
service does that is started twice in one process with different files: it is one configuration for a process.
"""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from collector.component.registry import Registry, installed
from collector.config.load import document, load
from collector.errors import ConfigError
from collector.model.batch import Signal
from collector.model.codec.chosen import encode
from collector.model.dialects import table_files
from collector.model.dialects.key_classes import key_class
from collector.model.facts import added_tables
from collector.model.facts.known_keys import is_known
from collector.offline.dry_run import dry_run
from collector.testing import builders

ACME = """\
title: Acme
about: Acme's agent SDK.
dialect: acme
before: openinference
detect:
  - {any: [acme.*]}
rows:
  - {field: type, from: {key: acme.kind}, values: {llm: generation}}
  - {field: request_model, from: {key: acme.model}}
  - {field: input_total, from: {key: acme.tokens.in}, convert: count}
  - {field: user_id, after: otel_genai, from: {key: acme.user}}
content:
  - {content: input, from: {key: acme.asked}, shape: messages}
  - {content: output, from: {indexed: acme.said}, shape: openinference_messages}
usage_keys: [acme.tokens.*]
"""
CALL = {
    "acme.kind": "llm",
    "acme.model": "gpt-4o-mini",
    "acme.tokens.in": 10,
    "acme.user": "u-1",
    "acme.asked": '[{"role":"user","content":"hi"}]',
    "acme.said.0.message.role": "assistant",
    "acme.said.0.message.content": "hello",
}
CONFIG = """\
receivers: {{otlp: {{protocols: {{http: {{}}}}}}}}
processors: {{cost: {{}}}}
exporters: {{debug: {{}}}}
service:
  dialects: [{files}]
  pipelines:
    traces: {{receivers: [otlp], processors: [cost], exporters: [debug]}}
"""


@pytest.fixture(autouse=True)
def built_in_tables() -> Iterator[None]:
    yield
    added_tables.use(())


def loaded(tmp_path: Path, *texts: str, entry_points: Any = installed, name: str = "acme") -> Any:
    """The configuration with files of these texts, the first of which is ``NAME.yaml``."""
    files = [tmp_path / f"{name}{number or ''}.yaml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(files=", ".join(map(str, files))))
    return load([config], environ={}, data_dir=tmp_path, registry=Registry(entry_points))


def row_of(config: Any, attributes: dict[str, Any] = CALL) -> dict[str, Any]:
    body = encode(builders.spans([{"span_name": "run", "attributes": attributes}]))
    (table,) = dry_run(config, [(Signal.TRACES, body)])
    (row,) = table.to_pylist()
    return row


def test_a_file_of_ones_own_is_read_and_let_go_of(tmp_path: Path) -> None:
    plain = load([], environ={}, data_dir=tmp_path)
    assert (row_of(plain)["type"], row_of(plain)["dialect"]) == ("span", "otel")
    row = row_of(loaded(tmp_path, ACME))
    expected = {
        "dialect": "acme", "type": "generation", "model": "gpt-4o-mini", "input_tokens": 10, "user_id": "u-1",
        "provided_usage": '{"acme.tokens.in":10}',
        "input": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
        "output": '[{"role":"assistant","parts":[{"type":"text","content":"hello"}]}]',
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row["total_cost"] is not None
    assert (key_class("acme.user"), key_class("acme.tokens.in"), is_known("acme.asked")) == ("identity", "fact", True)
    plain = load([], environ={}, data_dir=tmp_path)
    assert (row_of(plain)["type"], row_of(plain)["dialect"]) == ("span", "otel")
    assert (key_class("acme.user"), is_known("acme.asked")) == ("content", False)


def test_it_stands_where_it_says_among_the_built_in_ones(tmp_path: Path) -> None:
    both = {**CALL, "openinference.span.kind": "TOOL", "user.id": "by the conventions"}
    row = row_of(loaded(tmp_path, ACME))
    assert row["user_id"] == "u-1"
    row = row_of(loaded(tmp_path, ACME), both)
    assert (row["dialect"], row["type"], row["user_id"]) == ("acme", "generation", "by the conventions")
    names = [file.table for file in table_files.files()]
    assert names.index("acme") + 1 == names.index("openinference")
    row = row_of(loaded(tmp_path, ACME.replace("before:", "after:")), both)
    assert (row["dialect"], row["type"]) == ("openinference", "tool")


def test_print_config_shows_it(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(ACME)
    (tmp_path / "config.yaml").write_text(CONFIG.format(files=tmp_path / "acme.yaml"))
    shown: Any = document([tmp_path / "config.yaml"], environ={})
    assert shown["service"]["dialects"] == [str(tmp_path / "acme.yaml")]


def point(value: str) -> Any:
    mine = EntryPoint("acme", value, "spanloom.dialects")
    return lambda group: (mine,) if group == mine.group else installed(group)


@pytest.mark.parametrize("value", ["acme_dialects_here", "acme_dialects_here:acme.yaml"])
def test_an_installed_package_brings_one(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "acme_dialects_here"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "acme.yaml").write_text(ACME)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert row_of(loaded(tmp_path, entry_points=point(value)))["dialect"] == "acme"
    finally:
        sys.modules.pop("acme_dialects_here", None)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no_such_package_of_acme", "No module named 'no_such_package_of_acme'"),
        ("collector.model.facts", "collector.model.facts holds no YAML file"),
        ("collector.model.facts:acme.yaml", "FileNotFoundError"),
    ],
)
def test_a_package_that_cannot_be_read_is_named(value: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, entry_points=point(value))
    assert "service.dialects: dialect 'acme' of " in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("key: acme.model", "kye: acme.model", "acme.yaml:9: rows.1.from.kye: Extra inputs are not permitted (did"),
        ("field: request_model", "field: reqest_model", "words in fields.py, not 'reqest_model' (did you"),
        ("usage_keys: [acme.tokens.*]", "", "rows.2.from.key: input_total reads acme.tokens.in, which no usage_keys"),
        ("before: openinference", "before: openinferense", "there is no dialect 'openinferense' (did you mean 'open"),
        ("after: otel_genai,", "after: otel_genai/usr.id,", "(did you mean 'otel_genai/user.id'?)"),
        ("from: {key: acme.tokens.in}", "from: {span_name: true}", "input_total: is read from 'key' or 'json' only"),
        ("- {any: [acme.*]}", "- {scope: acme, version: newest}", "acme.yaml: dialect tables: 'newest' is no bound"),
        ("title: Acme", "title: {", "acme.yaml: while parsing a flow"),
        (ACME, "", "acme.yaml: Input should be a valid dictionary"),
        (ACME, "- 1", "acme.yaml:1: Input should be a valid dictionary"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_problem_of_the_configuration(old: str, new: str, said: str, tmp_path: Path) -> None:
    load([], environ={}, data_dir=tmp_path)
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, ACME.replace(old, new))
    assert "config.yaml:5: service.dialects[0]: " in str(error.value)
    assert said in str(error.value)
    assert len(str(error.value)) < 600
    assert "acme" not in [file.table for file in table_files.files()], "the tables are as they were"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("openinference", "there is a dialect 'openinference' already, openinference.yaml"),
        ("order", "'order' is no name for a dialect"),
        ("My-Own", "'My-Own' is no name for a dialect"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, ACME, name=name)
    assert said in str(error.value)


def test_a_file_that_is_not_there_and_one_that_is_no_table_are_named_together(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(files=f"{tmp_path}/missing.yaml, {tmp_path}/acme.txt"))
    with pytest.raises(ConfigError) as error:
        load([config], environ={}, data_dir=tmp_path)
    assert "service.dialects[0]: " in error.value.problems[0]
    assert "missing.yaml: cannot be read: No such file" in error.value.problems[0]
    assert "acme.txt: a dialect is a file NAME.yaml" in error.value.problems[1]


def test_whatever_a_file_says_only_a_problem_comes_of_it(tmp_path: Path) -> None:
    chance = random.Random(5)
    whole = YAML(typ="safe").load(ACME)
    odd: list[Any] = [None, 7, True, "", "x", [], {}, [None], {"key": 1}, "*", "otel_genai/user.id", ["acme", 3], 1.5]
    refused: list[str] = []
    for _ in range(60):
        content = copy.deepcopy(whole)
        _spoil(content, chance, odd)
        text = StringIO()
        YAML(typ="safe").dump(content, text)
        try:
            row_of(loaded(tmp_path, text.getvalue()))
        except ConfigError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert [said for said in refused if "acme.yaml" not in said] == []


def _spoil(content: Any, chance: random.Random, odd: list[Any]) -> None:
    """Puts something else in place of one value, wherever it stands."""
    at = content
    while True:
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = chance.choice(list(keys))
        if not isinstance(at[key], dict | list) or not at[key] or chance.random() < 0.2:
            at[key] = chance.choice(odd)
            return
        at = at[key]
