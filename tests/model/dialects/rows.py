"""One span of a dialect, as facts and as the stored row."""

import contextlib
import json

import pyarrow as pa

from collector.model import schema
from collector.model.facts import resolve
from collector.model.stored.observations import observations
from collector.testing.builders import START_UNIX_NANO, spans


def fact(attributes, **row):
    """The facts of one span; maps as dicts."""
    found = resolve.resolve(spans([{"attributes": attributes, **row}])).record_batch.to_pylist()[0]
    return {**found, **{name: None if found[name] is None else dict(found[name]) for name in ("usage", "cost")}}


def stored(attributes, **row):
    """The stored row of one counted span; JSON columns as values."""
    batch = resolve.resolve(spans([{"attributes": attributes, **row}]))
    decision = {"usage_scope": "counted", "adjusted_count": 1.0, "date": 0, "ingested_unix_nano": START_UNIX_NANO}
    found = observations(batch, pa.RecordBatch.from_pylist([decision], schema=schema.DECIDED)).to_pylist()[0]
    for name in ("input", "output", "tool_definitions", "model_parameters", "metadata"):
        with contextlib.suppress(ValueError):
            found[name] = found[name] and json.loads(found[name])
    return found


def text(content):
    return {"type": "text", "content": content}


def message(role, *parts, **more):
    return {"role": role, "parts": list(parts), **more}


def call(name, arguments, call_id=None):
    return {"type": "tool_call", **({"id": call_id} if call_id else {}), "name": name, "arguments": arguments}


def answer(response, call_id=None):
    return {"type": "tool_call_response", **({"id": call_id} if call_id else {}), "response": response}
