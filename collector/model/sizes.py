"""How large rows are, as data and not as memory: the same however rows are batched."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import Batch, Signal

_Sizes = npt.NDArray[np.int64]

_SENT = {
    Signal.TRACES: schema.WIRE.names,
    Signal.LOGS: schema.LOGS.names,
    Signal.METRICS: schema.METRICS.names,
}
_HEADERS = frozenset({"resource", "scope"})
"""Said once for many rows on the wire."""


def row_bytes(batch: Batch) -> _Sizes:
    """Bytes of the texts and numbers of each row, resource, scope and facts left out.

    Near the size of the row as OTLP protobuf: ids and texts count in full, a number 8 bytes.
    """
    names = [name for name in _SENT[batch.signal] if name not in _HEADERS]
    return sum((_bytes(batch.column(name)) for name in names), np.zeros(batch.num_rows, np.int64))


def _bytes(values: pa.Array) -> _Sizes:
    kind = values.type
    if pa.types.is_dictionary(kind):
        table = np.append(_bytes(values.dictionary), 0)
        picked: _Sizes = table[numpy_of(values.indices.fill_null(-1))]
        return picked
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return np.diff(_offsets(values)).astype(np.int64)
    if pa.types.is_list(kind):
        offsets = numpy_of(values.offsets)
        inner = values.values.slice(offsets[0], offsets[-1] - offsets[0])
        sizes: _Sizes = np.diff(np.append(0, np.cumsum(_bytes(inner)))[offsets - offsets[0]])
        return sizes
    if pa.types.is_struct(kind):
        members = [_bytes(values.field(position)) for position in range(kind.num_fields)]
        return sum(members, np.zeros(len(values), np.int64))
    return np.full(len(values), max(1, kind.bit_width // 8), np.int64)


def _offsets(values: pa.Array) -> npt.NDArray[np.int32]:
    buffer = values.buffers()[1]
    if buffer is None or not len(values):
        return np.zeros(len(values) + 1, np.int32)
    return np.frombuffer(buffer, np.int32, len(values) + 1, values.offset * 4)
