"""Removes attributes that are not allowed, and masks what is blocked, as the Collector's processor of that name does.

For every attribute of spans and their events, log records, metric points, resources and scopes, in this order: an
ignored key is left alone; a key that is not allowed is removed, and without ``allow_all_keys`` an empty list allows
none; a value that an allowed pattern is found in stays; the value of a blocked key is masked whole; in other values
what blocked patterns match is masked. Only texts are looked at, numbers, lists and maps with ``redact_all_types``. In
bodies of log records keys and values are looked at all the way down.

Other than the Collector, which takes a list or map that holds NaN or an infinity for an empty text, it looks into
these.

What the trace model reads from a changed attribute follows: with ``gen_ai.*`` keys removed there are no tokens, so put
it behind what needs them, or allow them. It does not look into JSON texts, span names, status messages and links, and
knows no checksums and contexts: to be sure that nothing sensitive leaves, use ``pii``, and this beside it for lists of
keys. In front of a sampler it runs before anything is on disk, behind one after that.
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, SecretStr, field_validator, model_validator

from processors._redaction import summary as summaries
from processors._redaction.attribute_redactor import AttributeRedactor
from processors._redaction.bodies import Redacted, redacted
from processors._redaction.rules import Fate, Rules, compiled, replacement
from processors._redaction.sanitizers import DbSanitizer, UrlSanitizer
from spanloom import (
    Batch,
    ComponentConfig,
    LogBatch,
    ProcessorFactory,
    Settings,
    Signal,
    SpanBatch,
    attributes as attribute_lists,
    flat_edits,
    numpy_of,
    schema,
    with_headers,
)

_LISTS = ("ignored_key_patterns", "blocked_key_patterns", "blocked_values", "allowed_values")
_KEY_BYTES = {"hmac-sha256": 32, "hmac-sha512": 64}


class Config(ComponentConfig):
    allow_all_keys: bool = False
    """True: ``allowed_keys`` is not looked at."""

    allowed_keys: tuple[str, ...] = ()
    """Keys that are kept."""

    ignored_keys: tuple[str, ...] = ()
    """Keys that are kept as they are."""

    ignored_key_patterns: tuple[str, ...] = ()
    """RE2 expressions found in such keys."""

    redact_all_types: bool = False
    """Looks at values of other types as text, too; what is masked in one becomes text."""

    blocked_key_patterns: tuple[str, ...] = ()
    """RE2 expressions found in keys whose values are masked whole."""

    blocked_values: tuple[str, ...] = ()
    """RE2 expressions whose matches are masked, in this order; the Collector 0.155 takes any."""

    allowed_values: tuple[str, ...] = ()
    """RE2 expressions: a value one of them is found in stays whole."""

    hash_function: Literal["", "md5", "sha1", "sha3", "hmac-sha256", "hmac-sha512"] = ""
    """What stands in the place of a match: its hash in hex instead of ``****``. Without a key anybody can find out what
    is one of few."""

    hmac_key: SecretStr | None = None
    """The key of the ``hmac-`` functions: at least 32 bytes, 64 for ``hmac-sha512``."""

    summary: summaries.Summary = ""
    """``debug`` writes which keys were removed, masked and allowed, and how many were ignored, to attributes
    ``redaction.*`` of the item, ``info`` only how many of each; ``silent`` and nothing: none of it."""

    url_sanitizer: UrlSanitizer = Field(default=UrlSanitizer(), exclude=True)
    """Only off: URLs are not sanitized here."""

    db_sanitizer: DbSanitizer = Field(default=DbSanitizer(), exclude=True)
    """Only off: statements are not sanitized here."""

    @field_validator(*_LISTS)
    @classmethod
    def _compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            compiled(pattern)
        return patterns

    @model_validator(mode="after")
    def _has_its_key(self) -> Self:
        needed = _KEY_BYTES.get(self.hash_function, 0)
        found = len(self.hmac_key.get_secret_value().encode()) if self.hmac_key is not None else 0
        if found < needed:
            raise ValueError(f"{self.hash_function} needs an 'hmac_key' of at least {needed} bytes, not of {found}")
        return self


class Redaction:
    """Redacts batches of any signal."""

    def __init__(self, config: Config, settings: Settings) -> None:  # noqa: ARG002 - the form of all components
        key = config.hmac_key.get_secret_value().encode() if config.hmac_key is not None else b""
        self._summary: summaries.Summary = config.summary
        self._rules = Rules(
            allowed_keys=None if config.allow_all_keys else (*config.allowed_keys, *summaries.KEYS),
            ignored_keys=config.ignored_keys,
            ignored_key_patterns=config.ignored_key_patterns,
            blocked_key_patterns=config.blocked_key_patterns,
            blocked_values=config.blocked_values,
            allowed_values=config.allowed_values,
            replace=replacement(config.hash_function, key),
        )
        self._attributes = AttributeRedactor(self._rules, all_types=config.redact_all_types, summary=config.summary)

    def process(self, batch: Batch) -> Batch:
        """Takes batches of any signal."""
        if not batch.num_rows:
            return batch
        for name in ("resource", "scope"):
            batch = with_headers(batch, name, self._attributes.change)
        batch = batch.with_columns({"attributes": self._changed(batch.column("attributes"))})
        if isinstance(batch, SpanBatch):
            return batch.with_columns({"events": self._events(batch.column("events"))})
        return self._with_bodies(batch) if isinstance(batch, LogBatch) else batch

    def _changed(self, column: pa.ListArray) -> pa.ListArray:
        before = attribute_lists.flatten(column)
        after = self._attributes.change(before, len(column))
        return column if after is before else flat_edits.column(after, len(column))

    def _events(self, column: pa.ListArray) -> pa.ListArray:
        """Events with redacted attributes."""
        offsets = numpy_of(column.offsets)
        events = column.values.slice(offsets[0], offsets[-1] - offsets[0])
        given = events.field("attributes")
        changed = self._changed(given)
        if changed is given:
            return column
        fields = list(schema.EVENT)
        arrays = [changed if field.name == "attributes" else events.field(field.name) for field in fields]
        whole = pa.StructArray.from_arrays(arrays, fields=fields)
        return pa.ListArray.from_arrays(pa.array(offsets - offsets[0], pa.int32()), whole, type=schema.EVENTS)

    def _with_bodies(self, batch: LogBatch) -> LogBatch:
        bodies = list(zip(*(batch.column(f"body_{part}").to_pylist() for part in ("type", "num", "text")), strict=True))
        made = {body: redacted(body, self._rules) for body in dict.fromkeys(bodies)}
        done = [made[body] for body in bodies]
        parts = zip(*(each.value for each in done), strict=True)
        names = ("body_type", "body_num", "body_text")
        columns = {
            name: pa.array(values, schema.LOGS.field(name).type) for name, values in zip(names, parts, strict=True)
        }
        columns["attributes"] = self._with_summary(batch.column("attributes"), done)
        return batch.with_columns(columns)

    def _with_summary(self, column: pa.ListArray, done: list[Redacted]) -> pa.ListArray:
        said = {}
        for fate in Fate:
            pairs = [(row, key) for row, each in enumerate(done) for key in each.keys[fate]]
            rows, keys = (np.array([row for row, _ in pairs], np.int64), [key for _, key in pairs])
            said[fate] = (rows, pa.array(keys, pa.string()))
        before = attribute_lists.flatten(column)
        after = summaries.written(before, len(column), "body.", said, self._summary)
        return column if after is before else flat_edits.column(after, len(column))


factory = ProcessorFactory(Config, Redaction, masks=True, signals=frozenset(Signal))
