"""Usage counts once: which spans of a trace hold numbers that add up.

Structural and vectorised: what a span reports is not counted again above it, and one response id counts
once per trace. A model call is a call of its own where all usage below it stands below a tool or an agent that
it called: no wrapper of one call has a tool in between. A span whose parent never came is still somewhere below the
root of its trace. Works on any number of traces at once, whatever the order their spans came in.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from collector.model import schema

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

NONE, COUNTED, ROLLUP, DUPLICATE = range(4)
SCOPE_NAMES = (None, "counted", "rollup", "duplicate")

RULES = (
    None,
    "leaf",  # carries usage, and nothing below it does
    "wrapper_without_calls",  # a known wrapper, but nobody below it reported: it is the call
    "descendant_has_usage",  # the sum of what is counted below
    "same_call_below",  # one model call, seen by a framework and by what it called
    "same_response_id",  # one response, reported by two spans
    "never_counted",  # cumulative counters, placeholders
    "ancestor_counted",  # came late, below a row already written as counted
    "no_assembly",  # the pipeline sees no whole traces: only what the span says of itself
    "native_call",  # a provider SDK's own span, and no instrumentation reported the call
    "same_response_id_elsewhere",  # an instrumentation reported the call in another trace
)
_LEAF, _WRAPPER, _DESCENDANT, _BELOW, _RESPONSE, _NEVER, _ANCESTOR, NO_ASSEMBLY, NATIVE, ELSEWHERE = range(1, 11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """The columns the rule looks at, one entry per span."""

    trace: npt.NDArray[np.int32]
    """Ordinal of the span's trace."""
    span_id: Words
    parent_id: Words
    """0: none."""
    has_usage: Bools
    role: npt.NDArray[np.uint8]
    """``schema.ROLE_*``."""
    response: Words
    """Hash of the response id; 0: none."""
    tokens: Ints
    """Total tokens; 0: not known."""
    source: Words
    """Hash of the instrumentation scope; 0: not known."""
    start: Ints
    """Unix nanoseconds; 0: not known."""
    end: Ints
    calls_out: Bools
    """Tools, agents and their like: what is below them is not part of the model call above them. Of rows written
    earlier this is not known."""
    written: npt.NDArray[np.uint8]
    """The scope of rows decided earlier (they do not change); NONE for new ones. Of these rows
    tokens, source and times are not known."""
    is_new: Bools

    @property
    def is_call(self) -> Bools:
        """Spans of single model calls."""
        calls: Bools = (self.role == schema.ROLE_CALL) | (self.role == schema.ROLE_NATIVE)
        return calls

    def followed_by(self, others: Spans) -> Spans:
        """These spans and then the others, as one table."""
        columns = {field.name: (getattr(self, field.name), getattr(others, field.name)) for field in fields(self)}
        return Spans(**{name: np.concatenate(both) for name, both in columns.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the rule decides, one entry per span."""

    scope: npt.NDArray[np.uint8]
    rule: npt.NDArray[np.uint8]
    """Index into ``RULES``."""
    inherit: npt.NDArray[np.int32]
    """Row of the other span of the same call, from which a counted one takes what it lacks; -1: none."""


def count(spans: Spans) -> Counted:
    """Decides every new row; rows already written keep their scope and bind the others."""
    n = len(spans.trace)
    parent = parents(spans.trace, spans.span_id, spans.parent_id)
    parent, depth = _acyclic(parent)
    parent = _adopted(spans, parent)
    usable = spans.has_usage & (spans.role != schema.ROLE_NEVER) & (spans.role != schema.ROLE_PLACEHOLDER)
    bearing = np.where(spans.is_new, usable, spans.written != NONE)
    above = _ancestors_of(np.flatnonzero(bearing), parent)
    within = _ancestors_of(np.flatnonzero(bearing & ~spans.calls_out), parent, up_to=spans.calls_out)
    above &= within | ~spans.is_call

    scope = np.zeros(n, np.uint8)
    rule = np.zeros(n, np.uint8)
    inherit = np.full(n, -1, np.int32)
    new = spans.is_new
    scope[~new] = spans.written[~new]
    leaf = new & usable & ~above
    scope[leaf], rule[leaf] = COUNTED, _LEAF
    rule[leaf & (spans.role == schema.ROLE_WRAPPER)] = _WRAPPER
    rule[leaf & (spans.role == schema.ROLE_NATIVE)] = NATIVE
    sums = new & usable & above
    scope[sums], rule[sums] = ROLLUP, _DESCENDANT
    never = new & spans.has_usage & ~usable
    scope[never], rule[never] = ROLLUP, _NEVER

    _below_written(spans, parent, scope, rule)
    _same_call(spans, parent, scope, rule, inherit)
    _same_response(spans, depth, scope, rule, inherit)
    # An instrumentation reported the call as well: nothing to say of it beyond this trace.
    rule[(rule == NATIVE) & (inherit >= 0)] = _LEAF
    return Counted(scope=scope, rule=rule, inherit=inherit)


def parents(trace: npt.NDArray[np.int32], span_id: Words, parent_id: Words) -> Ints:
    """Row of each span's parent, -1 where it is not among these rows."""
    if not len(trace):
        return np.empty(0, np.int64)
    # Span ids are only unique inside a trace; mixing in the ordinal makes one key of both.
    salt = _mix(trace.astype(np.uint64) + np.uint64(1))
    keys = span_id ^ salt
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    wanted = parent_id ^ salt
    at = np.minimum(np.searchsorted(ranked, wanted), len(ranked) - 1)
    found = (ranked[at] == wanted) & (parent_id != 0)
    return np.where(found, order[at], -1)


def _mix(x: Words) -> Words:
    """splitmix64's finaliser: spreads small ordinals over 64 bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _acyclic(parent: Ints) -> tuple[Ints, Ints]:
    """Parents without cycles (malformed traces have them), and each row's depth, by pointer doubling."""
    n = len(parent)
    hop = np.append(parent, -1)
    depth = np.append((parent >= 0).astype(np.int64), 0)
    for _ in range(max(1, int(n).bit_length())):
        depth = depth + depth[hop]
        hop = hop[hop]
    # Whoever still has an ancestor after n hops is on a cycle or below one, and its hop ends on the
    # cycle; hops permute a cycle, so their ends are all of it.
    ends = hop[:n][hop[:n] >= 0]
    if ends.size:
        cut = parent.copy()
        cut[ends] = -1
        return _acyclic(cut)
    return parent, depth[:n]


def _adopted(spans: Spans, parent: Ints) -> Ints:
    """Parents, with the root of the trace for spans whose own parent is not there.

    Only where there is one root, and not under a model call: what is missing in between may be a tool it called.
    """
    orphans = np.flatnonzero((parent < 0) & (spans.parent_id != 0))
    if not orphans.size:
        return parent
    roots = np.flatnonzero(spans.parent_id == 0)
    per_trace = np.bincount(spans.trace[roots], minlength=int(spans.trace.max()) + 1)
    root_of = np.full(len(per_trace), -1, np.int64)
    root_of[spans.trace[roots]] = np.where(spans.is_call[roots], -1, roots)
    root_of[per_trace != 1] = -1
    out = parent.copy()
    out[orphans] = root_of[spans.trace[orphans]]
    return out


def _ancestors_of(rows: Ints, parent: Ints, *, up_to: Bools | None = None) -> Bools:
    """Marks every proper ancestor of the given rows; of ``up_to`` and what is above them only the former."""
    marked = np.zeros(len(parent), np.bool_)
    frontier = parent[rows]
    while (frontier := frontier[frontier >= 0]).size:
        frontier = np.unique(frontier[~marked[frontier]])
        marked[frontier] = True
        frontier = parent[frontier if up_to is None else frontier[~up_to[frontier]]]
    return marked


def _below_written(spans: Spans, parent: Ints, scope: npt.NDArray[np.uint8], rule: npt.NDArray[np.uint8]) -> None:
    """A late row below one that was written as counted must not count again."""
    counted_before = ~spans.is_new & (spans.written == COUNTED)
    if not counted_before.any():
        return
    rows = np.flatnonzero(spans.is_new & (scope == COUNTED))
    at = parent[rows]
    at = np.where(spans.calls_out[rows], -1, at)
    while (alive := at >= 0).any():
        hit = alive & counted_before[at]
        scope[rows[hit]], rule[rows[hit]] = DUPLICATE, _ANCESTOR
        at = np.where(alive & ~hit & ~spans.calls_out[at], parent[at], -1)


def _same_call(
    spans: Spans,
    parent: Ints,
    scope: npt.NDArray[np.uint8],
    rule: npt.NDArray[np.uint8],
    inherit: npt.NDArray[np.int32],
) -> None:
    """A model call whose only counted row below it reports the same is that call, seen from outside."""
    leaves = np.flatnonzero((scope == COUNTED) & ~spans.calls_out)
    below = np.zeros(len(scope), np.int64)
    the_one = np.full(len(scope), -1, np.int64)
    at, leaf = parent[leaves], leaves
    while (alive := at >= 0).any():
        at, leaf = at[alive], leaf[alive]
        np.add.at(below, at, 1)
        the_one[at] = leaf
        at = np.where(spans.calls_out[at], -1, parent[at])
    outer = np.flatnonzero(spans.is_new & (scope == ROLLUP) & spans.is_call & spans.has_usage & (below == 1))
    outer = outer[_alike(spans, outer, the_one[outer])]
    scope[outer], rule[outer] = DUPLICATE, _BELOW
    inner = the_one[outer]
    take = spans.is_new[inner]
    inherit[inner[take]] = outer[take]


def _alike(spans: Spans, outer: Ints, inner: Ints) -> Bools:
    """Whether two nested spans report one call: the same response id, or the same tokens (a gateway gives a
    response an id of its own). Where neither can be compared, nothing speaks against it.
    """
    ids = (spans.response[outer] != 0) & (spans.response[inner] != 0)
    same_id = ids & (spans.response[outer] == spans.response[inner])
    known = (spans.tokens[outer] != 0) & (spans.tokens[inner] != 0)
    alike: Bools = same_id | np.where(known, spans.tokens[outer] == spans.tokens[inner], ~ids)
    return alike


def _same_response(
    spans: Spans,
    depth: Ints,
    scope: npt.NDArray[np.uint8],
    rule: npt.NDArray[np.uint8],
    inherit: npt.NDArray[np.int32],
) -> None:
    """Of counted rows with one response id the deepest stays; one already written always does.

    Servers exist whose ids repeat. Nobody reports one call twice in a row, so a span that its own
    instrumentation began after the first had ended is another call.
    """
    rows = np.flatnonzero((scope == COUNTED) & (spans.response != 0))
    if rows.size < 2:
        return
    # Written rows first, then the deepest, then the earliest: never what the order of arrival says.
    keys = (spans.span_id, spans.end, spans.start, -depth, spans.is_new, spans.response, spans.trace)
    order = rows[np.lexsort([key[rows] for key in keys])]
    first = np.ones(len(order), np.bool_)
    same_trace = spans.trace[order[1:]] == spans.trace[order[:-1]]
    first[1:] = ~(same_trace & (spans.response[order[1:]] == spans.response[order[:-1]]))
    keeper = order[np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))]
    others = ~first & spans.is_new[order] & ~_in_sequence(spans, keeper, order)
    scope[order[others]], rule[order[others]] = DUPLICATE, _RESPONSE
    takers = keeper[others]
    lacking = spans.is_new[takers] & (inherit[takers] < 0)
    inherit[takers[lacking]] = order[others][lacking]


def _in_sequence(spans: Spans, one: Ints, other: Ints) -> Bools:
    """Whether two spans come from one instrumentation and do not overlap in time."""
    start, end = spans.start, spans.end
    known = (spans.source[one] != 0) & (start[one] > 0) & (start[other] > 0)
    sound = (end[one] >= start[one]) & (end[other] >= start[other]) & (start[one] != start[other])
    apart = (start[other] >= end[one]) | (start[one] >= end[other])
    found: Bools = known & (spans.source[one] == spans.source[other]) & sound & apart
    return found
