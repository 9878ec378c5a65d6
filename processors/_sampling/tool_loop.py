"""``tool_loop``: an agent that calls the same tool with the same arguments again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from processors._sampling.policy import Options, Policy
from spanloom import Bools, PolicyVerdicts, SpanBatch, Traces, numpy_of, observation_inputs, sampled_where, schema

Codes = npt.NDArray[np.int64]


class ToolLoopOptions(Options):
    min_repeats: int = Field(default=3, ge=2)
    """Keeps traces in which some tool was called at least this often with equal arguments."""

    tools: tuple[str, ...] = ()
    """If given, only calls of these tools."""

    @property
    def columns(self) -> Sequence[str]:
        return tuple(schema.SPANS.names)

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:  # noqa: ARG002 - all are looked at together
        spans, owner = traces.spans()
        names = pc.coalesce(spans.column("tool_name"), spans.column("name"))
        calls = np.flatnonzero(numpy_of(pc.equal(_plain(spans.column("type")), "tool")))
        if self.tools:
            calls = calls[numpy_of(pc.is_in(names, pa.array(self.tools)))[calls]]
        group = _groups(owner[calls], names.take(pa.array(calls)))
        # Arguments are content, which is made of spans one by one: only where there may be enough calls.
        many = np.bincount(group)[group] >= self.min_repeats if len(calls) else np.zeros(0, bool)
        calls, group = calls[many], group[many]
        some = spans.take(calls)
        group = _groups(group, observation_inputs(some))
        counts = np.bincount(group[_outermost(some, group)], minlength=len(calls))
        return sampled_where(_marked(len(traces), owner[calls][counts[group] >= self.min_repeats]))


class ToolLoopPolicy(Policy):
    type: Literal["tool_loop"]
    """Keeps traces in which an agent called a tool again and again with the same arguments."""

    tool_loop: ToolLoopOptions = ToolLoopOptions()
    """How often."""


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _groups(of: npt.NDArray[np.integer], texts: pa.StringArray) -> Codes:
    """Numbers equal pairs of a group and a text; null is a text of its own."""
    codes = numpy_of(texts.dictionary_encode().indices.fill_null(-1))
    pairs = np.stack([of.astype(np.int64), codes.astype(np.int64)])
    numbers: Codes = np.unique(pairs, axis=1, return_inverse=True)[1].reshape(-1)
    return numbers


def _outermost(spans: SpanBatch, group: Codes) -> Bools:
    """False for a span right below one of the same call: two instrumentations that saw one call."""
    ids, parents = (spans.column(name).to_pylist() for name in ("span_id", "parent_span_id"))
    known = set(zip(group.tolist(), ids, strict=True))
    return np.array([pair not in known for pair in zip(group.tolist(), parents, strict=True)], bool)


def _marked(n: int, positions: npt.NDArray[np.integer]) -> Bools:
    found = np.zeros(n, bool)
    found[positions] = True
    return found
