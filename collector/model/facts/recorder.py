"""What decided the facts of each span: filled by ``facts.resolve`` when somebody doubts a number.

Facts are resolved by the same code with and without a recorder; with one, rules that come too late
are asked as well, so that it can be seen what was there and not believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from collector.model.batch import SpanBatch
from collector.model.dialects.compiled_tables import Context, Rule
from collector.model.dialects.messages.choices import Choice
from collector.model.facts.values import MISSING, Bools, Ints

SpanKey = tuple[bytes, bytes]
"""Trace id and span id."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one rule had to say about a field."""

    rule: Rule
    value: object


@dataclass(slots=True)
class FieldRecord:
    """All that was said about one field of one span, by rank."""

    candidates: list[Candidate] = field(default_factory=list)
    chosen: Candidate | None = None


@dataclass(slots=True)
class SpanRecord:
    """What decided the facts of one span."""

    context: Context
    fields: dict[str, FieldRecord] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    """Field → what decided it where no rule did."""
    choices: list[Choice] = field(default_factory=list)
    """Content rows that had something, in their order."""
    inherited: dict[str, SpanKey] = field(default_factory=dict)
    """Column → the other span of the same call that it was taken from."""


class Recorder:
    """The records of all spans whose facts were resolved; of a span resolved again the last ones."""

    def __init__(self) -> None:
        self.spans: dict[SpanKey, SpanRecord] = {}
        self.filled: dict[tuple[bytes, str], bytes] = {}
        """(trace id, fact) → the span whose text all spans of the trace got that had none."""
        self._rows: list[SpanRecord] = []
        self._stored: list[SpanKey] = []

    def begin(self, batch: SpanBatch, contexts: Sequence[Context]) -> None:
        """A batch is about to be resolved; ``contexts``: one per row."""
        self._rows = [SpanRecord(context) for context in contexts]
        self.spans |= dict(zip(_keys(batch), self._rows, strict=True))

    def heard(
        self,
        name: str,
        rule: Rule,
        said: Iterable[tuple[Ints, Ints]],
        believed: Bools,
        shown: Callable[[Ints], Sequence[object]],
    ) -> None:
        """A rule of a field was asked.

        ``said``: rows and codes of what it has, wherever its conditions hold; ``believed``: rows on
        which it gave the field its value; ``shown``: what codes stand for.
        """
        heard: set[int] = set()
        for rows, codes in said:
            keep = codes != MISSING
            for row, value in zip(rows[keep].tolist(), shown(codes[keep]), strict=True):
                if row in heard:  # a higher index of the same key
                    continue
                heard.add(row)
                of_field = self._rows[row].fields.setdefault(name, FieldRecord())
                of_field.candidates.append(Candidate(rule, value))
                if believed[row]:
                    of_field.chosen = of_field.candidates[-1]

    def stored(self, spans: SpanBatch, choices: Sequence[list[Choice]]) -> None:
        """Content was made for these spans; ``choices``: one list per row."""
        self._stored = _keys(spans)
        for key, chosen in zip(self._stored, choices, strict=True):
            self.spans[key].choices = chosen

    def inherited(self, other: pa.Array, own: Mapping[str, pa.Array], columns: Mapping[str, pa.Array]) -> None:
        """Of the spans ``stored`` last some took columns from another row, ``other``."""
        for row, source in enumerate(other.to_pylist()):
            if source is None:
                continue
            taken = [
                name for name, column in columns.items() if column is not own[name] and column[row] != own[name][row]
            ]
            self.spans[self._stored[row]].inherited |= dict.fromkeys(taken, self._stored[source])

    def filled_down(self, name: str, trace_ids: pa.Array, span_ids: pa.Array, rows: Ints) -> None:
        """A fact of traces comes from these rows, one per trace; -1: from none."""
        for trace_id, row in zip(trace_ids.to_pylist(), rows.tolist(), strict=True):
            if row >= 0:
                self.filled[trace_id, name] = span_ids[row].as_py()

    def note(self, name: str, text: str, rows: Bools) -> None:
        """On these rows a field was decided by something that is no rule of the tables."""
        for row in rows.nonzero()[0].tolist():
            self._rows[row].notes.setdefault(name, text)


def _keys(spans: SpanBatch) -> list[SpanKey]:
    return list(zip(spans.column("trace_id").to_pylist(), spans.column("span_id").to_pylist(), strict=True))
