"""Evaluation results across their forms: one row each, the judged call, the tables of the format.

Proves identity across carriers, batches and time. Does not prove that stores keep the newest row:
``exporters/test_scores`` does.
"""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from collector.errors import ConfigError
from collector.model import schema
from collector.model.dialects import fact_tables, table_files
from collector.model.scores import find, record as scores
from collector.testing import builders
from collector.testing.builders import START_UNIX_NANO
from tests.model.scores.scores_kit import EVENT, NOW, SPAN, TRACE, event, of_logs, of_spans, said

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
