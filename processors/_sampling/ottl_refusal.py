"""OTTL is not run here: what people write under ``ottl_condition`` is answered with its SQL."""

from __future__ import annotations

from typing import Any

from spanloom import WrongValuesError, ottl, trace_condition_problem


def refusal(options: Any) -> str:
    """What to write instead of an ``ottl_condition`` policy's options."""
    return str(refused(options))


def refused(options: Any) -> WrongValuesError:
    """The error that says it; each condition without a translation has one of its own, with the reason."""
    found = [ottl.condition_of(text, "span", _problem) for text in _listed(options, "span")]
    lines = [made.value for made in found if made.value is not None]
    message = "OTTL is not supported; as SQL, under 'type: sql': "
    if lines:
        message += f"sql: {{span: {ottl.in_yaml(lines)}}}"
    elif not found:
        message += "sql: {span: [\"status_code = 'ERROR'\"]}, for example"
    else:
        message = "OTTL is not supported, and there is no translation; write SQL, under 'type: sql'"
    if lines and len(lines) < len(found):
        message += " (and conditions that have no translation)"
    if _listed(options, "spanevent"):
        message += "; conditions on span events have none"
    without = [
        (("ottl_condition", "span", n), f"there is no translation: {made.why}")
        for n, made in enumerate(found)
        if made.value is None
    ]
    return WrongValuesError([((), message), *without], message)


def _listed(options: Any, key: str) -> list[Any]:
    given = options.get(key) if isinstance(options, dict) else None
    return given if isinstance(given, list) else []


def _problem(sql: Any) -> str | None:
    return trace_condition_problem(sql, whole=False)
