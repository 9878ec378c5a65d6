"""Evaluation results written on spans, as rows of ``scores``.

Proves whom a result judges and which are one, dialect by dialect. Does not prove results that reach their span in a
later request.
"""

from __future__ import annotations

import datetime as dt
import json

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from collector.model import schema
from collector.model.facts import resolve
from collector.model.scores import find, record as scores
from collector.testing import builders
from tests.model.scores.scores_kit import NOW, SPAN, TRACE, any_value, event, of_spans

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
