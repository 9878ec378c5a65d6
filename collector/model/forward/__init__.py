"""Decided spans in another dialect: what ``dialect:`` of the OTLP exporters means."""

from collector.model.forward.target_tables import TARGETS
from collector.model.forward.translate import translate

__all__ = ["TARGETS", "translate"]
