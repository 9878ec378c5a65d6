"""Evaluation results on records and spans, and the rows found in them."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
from hypothesis import strategies as st

from collector.model import schema
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
