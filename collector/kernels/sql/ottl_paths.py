"""What the paths and names of OTTL are here: it depends on the context, and most have no column.

A context sees itself and what stands around it: in ``span`` one may write ``resource.attributes["k"]``, and
``attributes["k"]`` is the span's; in ``resource`` the same words are the resource's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from collector.kernels.sql.ottl_parser import Path, UnreadableError
from collector.model.schema import KINDS, STATUS_CODES

SEES: Mapping[str, tuple[str, ...]] = {
    "resource": ("resource",),
    "scope": ("scope", "resource"),
    "span": ("span", "scope", "resource"),
    "spanevent": ("spanevent", "span", "scope", "resource"),
    "metric": ("metric", "scope", "resource"),
    "datapoint": ("datapoint", "metric", "scope", "resource"),
    "log": ("log", "scope", "resource"),
}
"""Context → whose paths may be written in it; its own need no prefix."""


class Kind(Enum):
    """What values an expression has, in OTTL."""

    TEXT = auto()
    INT = auto()
    FLOAT = auto()
    BOOL = auto()
    ANY = auto()
    """An attribute: whatever was sent, which is text here."""
    BODY = auto()
    """As ANY, but never nil here: an empty body is an empty text."""
    ID = auto()
    """Bytes, which are hex here, and null where they are missing."""
    NIL = auto()
    ENUM = auto()
    """A number, which is a name here."""
    KIND_NAME = auto()
    """A span kind's name, which is written in another case here."""


@dataclass(frozen=True)
class Sql:
    """An expression in SQL, and what is known of the OTTL it stands for."""

    text: str
    kind: Kind
    number: int | None = None
    """Of a number that is written out, or an enum's constant."""
    literal: str | None = None
    """Of a text that is written out."""
    names: tuple[str, ...] = ()
    """Of an ENUM: the name of each number."""
    compound: bool = False
    """Arithmetic: needs brackets inside more of it."""
    guessed: bool = False
    """An attribute read as a number with a point, where OTTL knows whether it is whole."""
    may_be_nil: bool = False
    """Of a BOOL: there are items without it."""


METRIC_TYPES = ("none", "gauge", "sum", "histogram", "exponential_histogram", "summary")
_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


def _numbered(prefix: str, names: tuple[str, ...]) -> dict[str, int]:
    return {f"{prefix}_{name.upper()}": number for number, name in enumerate(names)}


ENUMS: Mapping[str, int] = {
    **_numbered("STATUS_CODE", STATUS_CODES),
    **_numbered("SPAN_KIND", KINDS),
    **_numbered("METRIC_DATA_TYPE", METRIC_TYPES),
    "SEVERITY_NUMBER_UNSPECIFIED": 0,
    **{
        f"SEVERITY_NUMBER_{level}{finer or ''}": 4 * n + max(finer, 1)
        for n, level in enumerate(_LEVELS)
        for finer in (0, 2, 3, 4)
    },
}
"""The constants of OTTL, which are numbers."""


def _text(column: str) -> Sql:
    return Sql(column, Kind.TEXT)


def _number(column: str) -> Sql:
    return Sql(column, Kind.INT)


def _id_text(column: str, digits: int) -> Sql:
    """Hex; a missing id is all zeros in OTTL, and null here."""
    return Sql(f"coalesce({column}, '{'0' * digits}')", Kind.TEXT)


