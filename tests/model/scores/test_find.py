"""Evaluation results in every form they are sent in, as rows of ``scores``."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from collector.errors import ConfigError
from collector.model import schema
from collector.model.dialects import fact_tables, table_files
from collector.model.dialects.key_classes import key_class
from collector.model.facts import resolve
from collector.model.scores import find, record as scores
from collector.testing import builders
from collector.testing.builders import START_UNIX_NANO

NOW = START_UNIX_NANO + 10**9
EVENT = scores.EVENT_NAME
TRACE, SPAN = f"{1:032x}", f"{1:016x}"


def of_logs(*records, faults=None):
    """Records of the event, on the first span unless they say otherwise."""
    rows = [{"event_name": EVENT, "trace_id": 1, "span_id": 1, **record} for record in records]
    return find.log_scores(builders.logs(rows), NOW, faults).to_pylist()


def said(**attributes):
    """A record with a name and these attributes, by their names in ``scores``."""
    return {"attributes": {scores.NAME: "q", **{getattr(scores, key): value for key, value in attributes.items()}}}


def of_spans(*rows, logs=None, session=None, counted=()):
    spans = resolve.resolve(builders.spans(rows))
    decided = pa.RecordBatch.from_pylist(
        [
            {
                "adjusted_count": 1.0,
                "date": dt.date(2025, 10, 9),
                "ingested_unix_nano": NOW,
                "session_id": session,
                "usage_scope": "counted" if row in counted else None,
            }
            for row in range(len(rows))
        ],
        schema=schema.DECIDED,
    )
    return find.span_scores(spans, decided, logs).to_pylist()


def event(attributes, *, time=START_UNIX_NANO):
    return {"time_unix_nano": time, "name": EVENT, "attributes": attributes}


# the carrier


def test_a_record_by_which_an_api_sends_a_score_is_the_whole_row():
    sent = said(
        VALUE=0.5, LABEL="fair", COMMENT="so so", ENVIRONMENT="prod", ID="s-1", DATA_TYPE="NUMERIC", SOURCE="API",
        CONFIG_ID="c", QUEUE_ID="u", DATASET_RUN_ID="r", METADATA='{"rater": 1}',
    )  # fmt: skip
    (row,) = of_logs(sent)
    received = dt.datetime.fromtimestamp(NOW // 10**9, dt.UTC)
    assert row == {
        "id": "s-1", "trace_id": TRACE, "span_id": SPAN, "session_id": None, "name": "q", "value": 0.5,
        "string_value": "fair", "data_type": "NUMERIC", "source": "API", "comment": "so so", "metadata": '{"rater":1}',
        "timestamp": dt.datetime.fromtimestamp(START_UNIX_NANO // 10**9, dt.UTC), "environment": "prod",
        "config_id": "c", "queue_id": "u", "dataset_run_id": "r", "created_at": received, "updated_at": received,
    }  # fmt: skip


def test_the_tables_read_what_the_carrier_writes():
    (carrier,) = [carrier for file in table_files.files() for carrier in file.scores if EVENT in carrier.events]
    read = {key for keys in carrier.fields.values() for key in keys}
    written = {value for name, value in vars(scores).items() if name.isupper() and isinstance(value, str)}
    assert written - {EVENT} <= read


@pytest.mark.parametrize("kind", scores.DATA_TYPES)
@pytest.mark.parametrize("source", scores.SOURCES)
def test_a_type_and_a_source_that_are_said_stand(kind, source):
    (row,) = of_logs(said(LABEL="true", DATA_TYPE=kind, SOURCE=source))
    assert (row["data_type"], row["source"], row["string_value"]) == (kind, source, "true")
    assert row["value"] == (1.0 if kind == "BOOLEAN" else None)


def test_a_score_of_a_session_has_no_trace():
    (row,) = of_logs({"trace_id": b"", "span_id": b"", **said(SESSION_ID="s", VALUE=1)})
    assert (row["trace_id"], row["span_id"], row["session_id"]) == (None, None, "s")


def test_a_score_of_a_trace_has_no_span():
    (row,) = of_logs({"span_id": b"", **said(VALUE=1)})
    assert (row["trace_id"], row["span_id"]) == (TRACE, None)


def test_ids_by_which_a_score_is_known_are_no_content_to_mask():
    assert {key_class(key) for key in (scores.ID, scores.CONFIG_ID, scores.VALUE, scores.SOURCE)} == {"fact"}
    assert {key_class(key) for key in (scores.COMMENT, scores.METADATA, scores.LABEL, scores.NAME)} == {"content"}


# values


@pytest.mark.parametrize(
    ("value", "label", "expected"),
    [
        (0.25, None, (0.25, None, "NUMERIC")),
        (4, "good", (4.0, "good", "NUMERIC")),
        ("0.8", None, (0.8, None, "NUMERIC")),
        (1, "pass", (1.0, "pass", "NUMERIC")),
        (True, None, (1.0, None, "BOOLEAN")),
        (0.0, "false", (0.0, "false", "BOOLEAN")),
        (0.0, "true", (0.0, "true", "NUMERIC")),
        (None, "relevant", (None, "relevant", "CATEGORICAL")),
        (None, "Pass", (1.0, "Pass", "BOOLEAN")),
        (None, "fail", (0.0, "fail", "BOOLEAN")),
        (None, "true", (1.0, "true", "BOOLEAN")),
        ("relevant", None, (None, "relevant", "CATEGORICAL")),
        (None, None, (None, None, "TEXT")),
    ],
)
def test_the_type_follows_from_what_was_sent(value, label, expected):
    (row,) = of_logs(said(VALUE=value, LABEL=label))
    assert (row["value"], row["string_value"], row["data_type"]) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "NaN", "-Infinity"])
def test_a_value_that_is_no_number_is_null_and_kept_in_the_metadata(value):
    faults = Counter()
    (row,) = of_logs(said(VALUE=value, COMMENT="why"), faults=faults)
    assert (row["value"], row["data_type"], row["comment"]) == (None, "NUMERIC", "why")
    assert scores.VALUE in json.loads(row["metadata"])
    assert faults == {"score_value": 1}


def test_what_else_a_record_says_is_metadata():
    (row,) = of_logs(
        {"attributes": {scores.NAME: "q", "error.type": "timeout", "tenant": "a", scores.METADATA: {"n": [1]}}}
    )
    assert json.loads(row["metadata"]) == {"error.type": "timeout", "tenant": "a", "n": [1]}


@pytest.mark.parametrize("sent", ["no JSON {", "[1, 2]", "7", 7, ["a"]])
def test_metadata_of_any_form_is_kept_as_json(sent):
    (row,) = of_logs(said(VALUE=1, METADATA=sent))
    assert json.loads(row["metadata"]) in (sent, json.loads(sent) if sent in ("[1, 2]", "7") else sent)


def test_a_type_nobody_knows_is_kept_aside():
    (row,) = of_logs(said(VALUE=1, DATA_TYPE="STARS", SOURCE="ORACLE"))
    assert (row["data_type"], row["source"]) == ("NUMERIC", "EVAL")
    assert json.loads(row["metadata"]) == {scores.DATA_TYPE: "STARS", scores.SOURCE: "ORACLE"}


def test_a_record_without_a_name_is_counted_and_skipped():
    faults = Counter()
    rows = of_logs({"attributes": {scores.VALUE: 1}}, {"attributes": {scores.NAME: " "}}, said(VALUE=1), faults=faults)
    assert len(rows) == 1
    assert faults == {"score_name": 2}


def test_ids_of_a_wrong_length_are_no_target_and_are_kept():
    faults = Counter()
    (row,) = of_logs({"trace_id": b"\1\2", "span_id": b"\3", **said(VALUE=1)}, faults=faults)
    assert (row["trace_id"], row["span_id"]) == (None, None)
    assert json.loads(row["metadata"]) == {"trace_id": "0102", "span_id": "03"}
    assert faults == {"score_target": 1}


def test_a_long_comment_is_kept_whole():
    (row,) = of_logs(said(VALUE=1, COMMENT="é" * 500_000))
    assert row["comment"] == "é" * 500_000


def test_the_time_is_the_records_own_then_when_it_was_observed_then_when_it_was_received():
    first, second, third = of_logs(
        {"time_unix_nano": 10**18, **said(VALUE=1)},
        {"time_unix_nano": 0, "observed_time_unix_nano": 2 * 10**18, **said(VALUE=1)},
        {"time_unix_nano": 0, "observed_time_unix_nano": 0, **said(VALUE=1)},
    )
    seconds = [int(row["timestamp"].timestamp()) for row in (first, second, third)]
    assert seconds == [10**9, 2 * 10**9, NOW // 10**9]


def test_the_environment_is_that_of_the_resource_unless_the_record_names_one():
    resource = {"deployment.environment.name": "staging"}
    own, other = of_logs(
        {"resource": resource, **said(VALUE=1, ENVIRONMENT="Prod")}, {"resource": resource, **said(VALUE=2)}
    )
    assert (own["environment"], other["environment"]) == ("prod", "staging")


def test_other_records_are_no_scores():
    assert of_logs({"event_name": "gen_ai.choice"}, {"event_name": "", "attributes": {scores.NAME: "q"}}) == []


any_value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.just(10**400)
    | st.floats()
    | st.text()
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from([v for k, v in vars(scores).items() if k.isupper() and isinstance(v, str)]), any_value
    )
)
def test_no_value_of_any_type_costs_more_than_itself(attributes):
    (row,) = of_logs({"attributes": {**attributes, scores.NAME: "q"}})
    assert row["name"] == "q"
    assert row["data_type"] in scores.DATA_TYPES
    assert row["source"] in scores.SOURCES
    assert row["value"] is None or abs(row["value"]) < float("inf")
    assert row["metadata"] is None or json.loads(row["metadata"]) is not ...


def test_a_number_beyond_every_double_is_kept_as_its_digits():
    (row,) = of_logs({"attributes": {scores.NAME: "q", scores.METADATA: json.dumps({"n": 10**400})}})
    assert json.loads(row["metadata"]) == {"n": str(10**400)}


KEYS = [
    *(f"{scope}annotations.0.annotation." for scope in ("", "trace.", "session.")),
    *(f"{scope}evaluations.1.evaluation." for scope in ("", "trace.", "session.")),
]
MEMBERS = ["name", "score", "label", "explanation", "annotator_kind", "identifier", "metadata"]
ASSESSMENT = [
    "assessment_id", "assessment_name", "feedback", "expectation", "rationale", "source", "metadata", "create_time",
    "create_time_ms", "span_id", "value",
]  # fmt: skip
assessments = st.dictionaries(st.sampled_from(ASSESSMENT), any_value).map(
    lambda value: {"assessment_name": "q", **value}
)
on_spans = st.dictionaries(
    st.sampled_from(
        [prefix + member for prefix in KEYS for member in MEMBERS] + ["gen_ai.eval.x", "mlflow.assessment.x"]
    ),
    any_value | assessments | assessments.map(repr) | assessments.map(lambda value: json.dumps(value, default=str)),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(on_spans, st.dictionaries(st.sampled_from([scores.NAME, scores.VALUE, scores.METADATA, scores.ID]), any_value))
def test_no_value_on_a_span_costs_more_than_its_own_result(attributes, of_event):
    good = {"annotations.9.annotation.name": "good", "annotations.9.annotation.score": 1}
    rows = of_spans({"attributes": {**attributes, **good}, "events": [event(of_event)]})
    assert sum(row["name"] == "good" for row in rows) >= 1
    assert all(row["data_type"] in scores.DATA_TYPES and row["source"] in scores.SOURCES for row in rows)


# one result in two forms


def test_a_result_sent_as_event_and_as_record_is_one_row():
    attributes = {scores.NAME: "relevance", scores.VALUE: 1.0, scores.LABEL: "true", scores.COMMENT: "good"}
    (of_span,) = of_spans({"events": [event(attributes)]})
    (of_log,) = of_logs(
        {"time_unix_nano": 0, "observed_time_unix_nano": START_UNIX_NANO + 90_000, "attributes": attributes}
    )
    named = of_logs({"event_name": "", "attributes": {"event.name": EVENT, **attributes}})
    assert of_span["id"] == of_log["id"] == named[0]["id"]
    both = pa.Table.from_pylist([of_span, of_log], schema=schema.SCORES)
    assert find.newest_scores(both).num_rows == 1


def test_results_that_differ_are_rows_of_their_own():
    attributes = {scores.NAME: "q", scores.VALUE: 1.0}
    hour = 3600 * 10**9
    events = [
        event(attributes), event(attributes), event(attributes, time=START_UNIX_NANO + hour),
        event({**attributes, scores.VALUE: 2.0}), event({**attributes, scores.COMMENT: "other"}),
    ]  # fmt: skip
    rows = of_spans({"events": events})
    assert len({row["id"] for row in rows}) == len(rows) == 5


def test_ids_do_not_depend_on_the_batch_a_result_came_in():
    together = of_logs(said(VALUE=1), said(VALUE=2))
    alone = of_logs(said(VALUE=1)) + of_logs({"time_unix_nano": START_UNIX_NANO + 10**6, **said(VALUE=2)})
    assert together == alone


def test_the_newest_row_of_an_id_wins_and_the_first_time_stays():
    old, new = (dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in (1, 2))
    base = dict.fromkeys(schema.SCORES.names) | {
        "id": "a",
        "name": "q",
        "data_type": "TEXT",
        "source": "API",
        "timestamp": old,
    }
    first = {**base, "value": 1.0, "span_id": SPAN, "created_at": old, "updated_at": old}
    second = {**base, "value": 2.0, "created_at": new, "updated_at": new}
    for order in ([first, second], [second, first]):
        (row,) = find.newest_scores(pa.Table.from_pylist(order, schema=schema.SCORES)).to_pylist()
        assert (row["value"], row["created_at"], row["updated_at"], row["span_id"]) == (2.0, old, new, SPAN)


# spans


def annotation(prefix, **members):
    stem = prefix.rsplit(".", maxsplit=1)[-1].removesuffix("s")
    return {f"{prefix}.0.{stem}.{key}": value for key, value in members.items()}


def test_annotations_judge_the_span_that_carries_them():
    members = {"name": "toxic", "score": 0, "label": "fine", "explanation": "polite", "annotator_kind": "HUMAN",
               "identifier": "v2", "metadata": '{"rubric": "r1"}'}  # fmt: skip
    (row,) = of_spans({"attributes": annotation("annotations", **members)})
    assert (row["trace_id"], row["span_id"], row["name"], row["value"]) == (TRACE, SPAN, "toxic", 0.0)
    assert (row["string_value"], row["comment"], row["source"]) == ("fine", "polite", "ANNOTATION")
    assert row["metadata"] == '{"rubric":"r1"}'


@pytest.mark.parametrize(("kind", "source"), [("LLM", "EVAL"), ("CODE", "EVAL"), ("HUMAN", "ANNOTATION")])
def test_the_kind_of_annotator_is_the_source(kind, source):
    (row,) = of_spans({"attributes": annotation("evaluations", name="q", score=1, annotator_kind=kind)})
    assert row["source"] == source


def test_evaluations_judge_the_span_that_the_evaluator_links_to():
    attributes = {"openinference.span.kind": "EVALUATOR", **annotation("evaluations", name="q", score=1)}
    linked, alone = of_spans(
        {"links": [{"trace_id": 7, "span_id": 8}], "attributes": attributes},
        {"links": [{"trace_id": 7, "span_id": 8}] * 2, "attributes": attributes},
    )
    assert (linked["trace_id"], linked["span_id"]) == (f"{7:032x}", f"{8:016x}")
    assert (alone["trace_id"], alone["span_id"]) == (TRACE, f"{2:016x}")


def test_prefixes_say_what_is_judged():
    attributes = annotation("trace.annotations", name="t", score=1) | annotation(
        "session.evaluations", name="s", score=1
    )
    trace, session = of_spans({"attributes": attributes}, session="S")
    assert (trace["trace_id"], trace["span_id"], trace["session_id"]) == (TRACE, None, None)
    assert (session["trace_id"], session["span_id"], session["session_id"]) == (None, None, "S")


def test_an_identifier_tells_results_of_one_name_and_target_apart_and_no_more():
    def ids(**members):
        return [row["id"] for row in of_spans(*[{"attributes": annotation("annotations", name="q", **members)}] * 2)]

    first, second = ids(identifier="judge", score=1)
    assert first != second
    assert [first, second] == ids(identifier="judge", score=2)
    assert ids(identifier="other", score=1)[0] != first


def test_an_evaluation_that_is_also_an_annotation_of_its_target_is_one_row():
    members = {"name": "q", "score": 1, "identifier": "judge"}
    judged = {"attributes": annotation("annotations", **members)}
    evaluator = {"links": [{"trace_id": 1, "span_id": 1}], "attributes": annotation("evaluations", **members)}
    assert len({row["id"] for row in of_spans(judged, evaluator)}) == 1


def test_two_evaluators_of_one_mind_are_two_rows():
    links = [{"trace_id": 7, "span_id": 8}]
    evaluator = {"links": links, "attributes": annotation("evaluations", name="q", score=1)}
    assert len({row["id"] for row in of_spans(evaluator, evaluator)}) == 2


def test_what_a_trace_is_given_on_each_of_its_spans_is_one_row():
    attributes = annotation("trace.annotations", name="q", score=1)
    assert len({row["id"] for row in of_spans({"attributes": attributes}, {"attributes": attributes})}) == 1


def test_indexes_may_have_gaps_and_come_in_any_order():
    attributes = {
        "annotations.12.annotation.score": 12, "annotations.3.annotation.name": "three",
        "annotations.12.annotation.name": "twelve", "annotations.3.annotation.score": 3,
        "annotations.x.annotation.name": "no",
    }  # fmt: skip
    assert sorted((row["name"], row["value"]) for row in of_spans({"attributes": attributes})) == [
        ("three", 3),
        ("twelve", 12),
    ]


def test_an_mlflow_assessment_is_a_score_of_the_trace_or_of_the_span_it_names():
    assessment = {
        "assessment_id": "a-1", "assessment_name": "correct", "trace_id": "tr-1", "rationale": "why",
        "source": {"source_type": "LLM_JUDGE", "source_id": "gpt"}, "create_time": "2026-01-02T03:04:05Z",
        "feedback": {"value": True, "error": {"error_code": "E"}}, "metadata": {"mlflow.assessment.judgeCost": "0.1"},
    }  # fmt: skip
    attributes = {
        "mlflow.assessment.a-1": json.dumps(assessment),
        "mlflow.traceTag.mlflow.assessment.a-2": json.dumps(
            {**assessment, "assessment_id": "a-2", "span_id": "00" * 7 + "09"}
        ),
        "mlflow.assessment.judgeCost": "0.1",
    }
    first, second = of_spans({"attributes": attributes})
    assert (first["id"], first["trace_id"], first["span_id"], first["source"]) == ("a-1", TRACE, None, "EVAL")
    assert (first["value"], first["data_type"], first["comment"]) == (1.0, "BOOLEAN", "why")
    assert first["timestamp"] == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert json.loads(first["metadata"]) == {
        "trace_id": "tr-1", "source": {"source_id": "gpt"}, "feedback": {"error": {"error_code": "E"}},
        "mlflow.assessment.judgeCost": "0.1",
    }  # fmt: skip
    assert second["span_id"] == "0000000000000009"


def test_an_mlflow_expectation_is_a_correction():
    sent = json.dumps({"assessment_name": "answer", "expectation": {"value": "42"}, "source": {"source_type": "HUMAN"}})
    (row,) = of_spans({"attributes": {"mlflow.assessment.x": sent}})
    assert (row["data_type"], row["string_value"], row["value"], row["source"]) == (
        "CORRECTION",
        "42",
        None,
        "ANNOTATION",
    )


def test_openlit_names_a_score_in_its_key():
    (row,) = of_spans({"attributes": {"gen_ai.eval.groundedness": 0.5}})
    assert (row["name"], row["value"], row["span_id"]) == ("groundedness", 0.5, SPAN)


def test_spans_without_results_have_no_scores():
    assert of_spans({"attributes": {"gen_ai.evaluation.name": "q"}}, {"events": [{"name": "exception"}]}) == []


def test_a_slice_of_a_batch_gives_the_rows_of_the_slice():
    rows = [
        {"attributes": annotation("annotations", name=str(n), score=n), "events": [event({scores.NAME: f"e{n}"})]}
        for n in range(4)
    ]
    spans = resolve.resolve(builders.spans(rows))
    decided = pa.RecordBatch.from_pylist(
        [{"adjusted_count": 1.0, "date": dt.date(2025, 10, 9), "ingested_unix_nano": NOW}] * 4, schema=schema.DECIDED
    )
    whole = find.span_scores(spans, decided, None).to_pylist()
    parts = [find.span_scores(spans.slice(n, 1), decided.slice(n, 1), None).to_pylist() for n in range(4)]
    assert sorted(whole, key=str) == sorted((row for part in parts for row in part), key=str)


# the judged call, by its response


def test_a_result_that_names_a_response_judges_the_call_that_counts():
    record = {
        "event_name": EVENT,
        "trace_id": 1,
        "attributes": {scores.NAME: "q", scores.VALUE: 1, "gen_ai.response.id": "r"},
    }
    without = {**record, "attributes": {scores.NAME: "q"}}
    logs = builders.logs([record, {**record, "trace_id": 2}, {**record, "span_id": 1}, without])
    call = {"attributes": {"gen_ai.response.id": "r", "gen_ai.request.model": "m"}}
    assert find.awaits_span(logs).tolist() == [True, True, False, False]
    (row,) = of_spans(call, call, logs=logs, counted=(1,))
    assert (row["trace_id"], row["span_id"]) == (TRACE, f"{2:016x}")
    alone = find.log_scores(logs.slice(0, 1), NOW).to_pylist()
    assert [r["id"] for r in alone] == [row["id"]]
    joined = find.newest_scores(pa.Table.from_pylist([row, *alone], schema=schema.SCORES)).to_pylist()
    assert [r["span_id"] for r in joined] == [row["span_id"]]


# the format


@pytest.mark.parametrize(
    "entry",
    [
        {"events": ["e"], "named": "x.", "fields": {"name": "n", "value": "v"}},
        {"fields": {"name": "n", "value": "v"}},
        {"events": ["e"], "fields": {"name": "n"}},
        {"events": ["e"], "fields": {"name": "n", "value": "v", "nope": "x"}},
    ],
)
def test_a_wrong_entry_is_refused_by_name(entry):
    with pytest.raises(ConfigError, match=r"x\.yaml: scores\.0"):
        table_files.check(fact_tables.File, {"scores": [entry]}, "x.yaml")
