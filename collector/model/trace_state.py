"""W3C ``tracestate``, and OpenTelemetry's sampling threshold in it (``ot=th:…``).

The threshold says how likely a trace was to come this far: of 2⁵⁶ random values those below it were
rejected (OpenTelemetry specification, "TraceState: Probability Sampling").
"""

from __future__ import annotations

import re

_SIMPLE_KEY = r"[a-z][a-z0-9_\-*/]{0,255}"
_TENANT_KEY = r"[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}"
_VALUE = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER = re.compile(rf"[ \t]*(?P<key>{_SIMPLE_KEY}|{_TENANT_KEY})=(?P<value>{_VALUE})[ \t]*")
_MOST_MEMBERS = 32

_THRESHOLD = re.compile(r"(?:^|;)th:(?P<digits>[0-9a-f]{1,14})(?:;|$)")
_RANGE = 2**56
_PRECISION = 4
"""Hexadecimal digits written after leading f's: enough for 0.01 %."""


def members(text: str) -> dict[str, str] | None:
    """Key → value, in order; None for what is no tracestate, which counts as none at all."""
    found: dict[str, str] = {}
    for part in text.split(",") if text else ():
        if not part:
            continue
        match = _MEMBER.fullmatch(part)
        if match is None or match["key"] in found or len(found) == _MOST_MEMBERS:
            return None
        found[match["key"]] = match["value"]
    return found


def probability(text: str) -> float:
    """How likely the span was to come this far, as its ``ot`` member says; 1 where nothing is said."""
    match = _THRESHOLD.search((members(text) or {}).get("ot", "")) if "th:" in text else None
    if match is None:
        return 1.0
    return (_RANGE - int(match["digits"].ljust(14, "0"), 16)) / _RANGE


def with_probability(text: str, kept: float) -> str:
    """The tracestate of a span that was this likely to be kept; ``kept`` is above 0 and at most 1."""
    known = members(text) or {}
    rest = [field for field in known.pop("ot", "").split(";") if field and not field.startswith("th:")]
    threshold = _digits(kept)
    fields = [f"th:{threshold}", *rest] if threshold else rest
    parts = [f"ot={';'.join(fields)}"] if fields else []
    return ",".join([*parts, *(f"{key}={value}" for key, value in list(known.items())[: _MOST_MEMBERS - 1])])


def _digits(kept: float) -> str:
    """The threshold without trailing zeros; "" where nothing was rejected."""
    threshold = min(_RANGE - 1, round((1 - kept) * _RANGE))
    digits = f"{threshold:014x}"
    leading = len(digits) - len(digits.lstrip("f"))
    return digits[: leading + _PRECISION].rstrip("0")
