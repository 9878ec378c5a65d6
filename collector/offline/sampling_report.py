"""What samplers decided: trace by trace, and summed up per policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.component.sampler import DECISIONS, PolicyDecisions, Verdicts
from collector.model import schema

ALL = "*"
"""Stands for the policies together."""

_PICO = 10**12
_NOT_ASKED = "not_asked"
_YES = ("sampled", "inverted_sampled", "failed")
_NO = ("dropped", "inverted_not_sampled")


def trace_rows(pipeline: str, traces: pa.RecordBatch, verdicts: Verdicts) -> Iterator[dict[str, Any]]:
    """One JSON object per trace: what it is, the verdict, and what each policy said."""
    said = verdicts.policies or PolicyDecisions((), np.empty((0, traces.num_rows), np.int8))
    names = (*DECISIONS, _NOT_ASKED)  # code -1 is the last
    columns = zip(
        traces.to_pylist(), verdicts.keep.tolist(), verdicts.sampled_by.to_pylist(), verdicts.adjusted_count.tolist(),
        said.table.T.tolist(), strict=True,
    )  # fmt: skip
    for trace, keep, sampled_by, stands_for, codes in columns:
        yield {
            "pipeline": pipeline,
            "trace_id": trace["trace_id"].hex(),
            "keep": keep,
            "sampled_by": sampled_by,
            "adjusted_count": stands_for,
            "policies": {name: names[code] for name, code in zip(said.policies, codes, strict=True)},
            "trigger": schema.TRIGGERS[trace["trigger"]],
            "trace_name": trace["trace_name"],
            "session_id": trace["session_id"],
            "spans": trace["span_count"],
            "size_bytes": trace["size_bytes"],
            "total_tokens": trace["total_tokens"],
            "total_cost": None if trace["total_cost"] is None else dollars(trace["total_cost"]),
        }


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
            values = table[column].fill_null(0).to_numpy(zero_copy_only=False)
            setattr(self, name, getattr(self, name) + int(values[which].sum()))


@dataclass
class Report:
    """Amounts by (pipeline, policy, what became of the traces). ``observe`` takes an assembly's verdicts."""

    amounts: dict[tuple[str, str, str], Amounts] = field(default_factory=dict)

    def observe(self, pipeline: str, traces: pa.RecordBatch, verdicts: Verdicts) -> None:
        """Adds what was decided about some traces."""
        said = verdicts.policies or PolicyDecisions((), np.empty((0, traces.num_rows), np.int8))
        kept_by = np.array(verdicts.sampled_by.to_pylist(), object)
        for name, row in zip(said.policies, said.table, strict=True):
            for verdict, meant in (("says_keep", _YES), ("says_drop", _NO)):
                which = np.isin(row, [DECISIONS.index(one) for one in meant])
                if which.any() or verdict == "says_keep":
                    self._add((pipeline, name, verdict), traces, which)
            self._add((pipeline, name, "kept"), traces, verdicts.keep & (kept_by == name))
        self._add((pipeline, ALL, "kept"), traces, verdicts.keep)
        self._add((pipeline, ALL, "dropped"), traces, ~verdicts.keep)

    def _add(self, key: tuple[str, str, str], traces: pa.RecordBatch, which: npt.NDArray[np.bool_]) -> None:
        self.amounts.setdefault(key, Amounts()).add(traces, which)

    COLUMNS = ("pipeline", "policy", "verdict", "traces", "spans", "tokens", "usd")

    def rows(self) -> list[list[Any]]:
        """``COLUMNS``; a policy's own answers, what it was the first to keep, and for ALL the outcome."""
        ordered = sorted(self.amounts.items(), key=lambda item: (item[0][0], item[0][1] == ALL))
        return [[*key, a.traces, a.spans, a.tokens, dollars(a.cost)] for key, a in ordered]
