"""The dialect tables: a wrong row is refused when it is read, and a key has one class.

Proves the checks of the format, and that the shipped tables pass them. Does not prove that a row says the right thing
about an SDK.
"""

import copy
from typing import get_args

import pytest
from ruamel.yaml import YAML

from collector.errors import ConfigError
from collector.model.dialects import aliases, compiled_tables, conditions, fact_tables, fields, key_classes, table_files
from collector.model.dialects.messages.shapes import SHAPES
from collector.model.facts.convert import TEXT_CONVERTS

FILE = {
    "dialect": "mine",
    "detect": [{"scope": "mine*"}],
    "rows": [
        {"field": "type", "from": {"key": "mine.kind"}, "values": {"llm": "generation"}},
        {"field": "input_total", "from": {"key": "mine.tokens"}, "convert": "count"},
    ],
}


def changed(change):
    data = copy.deepcopy(FILE)
    change(data)
    return data


def row(**values):
    return lambda data: data["rows"][0].update(values)


def test_a_good_file_is_read():
    file = table_files.check(fact_tables.File, FILE, "mine.yaml")
    assert [r.field for r in file.rows] == ["type", "input_total"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (row(field="typo"), "rows.0.field"),
        (row(convert="shout"), "rows.0.convert"),
        (row(unknown=1), "rows.0.unknown"),
        (row(values={"llm": "generator"}), "generator"),
        (row(values=None), "needs 'values' or 'const'"),
        (row(**{"from": {}}), "exactly one"),
        (row(**{"from": {"key": "a", "resource": "b"}}), "exactly one"),
        (row(**{"from": {"json": "a"}}), "'json' and 'path'"),
        (row(when={"type": ["tool"]}), "condition on the type itself"),
        (row(field="user_id", convert="count", values=None), "does not fit"),
        (lambda data: data["rows"][1].update(convert="text"), "does not fit"),
        (lambda data: data.pop("dialect"), "'detect' needs a 'dialect'"),
        (lambda data: data["rows"][0].update(when={"scpoe": "x"}), "when.scpoe"),
    ],
)
def test_a_wrong_row_is_refused_with_its_place(change, said):
    with pytest.raises(ConfigError, match=r"mine\.yaml") as error:
        table_files.check(fact_tables.File, changed(change), "mine.yaml")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("  - {field: type, from: {key: k}, convrt: text}", "mine.yaml:5: rows.1.convrt: Extra inputs"),
        ("  - {field: type, from: {key: k}, convrt: text}", "(did you mean 'convert'?)"),
        ("  - {field: typ, from: {key: k}}", "mine.yaml:5: rows.1.field: Input should be"),
        ("  - {field: typ, from: {key: k}}", "(did you mean 'type'?)"),
        ("  - {field: user_id, from: {kye: k}}", "rows.1.from.kye: Extra inputs are not permitted (did you mean 'key'"),
        ("content:\n  - {content: inputs, from: {key: k}, shape: value}", "mine.yaml:6: content.0.content: "),
        ("content:\n  - {content: inputs, from: {key: k}, shape: value}", "(did you mean 'input'?)"),
        ("content:\n  - {content: input, from: {key: k}, shape: valu}", "(did you mean 'value'?)"),
        ("content:\n  - {content: input, from: {key: k, prefix: p}, shape: value}", "exactly one of key, indexed"),
        ("rows_: []", "mine.yaml:5: rows_: Extra inputs are not permitted (did you mean 'rows'?)"),
    ],
)  # fmt: skip
def test_a_problem_names_file_line_row_and_key_and_what_may_have_been_meant(line, said):
    text = "dialect: mine\nrows:\n  # a comment\n  - {field: user_id, from: {key: mine.user}}\n" + line + "\n"
    with pytest.raises(ConfigError) as error:
        table_files.check(fact_tables.File, YAML(typ="safe").load(text), "mine.yaml", text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("bounds", "version", "holds"),
    [
        (">=4", "5.0.4", True),
        (">=4", "3.15.0", False),
        ("<=3.3.0", "3.3", True),
        ("<=3.3.0", "3.3.1rc1", False),
        (">=2, <3", "2.9", True),
        (">=2, <3", "3.0", False),
        (">=1", "", False),
        (">=1", "main", False),
        ("==1.3", "v1.3.0", True),
    ],
)
def test_versions_are_compared_as_numbers(bounds, version, holds):
    when = fact_tables.When(scope="x", version=bounds)
    compiled = compiled_tables.Compiled()
    compiled.add(
        fact_tables.File(rows=(fact_tables.Row(field="user_id", source=fact_tables.Source(key="k"), when=when),))
    )
    assert compiled.rules[0].condition.holds(conditions.Origin("x", version, "", ""), 0) is holds