_PATHS: Mapping[str, Mapping[str, Sql]] = {
    "resource": {},
    "scope": {"name": _text("scope_name"), "version": _text("scope_version")},
    "span": {
        "name": _text("span_name"),
        "kind": Sql("kind", Kind.ENUM, names=KINDS),
        "kind.string": Sql("kind", Kind.KIND_NAME),
        "status.code": Sql("status_code", Kind.ENUM, names=STATUS_CODES),
        "status.message": _text("status_message"),
        "trace_state": _text("trace_state"),
        "trace_id": Sql("trace_id", Kind.ID),
        "span_id": Sql("span_id", Kind.ID),
        "parent_span_id": Sql("parent_span_id", Kind.ID),
        "trace_id.string": _text("trace_id"),
        "span_id.string": _text("span_id"),
        "parent_span_id.string": _id_text("parent_span_id", 16),
        "start_time_unix_nano": _number("start_unix_nano"),
        "end_time_unix_nano": _number("end_unix_nano"),
    },
    "log": {
        "body": Sql("body", Kind.BODY),
        "body.string": _text("body"),
        "severity_number": _number("severity_number"),
        "severity_text": _text("severity_text"),
        "event_name": _text("event_name"),
        "trace_id": Sql("trace_id", Kind.ID),
        "span_id": Sql("span_id", Kind.ID),
        "trace_id.string": _id_text("trace_id", 32),
        "span_id.string": _id_text("span_id", 16),
        "time_unix_nano": _number("time_unix_nano"),
        "observed_time_unix_nano": _number("observed_time_unix_nano"),
    },
    "metric": {
        "name": _text("name"),
        "description": _text("description"),
        "unit": _text("unit"),
        "type": Sql("kind", Kind.ENUM, names=METRIC_TYPES),
        "is_monotonic": Sql("case when kind = 'sum' then is_monotonic end", Kind.BOOL, may_be_nil=True),
    },
    "datapoint": {
        "count": _number("count"),
        "sum": Sql("sum", Kind.FLOAT),
        "time_unix_nano": _number("time_unix_nano"),
        "start_time_unix_nano": _number("start_time_unix_nano"),
    },
    "spanevent": {},
}
_ATTRIBUTES: Mapping[str, str] = {
    "resource": "resource", "span": "attributes", "log": "attributes", "datapoint": "attributes",
}  # fmt: skip
"""Whose attributes there are here, and what they are called."""

_WHY: Mapping[tuple[str, str], str] = {
    ("datapoint", "value_int"): "a point has one 'value' here, whole or not",
    ("datapoint", "value_double"): "a point has one 'value' here, whole or not",
    ("metric", "attributes"): "a metric has no attributes, its points do",
    ("scope", "attributes"): "attributes of scopes cannot be looked at",
}


def owner_of(path: Path, context: str) -> tuple[str, str]:
    """(whose path it is, the rest of its name). Raises ``UnreadableError`` for what the context does not see."""
    name = path.name.replace("instrumentation_scope.", "scope.", 1)
    first, _, rest = name.partition(".")
    if rest and first in SEES:
        if first not in SEES[context]:
            raise UnreadableError(f"{path.name} cannot be seen in the context {context}")
        return first, rest
    return context, name


def attributes_of(path: Path, context: str) -> str:
    """``attributes`` or ``resource``: which attributes a path without keys means. Raises ``UnreadableError``."""
    owner, name = owner_of(path, context)
    if name != "attributes" or path.keys or owner not in _ATTRIBUTES:
        raise _without(owner, name, path)
    return _ATTRIBUTES[owner]


def sql_of_path(path: Path, context: str) -> Sql:
    """Raises ``UnreadableError``."""
    if path.name in ENUMS and not path.keys:
        return Sql(str(ENUMS[path.name]), Kind.INT, number=ENUMS[path.name])
    if path.name in ("true", "false"):
        return Sql(path.name, Kind.BOOL, literal=path.name)
    if path.name == "nil":
        return Sql("null", Kind.NIL)
    owner, name = owner_of(path, context)
    if path.keys:
        if len(path.keys) > 1:
            raise UnreadableError(f"{_written(path)}: a value inside an attribute has no column")
        of = attributes_of(Path(path.name), context)
        return Sql(f"{of}[{quoted(path.keys[0])}]", Kind.ANY)
    found = _PATHS[owner].get(name)
    if found is None:
        raise _without(owner, name, path)
    return found


def _without(owner: str, name: str, path: Path) -> UnreadableError:
    why = _WHY.get((owner, name), "there is no column for it" if name != "attributes" else "it is read by key here")
    return UnreadableError(f"{_written(path)}: {why}")


def _written(path: Path) -> str:
    return path.name + "".join(f'["{key}"]' for key in path.keys)


def quoted(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"
