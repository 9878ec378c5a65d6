"""OTTL is not run here: what people write under ``ottl_condition`` is answered with its SQL."""

from __future__ import annotations

from typing import Any

from spanloom import sql_of


def refusal(options: Any) -> str:
    """What to write instead of an ``ottl_condition`` policy's options."""
    given = options if isinstance(options, dict) else {}
    spans = [sql_of(text) for text in given.get("span") or () if isinstance(text, str)]
    message = "OTTL is not supported; as SQL, under 'type: sql': "
    if spans:
        lines = ", ".join(f'"{text}"' for text in spans if text)
        message += f"sql: {{span: [{lines}]}}"
        if not all(spans):
            message += " (and conditions that have no translation)"
    else:
        message += "sql: {span: [\"status_code = 'ERROR'\"]}"
    if given.get("spanevent"):
        message += "; conditions on span events have none"
    return message
