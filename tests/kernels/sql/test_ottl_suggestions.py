"""What is printed instead of OTTL can be run: every editor, function and path of OTTL, in every context.

Each piece of OTTL is put where the Collector takes it, and what the error says is read back as configuration. Proves
that it is accepted. Does not prove that a translation means the same: ``tests/differential`` does, with the Collector
itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from collector.config import confmap
from collector.config.yaml_tree import plain
from collector.errors import WrongValuesError
from collector.kernels.sql.ottl import condition_of, in_yaml, operation_of, sql_of
from connectors.routing import Config as RoutingConfig
from processors.filter import Config as FilterConfig
from processors.tail_sampling import Config as SamplingConfig
from processors.transform import Config as TransformConfig

CONTEXTS = ("resource", "scope", "span", "spanevent", "metric", "datapoint", "log")
ITEMS = {"traces": "span", "logs": "log", "metrics": "metric"}
OF_SIGNAL = {
    "traces": ("resource", "scope", "span", "spanevent"),
    "logs": ("resource", "scope", "log"),
    "metrics": ("resource", "scope", "metric", "datapoint"),
}
SUGGESTS = " → "
NONE = "there is no translation"

ATTRIBUTES = (
    'attributes["a"]', 'resource.attributes["service.name"]', 'span.attributes["it\'s"]', 'attributes["a"]["b"]',
    'log.attributes["x y"]', 'datapoint.attributes["Key"]', 'scope.attributes["s"]', 'attributes["q\\"s"]',
    'instrumentation_scope.attributes["s"]', 'metric.metadata["m"]', 'attributes[0]', 'body["k"]',
)  # fmt: skip
TEXTS = (
    "name", "status.message", "trace_state", "kind.string", "scope.name", "instrumentation_scope.version",
    "trace_id.string", "parent_span_id.string", "body", "body.string", "severity_text", "event_name", "description",
    "unit", "metric.name", "metric.unit", "span.name", "log.body", "schema_url", "resource.schema_url", "cache",
)  # fmt: skip
NUMBERS = (
    "kind", "status.code", "span.status.code", "severity_number", "log.severity_number", "type", "metric.type",
    "start_time_unix_nano", "end_time_unix_nano", "time_unix_nano", "observed_time_unix_nano", "value_int", "count",
    "value_double", "sum", "flags", "dropped_attributes_count", "aggregation_temporality", "start_time", "events",
    "trace_id", "span_id", "parent_span_id", "is_monotonic", "status", "links", "quantile_values",
)  # fmt: skip
LITERALS = (
    '"x"', '"it\'s $$ ${env:X} \\"q\\" \\n\\t"', '"\x7f\u2028é"', '""',
    "0", "1", "2", "3", "9", "-1", "1.5", "true", "false", "nil",
    "STATUS_CODE_ERROR", "STATUS_CODE_UNSET", "SPAN_KIND_CLIENT", "SEVERITY_NUMBER_WARN", "SEVERITY_NUMBER_FATAL4",
    "METRIC_DATA_TYPE_SUM", "AGGREGATION_TEMPORALITY_DELTA", '"Client"', '"a" + "b"', "1 / 2", '["a", "b"]',
    "SpanID(0x0000000000000000)", "SpanID(0x00000000000000aa)", "TraceID(0x00)", "0x0a", "NO_SUCH_CONSTANT",
)  # fmt: skip
CONVERTERS = (
    "Base64Decode", "Bool", "Concat", "ContainsValue", "ConvertCase", "ConvertTextToElementsXML", "Day", "Decode",
    "Double", "Duration", "ExtractGrokPatterns", "ExtractPatterns", "FNV", "Format", "FormatTime", "GetXML",
    "HasPrefix", "HasSuffix", "Hex", "Hour", "Hours", "Index", "InsertXML", "Int", "IsBool", "IsDouble", "IsInt",
    "IsInCIDR", "IsList", "IsMap", "IsMatch", "IsRootSpan", "IsString", "IsValidLuhn", "Keys", "Len", "Log", "MD5",
    "Microseconds", "Milliseconds", "Minute", "Month", "Murmur3Hash", "Nanoseconds", "Now", "ParseCSV", "ParseInt",
    "ParseJSON", "ParseKeyValue", "ParseSeverity", "ParseSimplifiedXML", "ParseXML", "ProfileID", "RemoveXML", "SHA1",
    "SHA256", "SHA512", "Second", "Seconds", "SliceToMap", "Sort", "SpanID", "Split", "String", "Substring", "Time",
    "ToCamelCase", "ToKeyValueString", "ToLowerCase", "ToSnakeCase", "ToUpperCase", "TraceID", "Trim", "TrimPrefix",
    "TrimSuffix", "TruncateTime", "URL", "UUID", "Unix", "UnixMicro", "UnixNano", "UserAgent", "Values", "Weekday",
    "XXH3", "Year", "HasAttrKeyOnDatapoint", "HasAttrOnDatapoint",
)  # fmt: skip
EDITORS = (
    "append", "convert_sum_to_gauge", "copy_metric", "delete_index", "delete_key", "delete_keys",
    "delete_matching_keys", "extract_count_metric", "extract_sum_metric", "flatten", "keep_keys", "keep_matching_keys",
    "limit", "merge_maps", "replace_all_matches", "replace_all_patterns", "replace_match", "replace_pattern",
    "scale_metric", "set", "truncate_all",
)  # fmt: skip
SIGNS = ("==", "!=", "<", "<=", ">", ">=")
FORMS = (
    "{}", "not {}", "{} == true", "false != {}", '{} == "x"', "{} > 1", '{}["k"] != 1', '{} and name == "x"',
    '{}["k"] == "x"', '"x" != {} or true',
)  # fmt: skip
MAPS = ("attributes", "resource.attributes", "scope.attributes", "span.attributes", "body", "name", 'attributes["a"]')
ARGUMENTS = (
    "", ', "k"', ', ["a", "b\\"c"]', ", []", ', "["', ', "^a[.]"', ", 5", ", -5", ', "value", "a(b)?", "$1$$"',
    ', "value", "a", "$1"', ', "key", "a", "b"', ', "(?P<x>a)", "${x}"', ', "a.(c)", "<${1}>\\\\d"', ', 3, ["a"]',
    ', 3, []', ', "a", "b", SHA256', ', attributes, "upsert"', ', "a*", "b"', ", name", ", 1.5", ', "x$$y${z}"',
)  # fmt: skip


def conditions() -> Iterator[str]:
    """Every path with every literal, every function with every kind of argument; signs and forms take turns."""
    paths = (*ATTRIBUTES, *TEXTS, *NUMBERS)
    signs, forms = itertools.cycle(SIGNS), itertools.cycle(FORMS)
    yield from (f"{path} {next(signs)} {literal}" for path in paths for literal in LITERALS)
    yield from (f"{literal} {next(signs)} {path}" for path in NUMBERS for literal in ("1", "nil", "true"))
    yield from (f"{one} {next(signs)} {other}" for one in paths for other in paths[::9])
    for name in CONVERTERS:
        for arguments in ("", "name", 'attributes["a"]', 'name, "x"', 'attributes["a"], "["', '["a"], "b"', "body, 1"):
            yield next(forms).format(f"{name}({arguments})")
    arithmetic = ("end_time_unix_nano - start_time_unix_nano", 'attributes["a"] / 2', "(count + 1) * sum", 'name + "x"')
    yield from (f"{sum_} {sign} 5" for sum_ in arithmetic for sign in SIGNS)
    yield from ("", "and", "true", "nil", "not name", "not (true and false)", 'a.b.c == "x"')
    yield "(" * 50 + "true" + ")" * 50


def statements() -> Iterator[str]:
    """Every target with every value, every editor with every kind of argument."""
    targets = (*ATTRIBUTES, *TEXTS, *NUMBERS)
    yield from (f"set({target}, {value})" for target in targets for value in LITERALS)
    yield from (f"set({target}, {value})" for target in targets[::3] for value in targets[::3])
    calls = itertools.cycle(('set(attributes["new"], {})', "set(name, {})", 'set(body, {}["k"])'))
    for name in CONVERTERS:
        for arguments in ("", "name", 'attributes["a"]', 'name, "x"', '["a", name], "b"'):
            yield next(calls).format(f"{name}({arguments})")
    yield from (f"{name}({where}{more})" for name in EDITORS for where in MAPS for more in ARGUMENTS)
    some = itertools.islice(conditions(), 0, None, 40)
    yield from (f'delete_key(attributes, "k") where {condition}' for condition in some)
    yield from ("", "set", "set(", "name", 'set(name, "x") when true', 'set(name, "x") where')


CONDITIONS, STATEMENTS = list(dict.fromkeys(conditions())), list(dict.fromkeys(statements()))


AND_NOT = "starts_with(attributes['a'], 'x') and span_name is distinct from 'y'"
REPLACED = {"set": "body", "to": r"regexp_replace(body, 'a(b)', '\1\\n$', 'g')"}


def wrong_values(error: ValidationError) -> WrongValuesError:
    """The one that knows its places; beside it a list without a good item is called too short."""
    (found,) = [one["ctx"]["error"] for one in error.errors() if one["type"] == "value_error"]
    assert isinstance(found, WrongValuesError)
    return found


def answers(config: type[BaseModel], options: dict[str, Any]) -> list[str]:
    """What the error says about each piece of OTTL, behind its arrow."""
    with pytest.raises(ValidationError) as caught:
        config(**options)
    wrong = wrong_values(caught.value)
    assert all(path for path, _ in wrong.problems)
    return [said.rpartition(SUGGESTS)[2] for _, said in wrong.problems]


def suggested(said: Sequence[str]) -> list[str]:
    """Those that are suggestions; the others say why there is none."""
    without = [one for one in said if one.startswith(NONE)]
    assert all(len(one) > len(f"{NONE}: ") for one in without)
    return [one for one in said if one not in without]


def as_configured(text: str) -> Any:
    """What a configuration file makes of it."""
    document = confmap.literal(f"it: {text}", "c.yaml")
    found = confmap.layered(document, overrides=(), environ={})
    assert not found.problems
    return plain(found.root.get("it"))  # type: ignore[union-attr]


@pytest.mark.parametrize("signal", ITEMS)
def test_operations_that_are_printed_can_be_configured(signal: str) -> None:
    texts = STATEMENTS[list(ITEMS).index(signal) :: 3]
    key = f"{signal.removesuffix('s')}_statements"
    listed = [{"context": context, "statements": texts} for context in OF_SIGNAL[signal]]
    said = answers(TransformConfig, {key: [*listed, *texts[::9]]})
    assert len(said) == len(texts) * len(listed) + len(texts[::9])

    operations = [as_configured(text) for text in dict.fromkeys(suggested(said))]
    assert len(operations) > 60
    TransformConfig(sql={ITEMS[signal]: operations})  # type: ignore[arg-type]


@pytest.mark.parametrize("signal", ITEMS)
def test_conditions_that_are_printed_can_be_configured(signal: str) -> None:
    texts = CONDITIONS[list(ITEMS).index(signal) :: 3]
    said = answers(FilterConfig, {signal: dict.fromkeys(OF_SIGNAL[signal], texts)})
    assert len(said) == len(texts) * len(OF_SIGNAL[signal])

    found = [as_configured(in_yaml_again(text)) for text in dict.fromkeys(suggested(said))]
    assert len(found) > 60
    FilterConfig(sql={ITEMS[signal]: found})  # type: ignore[arg-type]


def in_yaml_again(text: str) -> str:
    """SQL is printed without quotes: whoever copies it puts them around it."""
    return "'" + text.replace("'", "''") + "'" if text.isprintable() else in_yaml(text.replace("$$", "$"))


@pytest.mark.parametrize("context", ["resource", "span", "log", "metric", "datapoint"])
def test_rows_of_a_routing_table_that_are_printed_can_be_configured(context: str) -> None:
    for text in CONDITIONS[::29]:
        row = {"context": context, "pipelines": ["traces/a"]}
        for sql in suggested(answers(RoutingConfig, {"table": [{**row, "condition": text}]})):
            RoutingConfig(table=[{**row, "sql": as_configured(in_yaml_again(sql))}])  # type: ignore[list-item]


def test_policies_that_are_printed_can_be_configured() -> None:
    policy = {
        "name": "o",
        "type": "ottl_condition",
        "ottl_condition": {"span": CONDITIONS[::5], "spanevent": ["true"]},
    }
    with pytest.raises(ValidationError) as caught:
        SamplingConfig(policies=[policy])  # type: ignore[list-item]
    message = str(wrong_values(caught.value))
    printed = as_configured(message.partition("'type: sql': sql: ")[2].rpartition(" (and")[0])
    assert len(printed["span"]) > 30
    SamplingConfig(policies=[{"name": "o", "type": "sql", "sql": printed}])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("context", "statement", "operation"),
    [
        ("resource", 'keep_keys(attributes, ["service.name"])', {"keep": ["service.name"], "of": "resource"}),
        ("resource", 'set(attributes["a"], "x")', {"set": "resource['a']", "to": "'x'"}),
        ("span", 'keep_keys(attributes, ["a"])', {"keep": ["a"]}),
        ("span", "set(status.code, 1)", {"set": "status_code", "to": "'OK'"}),
        ("span", "set(kind, SPAN_KIND_SERVER)", {"set": "kind", "to": "'SERVER'"}),
        ("span", 'set(attributes["code"], STATUS_CODE_ERROR)', {"set": "attributes['code']", "to": "2"}),
        ("span", "limit(attributes, 2) where kind == 2", {"limit": 2, "where": "kind = 'SERVER'"}),
        ("log", "set(severity_number, SEVERITY_NUMBER_WARN2)", {"set": "severity_number", "to": "14"}),
        ("datapoint", 'delete_key(attributes, "a") where metric.unit == "s"', {"delete": ["a"], "where": "unit = 's'"}),
        ("log", 'replace_pattern(body, "a(b)", "$1\\\\n$$")', REPLACED),
        ("span", "set(status.code, 7)", None),
        ("span", "set(status.code, status.code)", None),
        ("span", 'set(attributes["k"], kind)', None),
        ("span", 'set(attributes["sum"], attributes["a"] + 1)', None),
        ("scope", 'keep_keys(attributes, ["a"])', None),
        ("metric", 'keep_keys(attributes, ["a"])', None),
        ("spanevent", 'set(attributes["a"], "x")', None),
        ("log", 'set(span.name, "x")', None),
    ],
)  # fmt: skip
def test_a_statement_is_translated_in_its_context(context: str, statement: str, operation: Any) -> None:
    made = operation_of(statement, context)
    assert (made and YAML(typ="safe").load(made)) == operation


@pytest.mark.parametrize(
    ("context", "condition", "sql"),
    [
        ("resource", 'attributes["a"] == "x"', "resource['a'] = 'x'"),
        ("span", "status.code == 2", "status_code = 'ERROR'"),
        ("span", "2 != status.code", "status_code is distinct from 'ERROR'"),
        ("span", "status.code < 2", "status_code in ('UNSET', 'OK')"),
        ("span", "kind == 3", "kind = 'CLIENT'"),
        ("span", "SPAN_KIND_SERVER < kind", "kind in ('CLIENT', 'PRODUCER', 'CONSUMER')"),
        ("span", 'parent_span_id.string == "a"', "coalesce(parent_span_id, '0000000000000000') = 'a'"),
        ("span", 'HasPrefix(attributes["a"], "x") and name != "y"', AND_NOT),
        ("span", "trace_id == TraceID(0x000000000000000000000000000000ab)", f"trace_id = '{'0' * 30}ab'"),
        ("log", "severity_number >= SEVERITY_NUMBER_ERROR4", "severity_number >= 20"),
        ("metric", "type == METRIC_DATA_TYPE_SUM", "kind = 'sum'"),
        ("metric", "is_monotonic == false", "(case when kind = 'sum' then is_monotonic end) is false"),
        ("datapoint", 'metric.name == "up" and attributes["a"] == nil', "name = 'up' and attributes['a'] is null"),
        ("span", 'attributes["a"] == attributes["b"]', "attributes['a'] is not distinct from attributes['b']"),
        ("span", 'IsMatch(name, "a") == false', "(regexp_matches(span_name, 'a')) is not true"),
        ("span", "end_time_unix_nano / 1000 > 5", "end_unix_nano // 1000 > 5"),
        ("span", 'name == "a\\nb"', "span_name = 'a\nb'"),
    ],
)  # fmt: skip
def test_a_condition_is_translated_in_its_context(context: str, condition: str, sql: str) -> None:
    assert sql_of(condition, context) == sql


@pytest.mark.parametrize(
    ("context", "condition", "why"),
    [
        ("span", 'FNV(name) == 1', "FNV() has none"),
        ("span", 'events == "x"', "events: there is no column for it"),
        ("span", "status.code == 7", "status_code has no number 7"),
        ("span", 'status.code == "Error"', "status_code is a name here"),
        ("span", 'kind.string == "client"', 'as in "Client"'),
        ("span", 'not HasPrefix(attributes["a"], "x")', "fails where that is missing"),
        ("span", 'HasPrefix(attributes["a"], "x") == false', "fails where that is missing"),
        ("span", 'name == "b" or ToLowerCase(attributes["a"]) == "x"', "fails where that is missing"),
        ("span", "name == 5", "of different types"),
        ("log", "body > 3", "a body is text here"),
        ("span", 'name == "a\\qb"', "is no escape"),
        ("span", 'IsMatch(name, "[")', "missing ]"),
        ("scope", 'attributes["a"] == "x"', "attributes of scopes cannot be looked at"),
        ("metric", 'attributes["a"] == "x"', "a metric has no attributes, its points do"),
        ("datapoint", "value_double > 3", "a point has one 'value' here"),
        ("resource", 'span.name == "x"', "span.name cannot be seen in the context resource"),
        ("spanevent", 'name == "x"', "span events are no items here"),
        ("profile", 'name == "x"', "profile is no context"),
    ],
)  # fmt: skip
def test_what_has_no_translation_is_named_with_the_reason(context: str, condition: str, why: str) -> None:
    made = condition_of(condition, context)
    assert made.text is None
    assert why in made.why


@given(st.text(alphabet="az\"\\$({\n\x7f\x85\ufeff\ud800é'", max_size=20))
def test_whatever_a_text_holds_it_comes_back_from_a_configuration(text: str) -> None:
    text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    assert as_configured(in_yaml({"set": [text]})) == {"set": [text]}


def test_the_documented_translations_are_in_the_default_context() -> None:
    table = YAML(typ="safe").load((Path(__file__).parents[3] / "collector/kernels/sql/ottl.yaml").read_text())
    assert [sql_of(entry["ottl"], "span") for entry in table["conditions"]] == [e["sql"] for e in table["conditions"]]
