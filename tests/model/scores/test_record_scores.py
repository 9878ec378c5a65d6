"""Evaluation results sent as log records, as rows of ``scores``.

Proves each column, and that odd values cost only themselves. Does not prove Langfuse's HTTP forms:
``receivers/_langfuse`` does.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from collector.model.dialects import table_files
from collector.model.dialects.key_classes import key_class
from collector.model.scores import record as scores
from collector.testing.builders import START_UNIX_NANO
from tests.model.scores.scores_kit import EVENT, NOW, SPAN, TRACE, any_value, of_logs, said

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
