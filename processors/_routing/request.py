"""Conditions over a request's headers, in the Collector's words: ``request["X-Tenant"] == "acme"``, or ``!=``."""

from __future__ import annotations

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

    key: str
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
    def text(self) -> str:
        """In one line, however it was written."""
        return f"request[{json.dumps(self.key.lower())}] {'!=' if self.differs else '=='} {json.dumps(self.value)}"

    def is_met(self, metadata: Metadata) -> bool:
        return any((value == self.value) != self.differs for value in metadata(self.key.lower()))
