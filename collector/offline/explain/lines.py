"""Explanations as lines of text, for a terminal of 120 columns."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from collector.offline.explain.explanation import Explanation, Line
from collector.offline.explain.source_values import SourceValue

_FIELD, _VALUE, _ORIGIN, _WIDTH = 20, 28, 40, 118
_SENT = 24
"""Characters shown of what was sent."""
_AT_ORIGIN = " " * (2 + _FIELD + 1 + _VALUE + 1)


def lines(explanation: Explanation) -> Iterator[str]:
    """One observation."""
    e = explanation
    parent = f"parent {e.parent_span_id}" if e.parent_span_id else "root"
    yield f'span {e.span_id} "{shown(e.span_name, _WIDTH - 24)}"'
    yield f"  trace    {e.trace_id}  {parent}"
    yield f"  scope    {e.scope or '(none)'}"
    also = f"; also fits {', '.join(e.other_dialects)}" if e.other_dialects else ""
    yield from _wrapped(f"{e.dialect}: {e.detected_by}{also}", "  dialect  ")
    yield ""
    yield f"  {'FIELD':{_FIELD}} {'VALUE':{_VALUE}} {'FROM':{_ORIGIN}} RULE"
    for line in e.fields:
        yield from _line(line)
    for title, keys in (
        ("known to a table: a sign of a dialect or condition, or without a column", e.known_only),
        ("read by a table, gave nothing here", e.read_in_vain),
        ("known to no table, kept in attributes only", e.unknown),
    ):
        if keys:
            yield ""
            yield f"  {title}:"
            yield from _wrapped(", ".join(keys), "    ")


def _line(line: Line) -> Iterator[str]:
    value = "" if line.value is None else shown(line.value, _VALUE)
    if line.said is None:
        start, whole = f"  {line.field:{_FIELD}} ", shown(line.value, _WIDTH - _FIELD - 3)
        if line.value is not None and (not line.note or len(whole) > _VALUE):
            yield start + whole
            yield from _wrapped(line.note or "", _AT_ORIGIN)
        else:
            yield from _noted(f"{start}{value:{_VALUE}} ", line.note or "")
    else:
        yield from _sourced(line.field, value, line.said)
        if line.said.when:
            held = f" (here {line.said.decided_by})" if line.said.decided_by else ""
            yield from _wrapped(f"when {line.said.when}{held}", _AT_ORIGIN)
        if line.note:
            yield from _wrapped(line.note, _AT_ORIGIN)
    for source in line.also:
        why = source.why_not
        yield from _sourced("  but not", "" if source.value is None else shown(source.value, _VALUE), source)
        if why:
            part = f": {source.decided_by}" if source.decided_by else ""
            asked = f"{why}{part}; it asks for {source.when}" if part else f"{why}: {source.when}"
            yield from _wrapped(asked if source.when and "condition" in why else why, _AT_ORIGIN)


def _sourced(field: str, value: str, source: SourceValue) -> Iterator[str]:
    sent = "" if source.sent is None else f" = {shown(source.sent, _SENT)}"
    left = f"  {field:{_FIELD}} {value:{_VALUE}} {source.origin}{sent}"
    if len(left) > len(_AT_ORIGIN) + _ORIGIN and sent:
        left = f"  {field:{_FIELD}} {value:{_VALUE}} {source.origin}"
    edge = len(_AT_ORIGIN) + _ORIGIN
    if len(left) <= edge and edge + 1 + len(source.rule) <= _WIDTH:
        yield f"{left:{edge}} {source.rule}"
    elif len(left) + 2 + len(source.rule) <= _WIDTH:
        yield f"{left}  {source.rule}"
    elif len(left) <= _WIDTH:
        yield left
        yield f"{_AT_ORIGIN}{source.rule}"
    else:
        yield f"  {field:{_FIELD}} {value}".rstrip()
        yield from _wrapped(source.origin, " " * max(4, _WIDTH - len(source.origin)))
        yield f"{_AT_ORIGIN}{source.rule}"


def _noted(start: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, _WIDTH, initial_indent=start, subsequent_indent=_AT_ORIGIN) or [start.rstrip()]


def _wrapped(text: str, indent: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_on_hyphens=False,
        break_long_words=False,
    )


def shown(value: Any, width: int) -> str:
    """A value on one line of at most ``width`` characters."""
    text = str(value) if isinstance(value, str | Decimal) else json.dumps(value, ensure_ascii=False, default=str)
    text = text.replace("\r", " ").replace("\n", " ").replace("\t", " ")
    text = "".join(c if c.isprintable() else "�" for c in text)
    return text if len(text) <= width else text[: width - 1] + "…"
