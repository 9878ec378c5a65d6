"""Single spans with usage, and what is read from them."""

import json

from collector.model.facts import resolve
from collector.testing.builders import spans


def resolved(attributes, faults=None, **row):
    """The facts of one span, maps as dicts."""
    found = resolve.resolve(spans([{"attributes": attributes, **row}]), faults).record_batch.to_pylist()[0]
    for name in ("usage", "cost"):
        found[name] = None if found[name] is None else dict(found[name])
    return found


def tokens(found):
    names = ("input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens")
    return [found[name] for name in (*names, "reasoning_tokens")]


def genai(**counts):
    return {f"gen_ai.usage.{name}": value for name, value in counts.items()}


def langfuse(usage, **more):
    return {"langfuse.observation.usage_details": json.dumps(usage), **more}


USED = genai(input_tokens=10, output_tokens=5)
