"""Changes attributes of spans, log records and metric points, as the Collector's processor of that name does.

Actions run in their order on everything ``include`` and ``exclude`` leave, or on everything. What the trace model
reads from a changed attribute follows: setting ``session.id`` sets the session, deleting ``gen_ai.input.messages``
deletes the input. A computed cost stays as it was, so price after changing what prices depend on.
"""

from __future__ import annotations

from pydantic import Field

from spanloom import (
    AttributeAction,
    BatchT,
    ChosenRows,
    ProcessorFactory,
    Settings,
    Signal,
    attributes as attribute_lists,
    flat_edits,
)


class Config(ChosenRows):
    actions: tuple[AttributeAction, ...] = Field(min_length=1)
    """What is done, in this order."""


class Attributes:
    """Runs the actions over the batch's attribute column."""

    def __init__(self, config: Config, settings: Settings) -> None:  # noqa: ARG002 - the form of all components
        self._config = config

    def process(self, batch: BatchT) -> BatchT:
        """Takes batches of any signal."""
        asked = self._config.rows(batch)
        if not asked.any():
            return batch
        before = flat = attribute_lists.flatten(batch.column("attributes"))
        for action in self._config.actions:
            flat = action.apply(flat, asked)
        return batch if flat is before else batch.with_columns({"attributes": flat_edits.column(flat, batch.num_rows)})


factory = ProcessorFactory(Config, Attributes, signals=frozenset(Signal))
