"""``sql``: conditions over the spans of a trace, all of a sampler in one DuckDB query.

They run before the policies that ask for them are evaluated, over the traces that are due, after
counting. Unmasked spans may be among them, so DuckDB never writes a file here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal, Self

import numpy as np
from pydantic import model_validator

from processors._sampling.policy import Options, Policy
from spanloom import (
    FAILED,
    NOT_SAMPLED,
    SAMPLED,
    Bools,
    PolicyVerdicts,
    TraceCondition,
    Traces,
    WrongValuesError,
    columns_needed,
    parse_trace_condition,
    some_span_meets,
    trace_condition_problem,
)


class SqlOptions(Options):
    trace: tuple[str, ...] = ()
    """Conditions over all spans of a trace, with aggregates: ``sum(total_cost) > 0.10``."""

    span: tuple[str, ...] = ()
    """Conditions over one span: ``type = 'tool' and level = 'ERROR'``. Keeps traces in which some span meets one."""

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        if not self.trace and not self.span:
            raise ValueError("give conditions under 'trace' or 'span'")
        problems = [
            ((of, n), found)
            for of, texts in (("trace", self.trace), ("span", self.span))
            for n, text in enumerate(texts)
            if (found := trace_condition_problem(text, whole=of == "trace"))
        ]
        if problems:
            raise WrongValuesError(problems)
        return self

    @cached_property
    def conditions(self) -> tuple[TraceCondition, ...]:
        """Each an expression over the spans of one trace."""
        return (*(parse_trace_condition(text) for text in self.trace), *(some_span_meets(text) for text in self.span))

    @property
    def columns(self) -> Sequence[str]:
        return sorted(columns_needed(self.conditions) | {"trace_id"})

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:  # noqa: ARG002 - all are looked at together
        answers = np.array([traces.answers[condition] for condition in self.conditions], np.int8)
        failed = (answers == FAILED).any(axis=0)
        return np.where((answers == SAMPLED).any(axis=0), SAMPLED, np.where(failed, FAILED, NOT_SAMPLED)).astype(
            np.int8
        )


class SqlPolicy(Policy):
    type: Literal["sql"]
    """Keeps traces that meet some condition in SQL (DuckDB's), over the columns of observations; content,
    which does not exist before the decision, is not among them. A condition that fails keeps the trace."""

    sql: SqlOptions
    """The conditions."""
