"""Masks single values: an attribute, a body, a text; and says what it did."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from processors._pii.entities import Entity
from processors._pii.identity import Pseudonyms
from processors._pii.keys import KeyRule, KeyRules
from processors._pii.masked.blobs import Base64, Blobs
from processors._pii.masked.json_masker import OtlpMasker
from processors._pii.masking_engine import Engine
from processors._pii.recognized.names import Names
from spanloom import double_of_bits, dumps, schema

Value = tuple[int, int, str]
"""(type, num, text), as in ``schema.ATTRIBUTE``."""

FAILED = "[MASKING_FAILED]"
"""Stands for a value that could not be searched: content is lost rather than leaked."""

_TEXTUAL = frozenset({schema.STRING, schema.ARRAY, schema.KVLIST, schema.BYTES})
_NUMERIC = frozenset({schema.INT, schema.DOUBLE})


@dataclass(slots=True)
class Tally:
    """What happened in one batch."""

    masked: Counter[str] = field(default_factory=Counter)
    """Values replaced, by entity."""
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """The part of the configuration that concerns single values."""

    secret: Entity | None
    """What to write for values under a secret's key; None: such keys are like others."""
    keep_content: bool = True
    redact_all_types: bool = False
    base64: Base64 = Base64.KEEP


class ValueMasker:
    """Applies the engine to values by what their keys say. One per batch."""

    def __init__(
        self,
        engine: Engine,
        keys: KeyRules,
        pseudonyms: Pseudonyms,
        options: Options,
        names: Names | None = None,
    ) -> None:
        self.engine = engine
        self.keys = keys
        self.options = options
        self.tally = Tally()
        self.carrier = ""
        """The column that is worked on, for those who want to know where."""
        self._pseudonyms = pseudonyms
        self._names = names
        self._blobs = Blobs(options.base64, engine.mask)

    @property
    def reads_everything(self) -> bool:
        """Every text is to be looked at, whatever the engine's cheap pass says."""
        return self._names is not None

    def is_due(self, rule: KeyRule, kind: int) -> bool:
        """Whether a value is to be looked at because of its key or type, whatever its text."""
        if rule.is_secret and self.options.secret is not None:
            return kind not in {schema.EMPTY, schema.BOOL}
        if not self.options.keep_content and rule.kind == "content":
            return kind in _TEXTUAL
        return kind == schema.BYTES or (self.options.redact_all_types and kind in _NUMERIC)

    def value(self, rule: KeyRule, value: Value) -> Value | None:
        """The masked value (the same object when nothing changed); None: the attribute goes."""
        try:
            return self._value(rule, value)
        except Exception:  # fails closed, whatever went wrong; the value must not be logged
            self.tally.failed += 1
            return schema.STRING, 0, FAILED

    def text(self, raw: bytes, rule: KeyRule | None = None) -> bytes:
        """A masked text; empty where it must be dropped."""
        try:
            return self._text(raw, rule) or b""
        except Exception:  # as above
            self.tally.failed += 1
            return FAILED.encode()

    def identity(self, key: str, raw: bytes) -> bytes:
        """What stands for a user or session under a key. Raises what keeps the pseudonym from being made."""
        return self._text(raw, replace(self.keys.of(key), kind="identity")) or b""

    def _value(self, rule: KeyRule, value: Value) -> Value | None:
        kind, num, text = value
        options = self.options
        if rule.is_secret and options.secret is not None and kind not in {schema.EMPTY, schema.BOOL}:
            return self._secret_value(options.secret, value)
        if not options.keep_content and rule.kind == "content" and kind in _TEXTUAL:
            return None
        if kind == schema.STRING:
            raw = text.encode()
            masked = self._text(raw, rule)
            if masked is None:
                return None
            return value if masked is raw or masked == raw else (kind, num, masked.decode("utf-8", "replace"))
        if kind in {schema.ARRAY, schema.KVLIST}:
            return self._container(value)
        if kind == schema.BYTES:
            encoded = self._otlp_masker().encoded(text)
            return value if encoded == text else (kind, num, encoded)
        return self._number(rule, value) if options.redact_all_types and kind in _NUMERIC else value

    def _secret_value(self, secret: Entity, value: Value) -> Value:
        replacement = (schema.STRING, 0, secret.redacted)
        if value == replacement or (value[0] == schema.STRING and not value[2]):
            return value
        self.tally.masked[secret.name] += 1
        return replacement

    def _text(self, raw: bytes, rule: KeyRule | None) -> bytes | None:
        if rule is None:
            return self._named(self._searched(raw))
        masked = self._searched(raw, rule.exempt(raw))
        if rule.kind in {"content", "identity"}:
            masked = self._named(masked)
        if rule.kind == "identity" and masked is not None and masked != raw:
            return self._pseudonyms.of(rule.key, raw)
        return masked

    def _searched(self, raw: bytes, exempt: Collection[str] = ()) -> bytes | None:
        masked = self.engine.mask(raw, self.tally.masked, exempt)
        return masked if masked is None or exempt else self._blobs.masked(masked, self.tally.masked)

    def _named(self, raw: bytes | None) -> bytes | None:
        """Without what the recognizer finds; None: it must be dropped."""
        if self._names is None or raw is None:
            return raw
        text = raw.decode("utf-8", "replace")
        masked = self._names.replaced(text, self.tally.masked)
        return raw if masked == text else None if masked is None else masked.encode()

    def _container(self, value: Value) -> Value:
        kind, num, text = value
        content = json.loads(text)
        masker = self._otlp_masker()
        masker.container(content)
        return (kind, num, dumps(content)) if masker.changed else value

    def _otlp_masker(self) -> OtlpMasker:
        secret = self.options.secret
        return OtlpMasker(
            lambda raw: self._text(raw, None) or b"",
            self.keys.is_secret if secret is not None else _never,
            self._nested_secret(secret) if secret is not None else str,
        )

    def _nested_secret(self, secret: Entity) -> Callable[[], str]:
        def marker() -> str:
            self.tally.masked[secret.name] += 1
            return secret.redacted

        return marker

    def _number(self, rule: KeyRule, value: Value) -> Value:
        kind, num, _ = value
        number: float = num if kind == schema.INT else double_of_bits(num)
        raw = (str(int(number)) if float(number).is_integer() else repr(number)).encode()
        masked = self.engine.mask(raw, self.tally.masked, rule.exempt(raw))
        return value if masked == raw else (schema.STRING, 0, (masked or b"").decode())


def _never(_key: str) -> bool:
    return False
