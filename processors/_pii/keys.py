"""What a key says about its values, decided once per distinct key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from processors._pii import identifiers
from processors._pii.patterns import compiled, secret_key_pattern
from spanloom import key_class

_MAX_CACHED = 20_000

# Model names, enums, ids: no "@" but for Vertex AI's dates, a letter somewhere, no long run of digits.
_FACT = re.compile(rb"(?=.*[A-Za-z])(?!.*[0-9]{12})[A-Za-z0-9][\w.:/+-]{0,199}(?:@(?:[0-9]{8}|latest|default))?\Z")
_NUMBER = re.compile(rb"-?[0-9]{1,12}(?:\.[0-9]{1,12})?\Z")

NUMERIC_ENTITIES = frozenset({"credit_card", "us_ssn", "phone", "ip_address", "mac_address", *identifiers.data()})
"""What an id may look like by chance."""


@dataclass(frozen=True, slots=True)
class KeyRule:
    """How to treat the values of a key."""

    key: str
    kind: str
    """``content``, ``identity`` or ``fact`` by the dialect tables, ``origin`` in a resource or scope."""
    is_secret: bool

    def exempt(self, value: bytes) -> frozenset[str]:
        """Entities that the value is not searched for: it is a fact and has a fact's shape."""
        if self.kind == "fact" and (_NUMBER.match(value) or _FACT.match(value)):
            return NUMERIC_ENTITIES
        return frozenset()


ORIGIN = KeyRule("", "origin", is_secret=False)
"""For names of resources and scopes."""


class KeyRules:
    """The rule of each key, remembered."""

    def __init__(self, blocked_key_patterns: Sequence[str]) -> None:
        self._secret = secret_key_pattern()
        self._own = [compiled(pattern) for pattern in blocked_key_patterns]
        self._rules: dict[str, KeyRule] = {}

    def of(self, key: str) -> KeyRule:
        rule = self._rules.get(key)
        if rule is None:
            if len(self._rules) >= _MAX_CACHED:
                self._rules.clear()  # keys with ids in them: start anew rather than grow
            rule = self._rules[key] = KeyRule(key, key_class(key), self.is_secret(key))
        return rule

    def of_origin(self, key: str) -> KeyRule:
        """The rule for an attribute of a resource or scope, which is never content of a call."""
        rule = self.of(key)
        return replace(rule, kind="origin") if rule.kind == "content" else rule

    def is_secret(self, key: str) -> bool:
        """Whether values under the key are never kept."""
        if self._secret.match(key[-256:]) is not None:
            return True
        return any(pattern.fullmatch(key.encode()) is not None for pattern in self._own)
