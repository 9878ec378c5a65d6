"""Conversions of single distinct values: the closed list of names the dialect tables may use.

Each function gets one text (numbers arrive in their shortest decimal form) and gives the value or
``None`` for "this source says nothing", never an exception. They run once per distinct value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from functools import lru_cache
from typing import Any

from collector.model.dialects import aliases, fields
from collector.model.json_values import MAX_COUNT, parse_json, scalar_text, text

PICO = Decimal(10) ** 12
MAX_MONEY = 10**18
"""Pico-dollars from here on do not fit decimal(18,12)."""

EXACT_BELOW = 1_000.0
"""Below, a double times 1e12 is off by less than a half, so rounding gives the decimal's digits."""
_ENVIRONMENT = re.compile(r"[^a-z0-9_-]+")
_TYPE = re.compile(r"[a-z]+(/[a-z_]{1,40})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?\s*(Z|z|[+-]\d\d:?\d\d)?")


class RefusedError(ValueError):
    """A number was there, and it cannot be a count or an amount of money."""


def json_unwrap(value: str) -> str | None:
    """A text that was JSON-encoded, once or twice, without its quotes; plain texts stay."""
    for _ in range(2):
        if not value.startswith('"'):
            break
        inner = parse_json(value)
        if not isinstance(inner, str):
            break
        value = inner
    return None if value == "null" else text(value)


_UNSAID = frozenset({"None", "null", "undefined", '""', "''"})


def said(value: str) -> str | None:
    """The text, unless it is how some emitter writes down that there is none."""
    return None if value.strip() in _UNSAID else text(value)


def provider(value: str) -> str | None:
    """A provider's canonical name."""
    return aliases.provider(value)


def environment(value: str) -> str | None:
    """Lower case, of letters, digits, ``-`` and ``_``, at most 40 characters (Langfuse's rule)."""
    cleaned = _ENVIRONMENT.sub("-", value.strip().casefold()).removeprefix("langfuse")
    return cleaned.strip("-")[:40] or None


def texts(value: str) -> tuple[str, ...]:
    """A list of texts written as a JSON array, a comma list or a single text."""
    stripped = value.strip()
    if stripped.startswith(("[", '"')):
        parsed = parse_json(stripped)
        if isinstance(parsed, str):
            return texts(parsed) if parsed != stripped else (parsed,)
        if isinstance(parsed, list | tuple):
            return flat_texts(parsed)
    return flat_texts(stripped.split(","))


def flat_texts(values: Any) -> tuple[str, ...]:
    """The texts of scalars, stripped, without empty ones and repetitions; order kept."""
    found = (scalar_text(value) for value in values)
    return tuple(dict.fromkeys(t.strip() for t in found if t and t.strip()))


def finish_reasons(values: tuple[str, ...]) -> tuple[str, ...]:
    """Finish reasons in the semantic conventions' words; one per choice, so repetitions stay."""
    return tuple(aliases.finish_reason(value) for value in values)


@lru_cache(maxsize=8_192)
def count(value: Any) -> int | None:
    """A token count from a number, the text of one, or a JavaScript Long (``{low, high}``).

    ``None`` for what is no number. Raises ``RefusedError`` for negative, NaN, infinite and absurd ones.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        return _count_of_text(value)
    if not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        raise RefusedError
    if not 0 <= value <= MAX_COUNT:
        raise RefusedError
    return int(value)


def _count_of_text(value: str) -> int | None:
    stripped = value.strip().strip('"')
    if len(stripped) > 40:
        return None
    try:
        return count(int(stripped))
    except RefusedError:
        raise
    except ValueError:
        pass
    try:
        return count(float(stripped))
    except RefusedError:
        raise
    except ValueError:
        return None


def long_value(value: Any) -> Any:
    """A protobuf.js Long object (``{low, high}``) as an int; other values as they are."""
    if (
        isinstance(value, dict)
        and isinstance(low := value.get("low"), int)
        and isinstance(high := value.get("high"), int)
    ):
        return (high << 32) + (low & 0xFFFFFFFF)
    return value


def pico(value: Any) -> int | None:
    """An amount in USD as int64 pico-dollars, rounded half to even; exact from the decimal text.

    ``None`` for what is no number. Raises ``RefusedError`` for negative and NaN, ``OverflowError`` for
    what decimal(18,12) does not hold.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float) and 0 <= value < EXACT_BELOW:
        return round(value * 1e12)
    if isinstance(value, str) and len(value) > 60:
        return None
    try:
        amount = Decimal(value.strip().strip('"').removeprefix("$") if isinstance(value, str) else repr(value))
    except DecimalException:
        return None
    if not amount.is_finite() or amount < 0:
        raise RefusedError
    if amount.adjusted() > 12:
        raise OverflowError
    result = int((amount * PICO).to_integral_value())
    if result >= MAX_MONEY:
        raise OverflowError
    return result


def iso_time(value: str) -> int | None:
    """An ISO 8601 time (UTC if it names no zone), possibly JSON-quoted, as unix nanoseconds; None beyond int64."""
    unwrapped = json_unwrap(value)
    match = _ISO.fullmatch(unwrapped.strip()) if unwrapped else None
    if not match:
        return None
    date, clock, fraction, zone = match.groups()
    zone = "+00:00" if zone in {None, "Z", "z"} else zone
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{zone}")
    except ValueError:
        return None
    seconds = round((moment - _EPOCH).total_seconds())
    nanos = seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))
    return nanos if -(2**63) <= nanos < 2**63 else None


def observation_type(value: str) -> str | None:
    """A type, or ``type/subtype``, as the model itself writes it."""
    return value if _TYPE.fullmatch(value) and value.partition("/")[0] in fields.TYPES else None


TEXT_CONVERTS: dict[str, Callable[[str], str | None]] = {
    "text": text,
    "json_unwrap": json_unwrap,
    "said": said,
    "provider": provider,
    "provider_of_model": aliases.provider_of_model,
    "provider_of_server": aliases.provider_of_server,
    "environment": environment,
    "observation_type": observation_type,
}
"""Conversions from text to text, by the name the tables use."""
