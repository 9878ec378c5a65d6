"""What decided the facts of each span: filled by ``facts.resolve`` when somebody doubts a number.

Facts are resolved by the same code with and without a recorder; with one, rules that come too late
are asked as well, so that it can be seen what was there and not believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from collector.model.batch import SpanBatch
from collector.model.dialects.rules import Context, Rule
from collector.model.facts_values import MISSING, Bools, Ints

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


class Recorder:
    """The records of all spans whose facts were resolved; of a span resolved again the last ones."""

    def __init__(self) -> None:
        self.spans: dict[SpanKey, SpanRecord] = {}
        self._rows: list[SpanRecord] = []

    def begin(self, batch: SpanBatch, contexts: Sequence[Context]) -> None:
        """A batch is about to be resolved; ``contexts``: one per row."""
        self._rows = [SpanRecord(context) for context in contexts]
        ids = zip(batch.column("trace_id").to_pylist(), batch.column("span_id").to_pylist(), strict=True)
        self.spans |= dict(zip(ids, self._rows, strict=True))

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

    def note(self, name: str, text: str, rows: Bools) -> None:
        """On these rows a field was decided by something that is no rule of the tables."""
        for row in rows.nonzero()[0].tolist():
            self._rows[row].notes.setdefault(name, text)
