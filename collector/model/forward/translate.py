"""The same spans with their attributes in another dialect.

Attributes the model reads are moved: what they say goes out under the target's names. Everything
else keeps its place, and of OTLP's own fields only message events go, whose content is on the span
then. Usage and cost are those that count, so whoever sums them up gets the right sums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.model import attributes, schema
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import SpanBatch
from collector.model.dialects.compiled_tables import compiled
from collector.model.dialects.kept import kept
from collector.model.dialects.messages import carriers
from collector.model.forward import langfuse, openinference, readback, scalars, semconv, target_tables
from collector.model.forward.contents import RowContent, rows
from collector.model.forward.outgoing import Outgoing
from collector.model.forward.scalars import Facts

_FACTS: Mapping[str, Callable[[SpanBatch, Facts, Outgoing], None]] = {
    "semconv": semconv.write_facts,
    "langfuse": langfuse.write_facts,
}
"""Facts that are more than a column under a name."""
_CONTENT: Mapping[str, Callable[[RowContent, Outgoing], None]] = {
    "semconv": semconv.write,
    "openinference": openinference.write,
    "langfuse": langfuse.write,
}


def translate(spans: SpanBatch, observations: pa.Table, target: str) -> SpanBatch:
    """The rows of ``spans``, in their order, with the columns of ``schema.WIRE``.

    ``spans`` has the columns of ``schema.SPANS``; ``observations`` are the same rows as stored (masked
    like the spans, content of joined log records included); ``target`` is one of ``tables.TARGETS``.
    A pure function: the same rows give the same batch.
    """
    facts, out = Facts(spans, observations), Outgoing()
    out.texts(target_tables.MARKER + target, facts.column("dialect"))
    for attribute in target_tables.target(target).attributes:
        scalars.write(attribute, facts, out)
    if target in _FACTS:
        _FACTS[target](spans, facts, out)
    for row in rows(facts):
        with out.whole():
            _CONTENT[target](row, out)
    wire = pa.RecordBatch.from_arrays([spans.column(name) for name in schema.WIRE.names], schema=schema.WIRE)
    kept = _kept(spans, target, out)
    translated = SpanBatch(wire).with_columns(
        {"attributes": out.with_kept(kept, spans.num_rows), "events": _events(spans, facts)}
    )
    if not readback.carry(translated, spans, facts, out):
        return translated
    return translated.with_columns({"attributes": out.with_kept(kept, spans.num_rows)})


def _kept(spans: SpanBatch, target: str, out: Outgoing) -> attributes.Flat:
    """The attributes that stay: those the model does not read, less those just written."""
    flat = attributes.flatten(spans.column("attributes"))
    stays = np.array([key not in out.keys and _stays(key, target) for key in flat.keys] or [True], np.bool_)
    return flat.select(stays[flat.key_codes])


@kept(16_384)
def _stays(key: str, target: str) -> bool:
    if key.startswith(target_tables.CARRIER):
        return False
    if target_tables.kept(target).match(key):
        return True
    return not compiled().key_info(key).wanted and not carriers.names_of(key)


def _events(spans: SpanBatch, facts: Facts) -> pa.ListArray:
    """The events without the messages of spans whose content goes out as attributes."""
    column = spans.column("events")
    offsets = numpy_of(column.offsets)
    child = column.values.slice(offsets[0], offsets[-1] - offsets[0])
    names = child.field("name").dictionary_encode()
    message_events = carriers.message_events()
    is_message = np.array([name in message_events for name in names.dictionary.to_pylist()] or [False])
    message = is_message[numpy_of(names.indices)]
    if not message.any():
        return column
    owners = np.repeat(np.arange(len(column)), np.diff(offsets))
    stays = ~(message & _has_content(facts)[owners])
    bounds = np.zeros(len(column) + 1, np.int32)
    np.cumsum(np.bincount(owners[stays], minlength=len(column)), out=bounds[1:])
    return pa.ListArray.from_arrays(pa.array(bounds), child.filter(pa.array(stays)), type=schema.EVENTS)


def _has_content(facts: Facts) -> npt.NDArray[np.bool_]:
    valid = [numpy_of(facts.column(name).is_valid()) for name in ("input", "output")]
    some: npt.NDArray[np.bool_] = valid[0] | valid[1]
    return some
