"""Entries as the bytes of a journal record, and back.

A record is one Arrow IPC stream with its own schema, so one that an older or a newer version wrote is
read by the names of its columns: those it lacks are null, those nobody knows are left out. Only what
changes the meaning or the type of a column raises ``schema.VERSION``, and other versions are refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from collector.engine.journal.records import Entry
from collector.errors import JournalError
from collector.model import schema
from collector.model.arrow_arrays import completed
from collector.model.batch import BATCH_OF, Signal

_VERSION = b"spanloom"
_MAX_HEADS = 256
_heads: dict[bytes, pa.Schema] = {}
"""Heads of streams whose columns were compared with a schema: that costs more than all the rest of reading."""


def pack(entry: Entry) -> pa.Buffer:
    """The entry as one uncompressed stream."""
    meta = {
        _VERSION: str(schema.VERSION).encode(),
        b"signal": entry.batch.signal.value.encode(),
        b"pipelines": "\n".join(entry.pipelines).encode(),
        b"join": b"1" if entry.join else b"",
        b"dropped": b"1" if entry.dropped else b"",
        b"met": "\n".join(sorted(entry.matched_conditions)).encode(),
    }
    table = entry.batch.record_batch
    return type(entry.batch)(table.replace_schema_metadata(meta)).to_ipc()


def unpack(payload: pa.Buffer) -> Entry:
    """The entry, its columns views into ``payload``. Raises ``JournalError`` when this version cannot read it."""
    with pa.ipc.open_stream(payload) as reader:
        table = reader.read_next_batch()
    meta: Mapping[bytes, bytes] = table.schema.metadata or {}
    if meta.get(_VERSION) != str(schema.VERSION).encode():
        raise JournalError(
            f"journal record of schema version {meta.get(_VERSION)!r}: this version reads {schema.VERSION}"
        )
    kind = BATCH_OF[Signal(meta[b"signal"].decode())]
    table = table.replace_schema_metadata(None)
    head = _head(payload)
    if _heads.get(head) is not kind.schema:
        table = _as_today(table, kind.schema, head)
    pipelines = tuple(meta[b"pipelines"].decode().split("\n"))
    matched_conditions = meta.get(b"met", b"").decode()
    return Entry(
        kind(table),
        pipelines,
        bool(meta.get(b"join")),
        bool(meta.get(b"dropped")),
        frozenset(matched_conditions.split("\n") if matched_conditions else ()),
    )


def _head(payload: pa.Buffer) -> bytes:
    """The first message of a stream, which holds its schema."""
    length = int.from_bytes(payload.slice(4, 4).to_pybytes(), "little")
    return bytes(payload.slice(8, length).to_pybytes())


def _as_today(table: pa.RecordBatch, fields: pa.Schema, head: bytes) -> pa.RecordBatch:
    if table.schema.equals(fields):
        if len(_heads) >= _MAX_HEADS:
            _heads.clear()
        _heads[head] = fields
        return table
    try:
        return completed(table, fields)
    except (ValueError, NotImplementedError) as error:
        raise JournalError(f"a journal record cannot be read: {error}") from error
