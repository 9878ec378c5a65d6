"""What samplers decided: trace by trace, and summed up per policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.component.sampler import POLICY_VERDICTS, PolicyVerdictTable, TraceDecisions
from collector.model import schema
from collector.model.arrow_arrays import numpy_of

ALL = "*"
"""Stands for the policies together."""

_PICO = 10**12
_NOT_ASKED = "not_asked"
_YES = ("sampled", "inverted_sampled", "failed")
_NO = ("dropped", "inverted_not_sampled")


def trace_rows(pipeline: str, traces: pa.RecordBatch, decided: TraceDecisions) -> Iterator[dict[str, Any]]:
    """One JSON object per trace: what it is, the decision, and the verdict of each policy."""
    verdicts = _policy_verdicts(decided)
    names = (*POLICY_VERDICTS, _NOT_ASKED)  # code -1 is the last
    columns = zip(
        traces.to_pylist(), decided.keep.tolist(), decided.sampled_by.to_pylist(), decided.adjusted_count.tolist(),
        verdicts.table.T.tolist(), strict=True,
    )  # fmt: skip
    for trace, keep, sampled_by, stands_for, codes in columns:
        yield {
            "pipeline": pipeline,
            "trace_id": trace["trace_id"].hex(),
            "keep": keep,
            "sampled_by": sampled_by,
            "adjusted_count": stands_for,
            "policies": {name: names[code] for name, code in zip(verdicts.policies, codes, strict=True)},
            "trigger": schema.TRIGGERS[trace["trigger"]],
            "trace_name": trace["trace_name"],
            "session_id": trace["session_id"],
            "spans": trace["span_count"],
            "size_bytes": trace["size_bytes"],
            "total_tokens": trace["total_tokens"],
            "total_cost": None if trace["total_cost"] is None else dollars(trace["total_cost"]),
        }


def _policy_verdicts(decided: TraceDecisions) -> PolicyVerdictTable:
    """The policy verdicts behind decisions; those of no policy where none were asked."""
    if decided.policy_verdicts is not None:
        return decided.policy_verdicts
    return PolicyVerdictTable(policies=(), table=np.empty((0, len(decided.keep)), np.int8))


def dollars(pico: int) -> str:
    """Pico-dollars as the text of USD, exactly."""
    return f"{Decimal(pico) / _PICO:f}"


@dataclass
class Amounts:
    """Traces, and what they hold together."""

    traces: int = 0
    spans: int = 0
    tokens: int = 0
    cost: int = 0
    """Pico-dollars."""

    def add(self, table: pa.RecordBatch, which: npt.NDArray[np.bool_]) -> None:
        self.traces += int(which.sum())
        for name, column in (("spans", "span_count"), ("tokens", "total_tokens"), ("cost", "total_cost")):
            values = numpy_of(table[column].fill_null(0))
            setattr(self, name, getattr(self, name) + int(values[which].sum()))


@dataclass
class SamplingReport:
    """Amounts by (pipeline, policy, what became of the traces). ``observe`` takes an assembly's decisions."""

    amounts: dict[tuple[str, str, str], Amounts] = field(default_factory=dict)

    def observe(self, pipeline: str, traces: pa.RecordBatch, decided: TraceDecisions) -> None:
        """Adds what was decided about some traces."""
        verdicts = _policy_verdicts(decided)
        kept_by = np.array(decided.sampled_by.to_pylist(), object)
        for name, row in zip(verdicts.policies, verdicts.table, strict=True):
            for verdict, meant in (("says_keep", _YES), ("says_drop", _NO)):
                which = np.isin(row, [POLICY_VERDICTS.index(one) for one in meant])
                if which.any() or verdict == "says_keep":
                    self._add((pipeline, name, verdict), traces, which)
            self._add((pipeline, name, "kept"), traces, decided.keep & (kept_by == name))
        self._add((pipeline, ALL, "kept"), traces, decided.keep)
        self._add((pipeline, ALL, "dropped"), traces, ~decided.keep)

    def _add(self, key: tuple[str, str, str], traces: pa.RecordBatch, which: npt.NDArray[np.bool_]) -> None:
        self.amounts.setdefault(key, Amounts()).add(traces, which)

    COLUMNS = ("pipeline", "policy", "verdict", "traces", "spans", "tokens", "usd")

    def rows(self) -> list[list[Any]]:
        """``COLUMNS``; a policy's own answers, what it was the first to keep, and for ALL the outcome."""
        ordered = sorted(self.amounts.items(), key=lambda item: (item[0][0], item[0][1] == ALL))
        return [[*key, a.traces, a.spans, a.tokens, dollars(a.cost)] for key, a in ordered]
