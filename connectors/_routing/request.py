"""Conditions over a request's headers, in the Collector's words: ``request["X-Tenant"] == "acme"``, or ``!=``."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Self

from spanloom import Metadata

_STRING = r'"(?:[^"\\]|\\.)*"'
_CONDITION = re.compile(rf"\s*request\[\s*(?P<key>{_STRING})\s*\]\s*(?P<sign>==|!=)\s*(?P<value>{_STRING})\s*\Z")


@dataclass(frozen=True)
class HeaderCondition:
    """``RequestCondition``: one of a header's values is this, or with ``!=`` is not; never without that header."""

    header: str
    value: str
    differs: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ``ValueError``."""
        match = _CONDITION.match(text)
        try:
            if match is not None:
                return cls(json.loads(match["key"]), json.loads(match["value"]), match["sign"] == "!=")
        except ValueError:
            pass
        raise ValueError(f'{text!r}: a condition over a request is request["KEY"] == "VALUE", or with !=')

    @property
    def key(self) -> str:
        """A digest: the value may be a secret."""
        identity = json.dumps([self.header.lower(), self.value, self.differs])
        return hashlib.sha256(identity.encode()).hexdigest()[:32]

    def is_met(self, metadata: Metadata) -> bool:
        return any((value == self.value) != self.differs for value in metadata(self.header.lower()))
