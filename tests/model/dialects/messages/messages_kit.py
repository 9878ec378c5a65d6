"""What is found in attributes and records: canonical messages."""

import json
from collections import Counter

from collector.model.dialects.messages import choices as resolve
from collector.model.dialects.messages.carriers import contents
from collector.testing import builders


def stored_text(content, kind):
    faults = Counter()
    texts = dict(zip(resolve.KINDS, resolve.texts(content, faults), strict=True))
    assert not faults
    return texts[kind]


def found(kind, attributes=None, *, kind_of="generation", events=(), logs=None):
    """The input, output or tool definitions of a span of this type, as Python values."""
    spans = builders.spans([{"attributes": attributes or {}, "events": list(events), "type": kind_of}])
    joined = None if logs is None else builders.logs([{"trace_id": 1, "span_id": 1, **log} for log in logs])
    (content,) = contents(spans, joined)
    stored = stored_text(content, kind)
    try:
        return json.loads(stored) if stored is not None else None
    except ValueError:
        return stored
