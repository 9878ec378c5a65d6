"""Policies that look for a span: by trace state, trace flags, model or type of observation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from processors._sampling.policy import Options, Policy
from processors._sampling.text_options import TextOptions
from spanloom import Bools, PolicyVerdicts, Traces, numpy_of, sampled_where, trace_state

_SAMPLED_FLAG = 1
_LONGEST_MEMBER = 256
"""Of a key and its value in a trace state, with the sign between them."""


class _SpanOptions(Options):
    def hits(self, traces: Traces) -> Bools:
        """Which of all spans are meant."""
        raise NotImplementedError

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:  # noqa: ARG002 - all are looked at together
        return sampled_where(traces.any_span(self.hits(traces)))


class TraceStateOptions(_SpanOptions):
    key: str = Field(min_length=1)
    """The member's key."""

    values: tuple[str, ...] = Field(min_length=1)
    """Keeps traces in which some span's trace state has one of these values there."""

    @property
    def columns(self) -> Sequence[str]:
        return ("trace_state",)

    def hits(self, traces: Traces) -> Bools:
        states = traces.spans()[0].column("trace_state").dictionary_encode()
        wanted = {value for value in self.values if value and len(self.key) + len(value) < _LONGEST_MEMBER}
        members = [trace_state.members(text) or {} for text in states.dictionary.to_pylist()]
        return _of_codes(np.array([some.get(self.key) in wanted for some in members], bool), states)


class TraceStatePolicy(Policy):
    type: Literal["trace_state"]
    """Keeps traces by a member of the W3C trace state."""

    trace_state: TraceStateOptions
    """The member."""


class _TraceFlags(_SpanOptions):
    @property
    def columns(self) -> Sequence[str]:
        return ("flags",)

    def hits(self, traces: Traces) -> Bools:
        flags = numpy_of(traces.spans()[0].column("flags"))
        hits: Bools = (flags & _SAMPLED_FLAG) != 0
        return hits


class TraceFlagsPolicy(Policy):
    type: Literal["trace_flags"]
    """Keeps traces in which some span has the W3C flag "sampled"."""

    @property
    def options(self) -> Options:
        return _TraceFlags()


class ModelOptions(TextOptions, _SpanOptions):
    """The models' names, exactly or as expressions."""

    @property
    def columns(self) -> Sequence[str]:
        return ("model", "request_model", "response_model")

    def hits(self, traces: Traces) -> Bools:
        spans, _ = traces.spans()
        hits = np.zeros(spans.num_rows, bool)
        for name in self.columns:
            hits |= self.found_in(spans.column(name))
        return hits


class ModelPolicy(Policy):
    type: Literal["model"]
    """Keeps traces by a model they called: as it was asked for, as it answered, or as it is priced."""

    model: ModelOptions
    """The models' names."""


class ObservationTypeOptions(_SpanOptions):
    types: tuple[
        Literal[
            "span", "event", "generation", "agent", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail"
        ],
        ...,
    ] = Field(min_length=1)  # fmt: skip
    """Keeps traces in which some observation is of one of these types."""

    @property
    def columns(self) -> Sequence[str]:
        return ("type",)

    def hits(self, traces: Traces) -> Bools:
        types = traces.spans()[0].column("type")
        return _of_codes(np.isin(np.array(types.dictionary.to_pylist(), object), self.types), types)


class ObservationTypePolicy(Policy):
    type: Literal["observation_type"]
    """Keeps traces by the types of their observations."""

    observation_type: ObservationTypeOptions
    """The types."""


def _of_codes(table: Bools, encoded: pa.DictionaryArray) -> Bools:
    picked: Bools = table[numpy_of(encoded.indices)] if len(encoded) else np.zeros(0, bool)
    return picked