def test_an_unreadable_bound_is_refused():
    when = fact_tables.When(version="newer than 3")
    with pytest.raises(ConfigError, match="newer than 3"):
        compiled_tables.Compiled().add(
            fact_tables.File(rows=(fact_tables.Row(field="user_id", source=fact_tables.Source(key="k"), when=when),))
        )


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("gen_ai.usage.input_tokens", "fact"),
        ("gen_ai.usage.some.new.counter", "fact"),
        ("llm.token_count.prompt_details.cache_read", "fact"),
        ("gen_ai.request.model", "fact"),
        ("gen_ai.operation.name", "fact"),
        ("gen_ai.provider.name", "fact"),
        ("gen_ai.response.finish_reasons", "fact"),
        ("gen_ai.completion.0.finish_reason", "fact"),
        ("gen_ai.response.id", "fact"),
        ("openinference.span.kind", "fact"),
        ("langfuse.observation.usage_details", "fact"),
        ("langfuse.observation.completion_start_time", "fact"),
        ("user.id", "identity"),
        ("session.id", "identity"),
        ("enduser.id", "identity"),
        ("langfuse.observation.metadata.langfuse_user_id", "identity"),
        ("traceloop.association.properties.user_id", "identity"),
        ("user.email", "identity"),
        ("gen_ai.input.messages", "content"),
        ("gen_ai.prompt.0.content", "content"),
        ("gen_ai.completion.0.content", "content"),
        ("input.value", "content"),
        ("metadata", "content"),
        ("genkit:output", "content"),
        ("ai.response.providerMetadata", "content"),
        ("llm.invocation_parameters", "content"),
        ("logfire.msg", "content"),
        ("langfuse.trace.name", "content"),
        ("langfuse.trace.tags", "content"),
        ("gen_ai.tool.name", "content"),
        ("gen_ai.usage", "content"),
        ("something.nobody.knows", "content"),
        ("", "content"),
    ],
)
def test_class_of_a_key(key, expected):
    assert key_classes.key_class(key) == expected


def test_every_known_key_has_one_class():
    classes = {key_classes.key_class(key) for key in key_classes.known_keys()}
    assert classes == {"fact", "identity", "content"}


def test_json_texts_are_never_facts_by_way_of_a_member():
    """A JSON object that rules only look into is content: the rest of it is unknown."""
    for file in table_files.files():
        for r in file.rows:
            if r.source.json_key and r.source.json_key not in {k for f in table_files.files() for k in f.fact_keys}:
                listed = {o.key for f in table_files.files() for o in f.usage_objects if o.path is None}
                usage_keys = table_files.matcher(k for f in table_files.files() for k in f.fact_keys)
                if r.source.json_key not in listed and not usage_keys.match(r.source.json_key):
                    assert key_classes.key_class(r.source.json_key) != "fact", r.source.json_key


def test_the_shipped_tables_compile_and_name_every_dialect_once():
    compiled = compiled_tables.compiled()
    names = [name for name, _ in compiled.dialects]
    assert len(set(names)) == len(names)
    assert {"langfuse", "openinference", "otel_genai", "traceloop", "vercel_ai", "openlit", "mlflow"} <= set(names)
    assert names[-1] == "otel_genai"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OpenAI", "openai"),
        ("anthropic.messages", "anthropic"),
        ("aws.bedrock", "aws.bedrock"),
        ("gcp.vertex_ai", "gcp.vertex_ai"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("LangChain", None),
        ("", None),
        ("somebody", "somebody"),
    ],
)
def test_provider_aliases(text, expected):
    assert aliases.provider(text) == expected


def test_finish_reasons_have_one_spelling():
    spellings = ["tool_calls", "tool-calls", "tool_use", "TOOL_CALL", "function_call"]
    assert {aliases.finish_reason(text) for text in spellings} == {"tool_call"}
    assert aliases.finish_reason("Strange") == "strange"


def test_the_closed_lists_name_the_functions_there_are():
    assert set(get_args(fields.Shape)) == set(SHAPES)
    read_elsewhere = {
        "list",
        "finish_reasons",
        "count",
        "money",
        "iso_time",
        "seconds_after_start",
        "millis_after_start",
    }
    assert set(get_args(fields.Convert)) == {*TEXT_CONVERTS, *read_elsewhere}
