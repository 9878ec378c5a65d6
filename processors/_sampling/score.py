"""``score``: evaluation results that came with a trace, in its spans, their events or its log records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from processors._sampling.policy import Options, Policy
from processors._sampling.text_options import numpy
from spanloom import Bools, PolicyVerdicts, Traces, log_scores, sampled_where, schema, span_scores


class ScoreOptions(Options):
    name: str = ""
    """If given, only results of this name."""

    min_value: float | None = Field(default=None, allow_inf_nan=False)
    """Keeps traces with a result of at least this value."""

    max_value: float | None = Field(default=None, allow_inf_nan=False)
    """... and of at most this."""

    values: tuple[str, ...] = ()
    """If given, only results whose label is one of these."""

    @property
    def columns(self) -> Sequence[str]:
        return tuple(schema.SPANS.names)

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:  # noqa: ARG002 - all are looked at together
        results = traces.once("scores", lambda: _results(traces))
        meant = np.ones(results.num_rows, bool)
        if self.name:
            meant &= numpy(pc.equal(results["name"], self.name))
        if self.min_value is not None:
            meant &= numpy(pc.greater_equal(results["value"], self.min_value))
        if self.max_value is not None:
            meant &= numpy(pc.less_equal(results["value"], self.max_value))
        if self.values:
            meant &= numpy(pc.is_in(results["string_value"], pa.array(self.values)))
        return sampled_where(_judged(results.filter(pa.array(meant)), traces))


class ScorePolicy(Policy):
    type: Literal["score"]
    """Keeps traces by evaluation results (``gen_ai.evaluation.result`` and its kin) about them, a span of theirs
    or their session, as far as they came before the decision."""

    score: ScoreOptions = ScoreOptions()
    """Which results."""


def _results(traces: Traces) -> pa.Table:
    """``schema.SCORES``, of all spans and log records of the traces."""
    spans, owner = traces.spans()
    logs, _ = traces.logs()
    decided = pa.RecordBatch.from_arrays(
        [
            spans.column("usage_scope"),
            pc.coalesce(spans.column("session_id"), traces.texts("session_id").take(pa.array(owner))),
            pa.array(np.zeros(spans.num_rows, np.int64)),
        ],
        names=["usage_scope", "session_id", "ingested_unix_nano"],
    )
    return pa.concat_tables([span_scores(spans, decided, logs), log_scores(logs, 0)])


def _judged(results: pa.Table, traces: Traces) -> Bools:
    """Which traces the results are about."""
    judged = pc.is_in(traces.hex_ids(), results["trace_id"].drop_null().combine_chunks())
    of_session = results.filter(pc.is_null(results["trace_id"]))["session_id"].drop_null().combine_chunks()
    return numpy(judged) | numpy(pc.is_in(traces.texts("session_id"), of_session))
