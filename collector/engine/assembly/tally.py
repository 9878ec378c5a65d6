"""Counts what was decided about traces, in the metrics of one pipeline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.component.sampler import NO_ROUTE, NOT_HERE, POLICY_VERDICTS, PolicyVerdictTable, TraceDecisions
from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.telemetry import Telemetry

_NOT_HERE = pa.array(NOT_HERE)


class Tally:
    """The counters of one pipeline with assembly."""

    def __init__(self, pipeline: str, telemetry: Telemetry) -> None:
        self.pipeline = pipeline
        self._telemetry = telemetry

    def decided(self, decided: TraceDecisions, trigger: npt.NDArray[np.uint8], trace: npt.NDArray[np.int32]) -> None:
        """Counts decided traces. ``trigger``: per trace, of ``schema.TRIGGERS``; ``trace``: of each span."""
        sampled_by = decided.sampled_by
        not_here = numpy_of(pc.is_in(sampled_by, value_set=_NOT_HERE)) & ~decided.keep
        kept = int(decided.keep.sum())
        self._telemetry.decided_traces.labels(self.pipeline, "true").inc(kept)
        self._telemetry.decided_traces.labels(self.pipeline, "false").inc(
            len(decided.keep) - kept - int(not_here.sum())
        )
        for entry in pc.value_counts(sampled_by.filter(pa.array(decided.keep)).drop_null()).to_pylist():
            self._telemetry.policy_traces.labels(self.pipeline, entry["values"]).inc(entry["counts"])
        self.not_kept(decided.keep, sampled_by.to_pylist(), trace)
        for code, n in enumerate(np.bincount(trigger[~not_here], minlength=len(schema.TRIGGERS)).tolist()):
            self._telemetry.triggers.labels(self.pipeline, schema.TRIGGERS[code]).inc(n)
        if decided.policy_verdicts is not None:
            self._policy_verdicts(decided.policy_verdicts)

    def not_kept(
        self, keep: npt.NDArray[np.bool_], sampled_by: Sequence[str | None], trace: npt.NDArray[np.int32]
    ) -> None:
        """Counts spans by why their traces are not kept; what went to other pipelines is counted there."""
        reasons = np.array([by if by in NOT_HERE else "not_sampled" for by in sampled_by], object)
        of_spans = reasons[trace[~keep[trace]]]
        self.dropped("not_sampled", int((of_spans == "not_sampled").sum()))
        if (nowhere := int((of_spans == NO_ROUTE).sum())) > 0:
            self.dropped(NO_ROUTE, nowhere)

    def _policy_verdicts(self, verdicts: PolicyVerdictTable) -> None:
        for policy, codes in zip(verdicts.policies, verdicts.table, strict=True):
            for code, n in enumerate(np.bincount(codes[codes >= 0], minlength=len(POLICY_VERDICTS)).tolist()):
                if n and POLICY_VERDICTS[code] == "failed":
                    self._telemetry.policy_errors.labels(self.pipeline, policy).inc(n)
                if n:
                    self._telemetry.policy_decisions.labels(self.pipeline, policy, POLICY_VERDICTS[code]).inc(n)

    def dropped(self, reason: str, n: int) -> None:
        """Counts spans that are not passed on."""
        self._telemetry.processor_dropped.labels("tail_sampling", self.pipeline, "traces", reason).inc(n)
