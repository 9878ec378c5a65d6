"""Which part of a rule's conditions decided: the attribute that made it hold, or the part that does not hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from collector.model.dialects.conditions import Markers, Origin
from collector.model.dialects.fact_tables import When
from collector.model.dialects.table_files import matcher

_ORIGIN = {"scope": "scope", "not_scope": "scope", "version": "version", "language": "language", "sdk": "sdk"}
_WORDS = {"scope": "scope", "not_scope": "scope", "version": "scope version", "language": "language", "sdk": "sdk"}


def held_by(when: When, attributes: Mapping[str, Any]) -> str:
    """The attributes that made a condition on keys hold; empty when it asks for none."""
    found = [_present((key,), attributes) for key in when.has]
    found += [_present(when.any, attributes)] if when.any else []
    # What is named in full stands in the condition already.
    named = {*when.has, *(when.any if len(when.any) == 1 else ())}
    return ", ".join(dict.fromkeys(key for key in found if key and key not in named))


def unmet(when: When, origin: Origin, attributes: Mapping[str, Any], type_: str | None) -> str:
    """The parts of a condition that do not hold, with what is there instead; empty when all of them do."""
    return "; ".join(_unmet(when, origin, attributes, type_))


def _unmet(when: When, origin: Origin, attributes: Mapping[str, Any], type_: str | None) -> Iterator[str]:
    for part, of_origin in _ORIGIN.items():
        wanted = getattr(when, part)
        if wanted and not Markers().condition(When.model_validate({part: wanted})).holds(origin, 0):
            yield f"{_WORDS[part]} is {getattr(origin, of_origin) or 'not known'}"
    missing = [key for key in when.has if not _present((key,), attributes)]
    if missing:
        yield f"lacks {', '.join(missing)}"
    if when.any and not _present(when.any, attributes):
        yield f"has none of {' | '.join(when.any)}"
    if when.lacks and (there := _present(when.lacks, attributes)):
        yield f"has {there}"
    if when.type and type_ not in when.type:
        yield f"type is {type_ or 'not known'}"


def _present(keys: Iterable[str], attributes: Mapping[str, Any]) -> str | None:
    """The first attribute that one of the keys, prefixes or ``KEY=TEXT`` stands for."""
    test = matcher(keys)
    for name, value in attributes.items():
        if test.match(name) or (isinstance(value, str) and test.match(f"{name}={value}")):
            return name
    return None
