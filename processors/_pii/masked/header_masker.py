"""Masks resource and scope: interned entries, decoded and masked once per distinct value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from processors._pii.keys import ORIGIN
from processors._pii.masked.value_masker import ValueMasker
from spanloom import TooDeepError, parse_resource, parse_scope, set_columns, to_columns

_MAX_CACHED = 2_000


class HeaderCache:
    """Masked entries of earlier batches, in memory only: most batches bring the same few again."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, bytes], bytes] = {}

    def put(self, kind: str, header: bytes, masked: bytes) -> None:
        if len(self.entries) >= _MAX_CACHED:
            self.entries.clear()
        self.entries[kind, header] = masked


class HeaderMasker:
    """Masks entries of the ``resource`` and ``scope`` columns of one batch."""

    def __init__(self, values: ValueMasker, cache: HeaderCache) -> None:
        self._values = values
        self._cache = cache

    def resource(self, header: bytes) -> bytes:
        """The masked entry; the same object when nothing changed."""
        return self._masked("resource", header, self._resource)

    def scope(self, header: bytes) -> bytes:
        """The masked entry; the same object when nothing changed."""
        return self._masked("scope", header, self._scope)

    def _masked(self, kind: str, header: bytes, change: Callable[[bytes], bytes]) -> bytes:
        masked = self._cache.entries.get((kind, header))
        if masked is not None:
            return header if masked == header else masked
        failures, counted = self._values.tally.failed, self._values.tally.masked.total()
        try:
            masked = change(header)
        except (DecodeError, TooDeepError, ValueError):
            # Nobody can say what is in there.
            self._values.tally.failed += 1
            return b""
        if self._values.tally.failed == failures and self._values.tally.masked.total() == counted:
            self._cache.put(kind, header, masked)
        return header if masked == header else masked

    def _resource(self, header: bytes) -> bytes:
        message = parse_resource(header)
        resource = message.resource
        changed = self._key_values(resource.attributes) | self._fields(message, "schema_url")
        for entity in resource.entity_refs:
            changed |= self._fields(entity, "schema_url", "type")
            changed |= self._names(entity.id_keys) | self._names(entity.description_keys)
        return self._serialised(message, header, changed=changed)

    def _scope(self, header: bytes) -> bytes:
        message = parse_scope(header)
        changed = self._fields(message.scope, "name", "version") | self._fields(message, "schema_url")
        changed |= self._key_values(message.scope.attributes)
        return self._serialised(message, header, changed=changed)

    def _serialised(self, message: Any, header: bytes, *, changed: bool) -> bytes:
        size = message.ByteSize()
        message.DiscardUnknownFields()  # could hold anything
        if not changed and message.ByteSize() == size:
            return header
        serialised: bytes = message.SerializeToString(deterministic=True)
        return serialised

    def _key_values(self, entries: Any) -> bool:
        changed = False
        kept: list[KeyValue] = []
        for entry in entries:
            value = to_columns(entry.value)
            masked = self._values.value(self._values.keys.of_origin(entry.key), value)
            changed |= self._fields(entry, "key")
            if masked is None:
                changed = True
                continue
            if masked is not value:
                changed = True
                entry.value.Clear()
                set_columns(entry.value, *masked)
            kept.append(KeyValue.FromString(entry.SerializeToString()))
        if changed:
            del entries[:]
            entries.extend(kept)
        return changed

    def _fields(self, message: Any, *names: str) -> bool:
        changed = False
        for name in names:
            raw = getattr(message, name).encode()
            masked = self._values.text(raw, ORIGIN)
            if masked != raw:
                setattr(message, name, masked.decode("utf-8", "replace"))
                changed = True
        return changed

    def _names(self, names: Any) -> bool:
        masked = [self._values.text(name.encode(), ORIGIN).decode("utf-8", "replace") for name in names]
        if masked == list(names):
            return False
        names[:] = masked
        return True
