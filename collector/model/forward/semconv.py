"""Content in the GenAI semantic conventions: messages of parts, arguments and results, documents.

The stored form is the conventions' own. What they have no attribute for (the input of a chain, a
plain text that is no message) goes out as ``input.value`` and ``output.value``, which most backends read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from collector.model import attributes, schema
from collector.model.attributes import dumps
from collector.model.batch import SpanBatch
from collector.model.forward import target_tables
from collector.model.forward.contents import RowContent, Value
from collector.model.forward.outgoing import Outgoing
from collector.model.forward.scalars import Facts, typed

_OPERATION = "gen_ai.operation.name"
_NO_PARAMETERS = frozenset({"model", "user", "provider"})
_NAMES = {
    ("tool", "input"): "gen_ai.tool.call.arguments",
    ("tool", "output"): "gen_ai.tool.call.result",
}


def write(row: RowContent, out: Outgoing) -> None:
    """The attributes of one row's content."""
    if row.input is not None:
        _write_input(row, row.input, out)
    if row.output is not None:
        _write_output(row, row.output, out)


def write_facts(spans: SpanBatch, facts: Facts, out: Outgoing) -> None:
    """The operation, and model parameters."""
    _write_operations(spans, facts, out)
    _write_parameters(facts, out)


def _write_parameters(facts: Facts, out: Outgoing) -> None:
    """Model parameters as ``gen_ai.request.*``, under the names they were sent with."""
    for row, text in enumerate(facts.column("model_parameters").to_pylist()):
        members = Value(text).json if text is not None else None
        for name, value in members.items() if isinstance(members, dict) else ():
            if name not in _NO_PARAMETERS:
                out.put(row, f"gen_ai.request.{name}", value)


def _write_operations(spans: SpanBatch, facts: Facts, out: Outgoing) -> None:
    """``gen_ai.operation.name``: the span's own while it says what the row is, else the type's first."""
    operations = target_tables.target("semconv").operations
    first: dict[str, str] = {}
    for operation, meaning in operations.items():
        first.setdefault(meaning, operation)
    written: list[str | None] = typed(facts, first).to_pylist()
    types = facts.full_types().to_pylist()
    for row, own in _own_operations(spans):
        if operations.get(own) == types[row]:
            written[row] = own
    out.texts(_OPERATION, pa.array(written, pa.string()))


def _own_operations(spans: SpanBatch) -> list[tuple[int, str]]:
    flat = attributes.flatten(spans.column("attributes"))
    wanted = np.array([key == _OPERATION for key in flat.keys] or [False], np.bool_)[flat.key_codes]
    chosen = flat.select(wanted & (flat.types == schema.STRING))
    return list(zip(chosen.rows.tolist(), chosen.texts.to_pylist(), strict=True))


def _write_input(row: RowContent, value: Value, out: Outgoing) -> None:
    messages = value.messages
    if messages is not None and row.type != "tool":
        if _is_instructions(messages[0]) and not any(m["role"] == "system" for m in messages[1:]):
            out.put(row.number, "gen_ai.system_instructions", dumps(messages[0]["parts"]))
            messages = messages[1:]
        if messages:
            out.put(row.number, "gen_ai.input.messages", dumps(messages))
    elif row.type == "retriever" and value.json is None:
        out.put(row.number, "gen_ai.retrieval.query.text", value.text)
    else:
        out.put(row.number, _NAMES.get((row.type, "input"), "input.value"), value.text)


def _write_output(row: RowContent, value: Value, out: Outgoing) -> None:
    if value.messages is not None and row.type != "tool":
        out.put(row.number, "gen_ai.output.messages", value.text)
    elif row.type == "retriever" and isinstance(value.json, list):
        out.put(row.number, "gen_ai.retrieval.documents", value.text)
    else:
        out.put(row.number, _NAMES.get((row.type, "output"), "output.value"), value.text)


def _is_instructions(message: dict[str, Any]) -> bool:
    return message["role"] == "system" and message.keys() == {"role", "parts"}
