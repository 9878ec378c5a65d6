"""Conversions of single distinct values: the closed list of names the dialect tables may use.

Each function gets one text (numbers arrive in their shortest decimal form) and gives the value or
``None`` for "this source says nothing", never an exception. They run once per distinct value.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from functools import lru_cache
from typing import Any

from collector.model.dialects import aliases, fact_tables

MAX_COUNT = 2**53
"""A token count above this is refused: no emitter means it, and sums must stay in int64."""
PICO = Decimal(10) ** 12
MAX_MONEY = 10**18
"""Pico-dollars from here on do not fit decimal(18,12)."""

EXACT_BELOW = 1_000.0
"""Below, a double times 1e12 is off by less than a half, so rounding gives the decimal's digits."""

_MAX_JSON = 4_000_000
_MAX_LITERAL = 16_384
_MAX_INT = 10**30
_ENVIRONMENT = re.compile(r"[^a-z0-9_-]+")
_TYPE = re.compile(r"[a-z]+(/[a-z_]{1,40})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?\s*(Z|z|[+-]\d\d:?\d\d)?")
_decode = json.JSONDecoder().raw_decode
_SURROGATE = re.compile(r"\\[uU](?:0000)?[dD][89a-fA-F]")


class RefusedError(ValueError):
    """A number was there, and it cannot be a count or an amount of money."""


def parse_json(text: str) -> Any:
    """The JSON value of a whole text, or ``None``; the Python text of a dict is understood too."""
    if len(text) > _MAX_JSON:
        return None
    stripped = text.strip()
    try:
        value, end = _decode(stripped)
    except (ValueError, RecursionError):
        value, end = _literal(stripped), len(stripped)
    if end != len(stripped):
        return None
    return _without_surrogates(value) if _SURROGATE.search(stripped) else value


def _without_surrogates(value: Any) -> Any:
    r"""The value with lone surrogates (``"\ud800"``, which no UTF-8 can hold) as U+FFFD."""
    try:
        written = json.dumps(value, ensure_ascii=False)
        return json.loads(written.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
    except (TypeError, ValueError, RecursionError):  # a Python literal that JSON has no form for
        return None


def _literal(text: str) -> Any:
    """A Python dict or list literal (``{'a': None}``), size-capped; never evaluates anything."""
    if not text.startswith(("{", "[")) or "'" not in text or len(text) > _MAX_LITERAL:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def at_path(value: Any, path: str) -> Any:
    """The member of nested objects and lists at a dotted path (``.`` is the whole), or ``None``."""
    for part in path.split(".") if path != "." else ():
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def scalar_text(value: Any) -> str | None:
    """The text of a JSON scalar; none for null, objects, lists and the empty text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value) or None
    return value if isinstance(value, str) and value else None


def number_text(value: int | float) -> str:  # noqa: PYI041 - ints are told apart
    """A number without a trailing ``.0``; nothing for an absurdly long one."""
    if isinstance(value, int):
        return str(value) if abs(value) < _MAX_INT else ""
    return str(int(value)) if value.is_integer() and abs(value) < MAX_COUNT else str(value)


def text(value: str) -> str | None:
    """The text itself, unless it is blank."""
    return value if value.strip() else None


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
    return value if _TYPE.fullmatch(value) and value.partition("/")[0] in fact_tables.TYPES else None


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
