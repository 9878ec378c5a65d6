"""Changes attributes of the resource that spans, log records and metric points come from, as the Collector's
processor of that name does.

What the trace model reads from the resource follows: ``service.name``, ``deployment.environment.name``. A record
whose resource says nothing any more keeps an empty one.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as Message
from pydantic import Field

from collector.model import attributes as attribute_lists
from collector.model.any_value import set_columns, to_columns
from collector.model.attributes import Flat
from processors._attributes.actions import Action
from spanloom import Batch, ComponentConfig, ProcessorFactory, Settings, Signal


class Config(ComponentConfig):
    attributes: tuple[Action, ...] = Field(min_length=1)
    """What is done, in this order."""


class Resource:
    """Runs the actions over the distinct resources of a batch."""

    def __init__(self, config: Config, settings: Settings) -> None:  # noqa: ARG002 - the form of all components
        self._actions = config.attributes

    def process(self, batch: Batch) -> Batch:
        """Takes batches of any signal."""
        column = batch.column("resource")
        before = column.dictionary.to_pylist()
        after = self._changed(before)
        if after == before:
            return batch
        # Resources that became equal are one.
        codes = {header: code for code, header in enumerate(dict.fromkeys(after))}
        moved = np.array([codes[header] for header in after], np.int32)[column.indices.to_numpy(zero_copy_only=False)]
        headers = pa.array(list(codes), column.type.value_type)
        return batch.with_columns({"resource": pa.DictionaryArray.from_arrays(pa.array(moved, pa.int32()), headers)})

    def _changed(self, headers: list[bytes]) -> list[bytes]:
        messages = [attribute_lists.parse_resource(header) for header in headers]
        before = flat = _flat([message.resource for message in messages])
        everywhere = np.ones(len(messages), bool)
        for action in self._actions:
            flat = action.apply(flat, everywhere)
        if flat is before:
            return headers
        for message in messages:
            del message.resource.attributes[:]
        columns = (flat.rows.tolist(), flat.key_codes.tolist(), flat.types.tolist(), flat.nums.tolist())
        for row, code, kind, num, text in zip(*columns, flat.texts.to_pylist(), strict=True):
            added = messages[row].resource.attributes.add(key=flat.keys[code])
            set_columns(added.value, kind, num, text)
        return [message.SerializeToString(deterministic=True) for message in messages]


def _flat(resources: list[Message]) -> Flat:
    entries = [(row, entry.key, *to_columns(entry.value)) for row, r in enumerate(resources) for entry in r.attributes]
    keys = pa.array([entry[1] for entry in entries], pa.string()).dictionary_encode()
    return Flat(
        np.array([entry[0] for entry in entries], np.int32),
        keys.indices.to_numpy(zero_copy_only=False),
        keys.dictionary.to_pylist(),
        np.array([entry[2] for entry in entries], np.uint8),
        np.array([entry[3] for entry in entries], np.int64),
        pa.array([entry[4] for entry in entries], pa.string()),
    )


factory = ProcessorFactory(Config, Resource, signals=frozenset(Signal))
