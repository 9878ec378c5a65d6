"""Counts what was decided about traces, in the metrics of one pipeline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.component.sampler import DECISIONS, NO_ROUTE, NOT_HERE, PolicyDecisions, Verdicts
from collector.model import schema
from collector.telemetry import Telemetry

_NOT_HERE = pa.array(NOT_HERE)


class Tally:
    """The counters of one pipeline with assembly."""

    def __init__(self, pipeline: str, telemetry: Telemetry) -> None:
        self.pipeline = pipeline
        self._telemetry = telemetry

    def verdicts(self, verdicts: Verdicts, trigger: npt.NDArray[np.uint8], trace: npt.NDArray[np.int32]) -> None:
        """``trigger``: per trace, of ``schema.TRIGGERS``; ``trace``: of each span."""
        said = verdicts.sampled_by
        not_here = pc.is_in(said, value_set=_NOT_HERE).to_numpy(zero_copy_only=False) & ~verdicts.keep
        kept = int(verdicts.keep.sum())
        self._telemetry.decided_traces.labels(self.pipeline, "true").inc(kept)
        self._telemetry.decided_traces.labels(self.pipeline, "false").inc(
            len(verdicts.keep) - kept - int(not_here.sum())
        )
        for entry in pc.value_counts(said.filter(pa.array(verdicts.keep)).drop_null()).to_pylist():
            self._telemetry.policy_traces.labels(self.pipeline, entry["values"]).inc(entry["counts"])
        self.not_kept(verdicts.keep, said.to_pylist(), trace)
        for code, n in enumerate(np.bincount(trigger[~not_here], minlength=len(schema.TRIGGERS)).tolist()):
            self._telemetry.triggers.labels(self.pipeline, schema.TRIGGERS[code]).inc(n)
        if verdicts.policies is not None:
            self._policies(verdicts.policies)

    def not_kept(
        self, keep: npt.NDArray[np.bool_], sampled_by: Sequence[str | None], trace: npt.NDArray[np.int32]
    ) -> None:
        """Counts spans by why their traces are not kept; what went to other pipelines is counted there."""
        reasons = [by if by in NOT_HERE else "not_sampled" for by in sampled_by]
        said = np.array(reasons, object)[trace[~keep[trace]]]
        self.dropped("not_sampled", int((said == "not_sampled").sum()))
        if (nowhere := int((said == NO_ROUTE).sum())) > 0:
            self.dropped(NO_ROUTE, nowhere)

    def _policies(self, said: PolicyDecisions) -> None:
        for name, row in zip(said.policies, said.table, strict=True):
            for code, n in enumerate(np.bincount(row[row >= 0], minlength=len(DECISIONS)).tolist()):
                if n and DECISIONS[code] == "failed":
                    self._telemetry.policy_errors.labels(self.pipeline, name).inc(n)
                if n:
                    self._telemetry.policy_decisions.labels(self.pipeline, name, DECISIONS[code]).inc(n)

    def dropped(self, reason: str, n: int) -> None:
        """Counts spans that are not passed on."""
        self._telemetry.processor_dropped.labels("tail_sampling", self.pipeline, "traces", reason).inc(n)
