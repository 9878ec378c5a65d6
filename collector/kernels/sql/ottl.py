"""OTTL is not run here: whoever writes it is shown its translation to SQL, or told why there is none.

What is shown is what the component that shows it would take: it is asked first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from collector.kernels.sql.ottl_editors import operation_in
from collector.kernels.sql.ottl_expressions import condition_in
from collector.kernels.sql.ottl_parser import UnreadableError, condition, statement
from collector.kernels.sql.ottl_paths import SEES

_NONE = "there is no translation"
_NOT_IN_YAML = re.compile("[\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")
"""What JSON leaves as it is and YAML does not take."""
_NO_ITEMS = "span events are no items here: they stay with their span"

Problem = Callable[[Any], str | None]
"""Why a component would refuse a translation (SQL, or an operation's keys and values); empty when it would not."""


@dataclass(frozen=True)
class Written:
    """OTTL as it stands in a configuration."""

    path: tuple[str | int, ...]
    """Keys and positions from the component's options down to it."""
    item: str
    """What it is about here: ``span``, ``log`` or ``metric``; empty: nothing of ours."""
    context: str
    """What the Collector calls it; empty: its paths say so themselves."""
    text: Any
    """What stands there, whatever it is."""

    @property
    def label(self) -> str:
        return self.context or self.item or str(self.path[0])

    @property
    def seen(self) -> str:
        """The context in which its paths are read."""
        if self.context in ("", "log_record"):
            of_points = self.item == "metric" and "datapoint." in str(self.text)
            return "datapoint" if of_points else self.item
        return self.context


@dataclass(frozen=True)
class Translation:
    """The SQL or the operation, or why there is none."""

    value: Any = None
    """A condition, or the keys and values of an operation."""
    why: str = ""

    @property
    def text(self) -> str | None:
        """As it is written into a configuration."""
        return (
            _plain_dollars(self.value) if isinstance(self.value, str) else in_yaml(self.value) if self.value else None
        )


def sql_of(text: str, context: str = "span") -> str | None:
    """A condition as SQL; None: there is no translation."""
    return condition_of(text, context).text


def operation_of(text: str, context: str = "span") -> str | None:
    """A statement as an operation of ``transform``, in YAML; None: there is no translation."""
    return statement_of(text, context).text


def _nothing_wrong(_: Any) -> str:
    return ""


def condition_of(text: Any, context: str, problem: Problem = _nothing_wrong) -> Translation:
    """A condition as SQL that ``problem`` finds nothing wrong with."""
    return _translation(text, context, lambda given: condition_in(condition(given), context), problem)


def statement_of(text: Any, context: str, problem: Problem = _nothing_wrong) -> Translation:
    """A statement as an operation of ``transform``, in YAML, that ``problem`` finds nothing wrong with."""
    return _translation(text, context, lambda given: operation_in(statement(given), context), problem)


def _translation(text: Any, context: str, translate: Callable[[str], Any], problem: Problem) -> Translation:
    if not isinstance(text, str):
        return Translation(None, "it is no text")
    if context not in SEES:
        return Translation(None, f"{context or 'this'} is no context of spans, log records or metric points")
    if context == "spanevent":
        return Translation(None, _NO_ITEMS)
    try:
        made = translate(text)
    except UnreadableError as error:
        return Translation(None, str(error))
    except RecursionError:
        return Translation(None, "it is nested too deep")
    wrong = problem(made)
    return Translation(None, wrong) if wrong else Translation(made)


def in_yaml(value: Any) -> str:
    """A value on one line of a configuration."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {in_yaml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(in_yaml, value)) + "]"
    text = json.dumps(value, ensure_ascii=False)
    return _plain_dollars(_NOT_IN_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def _plain_dollars(text: str) -> str:
    """``$$`` and ``${`` have a meaning of their own in a configuration."""
    return text.replace("$", "$$") if "$$" in text or "${" in text else text


def answered(
    given: Sequence[Written],
    translate: Callable[[Any, str, Problem], Translation],
    problem: Callable[[Written], Problem],
) -> list[tuple[tuple[str | int, ...], str]]:
    """Each piece of OTTL with its translation, under the path it stands at."""
    return [(one.path, _said(one, translate(one.text, one.seen, problem(one)))) for one in given]


def _said(one: Written, made: Translation) -> str:
    return f"{one.label}: {one.text} → {made.text or f'{_NONE}: {made.why}'}"
