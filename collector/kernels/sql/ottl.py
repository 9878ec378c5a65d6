"""OTTL is not run here: whoever writes it is shown its translation to SQL, or told that there is none.

Where a path is missing OTTL compares with nil, so ``!=`` and ``not`` hold; the SQL says the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from collector.kernels.sql.ottl_parser import (
    Call,
    Node,
    Number,
    Operation,
    Path,
    Several,
    Text,
    UnreadableError,
    condition,
    statement,
    texts,
)

_CONTEXTS = ("span.", "log.", "datapoint.", "metric.")
_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_ITEMS = ("span", "log", "metric")
_PATHS: Mapping[str, str] = {
    "nil": "null",
    "name": "span_name",
    "kind": "kind",
    "kind.string": "kind",
    "status.code": "status_code",
    "status.message": "status_message",
    "status": "status_code",
    "trace_state": "trace_state",
    "parent_span_id": "parent_span_id",
    "parent_span_id.string": "parent_span_id",
    "trace_id.string": "trace_id",
    "span_id.string": "span_id",
    "start_time_unix_nano": "start_unix_nano",
    "end_time_unix_nano": "end_unix_nano",
    "instrumentation_scope.name": "scope_name",
    "instrumentation_scope.version": "scope_version",
    "scope.name": "scope_name",
    "scope.version": "scope_version",
    "body": "body",
    "body.string": "body",
    "severity_number": "severity_number",
    "severity_text": "severity_text",
    "event_name": "event_name",
    "description": "description",
    "unit": "unit",
    "value_double": "value",
    "value_int": "value",
    "STATUS_CODE_UNSET": "'UNSET'",
    "STATUS_CODE_OK": "'OK'",
    "STATUS_CODE_ERROR": "'ERROR'",
    **{f"SPAN_KIND_{kind}": f"'{kind}'" for kind in ("INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")},
    **{f"SEVERITY_NUMBER_{level}": str(4 * n + 1) for n, level in enumerate(_LEVELS)},
}  # fmt: skip
_FUNCTIONS: Mapping[str, str] = {
    "IsMatch": "regexp_matches",
    "HasPrefix": "starts_with",
    "HasSuffix": "ends_with",
    "Len": "length",
    "ToLowerCase": "lower",
    "ToUpperCase": "upper",
    "SHA256": "sha256",
    "MD5": "md5",
    "SHA1": "sha1",
    "Trim": "trim",
}
_CASTS: Mapping[str, str] = {"Int": "BIGINT", "Double": "DOUBLE", "String": "VARCHAR"}
_ATTRIBUTES: Mapping[str, str] = {"attributes": "attributes", "resource.attributes": "resource"}
_ARITHMETIC = ("+", "-", "*", "/")
_NONE = "there is no translation"


def sql_of(text: str, *, metric: bool = False) -> str | None:
    """A condition as SQL; None: there is no translation. ``metric``: ``name`` is a metric's."""
    try:
        return _sql(condition(text), metric=metric)
    except UnreadableError:
        return None


def operation_of(text: str, *, metric: bool = False) -> str | None:
    """A statement as an operation of ``transform``, in YAML; None: there is no translation."""
    try:
        parsed = statement(text)
        make = _STATEMENTS.get(parsed.call.name)
        if make is None:
            return None
        made = make(parsed.call.arguments, lambda node: _sql(node, metric=metric))
        if parsed.where is not None:
            made["where"] = _sql(parsed.where, metric=metric)
    except (UnreadableError, IndexError):
        return None
    return "{" + ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in made.items()) + "}"


def described(given: Sequence[tuple[str, Any]], translate: Callable[..., str | None]) -> str:
    """Each (item, text) with its translation."""
    lines = []
    for item, text in given:
        sql = translate(text, metric=item == "metric") if isinstance(text, str) and item in _ITEMS else None
        lines.append(f"{item}: {text} → {sql or _NONE}")
    return "; ".join(lines)


def quoted(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def _sql(node: Node, *, metric: bool) -> str:
    match node:
        case Text(value):
            return quoted(value)
        case Number(text):
            return text
        case Path():
            return _path(node, metric=metric)
        case Call():
            return _call(node, metric=metric)
        case Operation("not", (part,)):
            return f"({_sql(part, metric=metric)}) is not true"
        case Operation("and" | "or" as sign, parts):
            return f" {sign} ".join(_grouped(part, metric=metric) for part in parts)
        case Operation(sign, (left, right)):
            return _compared(sign, left, right, metric=metric)
    raise UnreadableError(str(node))


def _grouped(part: Node, *, metric: bool) -> str:
    text = _sql(part, metric=metric)
    return f"({text})" if isinstance(part, Operation) and part.sign in ("and", "or") else text


def _compared(sign: str, left: Node, right: Node, *, metric: bool) -> str:
    if isinstance(left, Path) and left.name == "nil":
        left, right = right, left
    one, other = (_sql(part, metric=metric) for part in (left, right))
    if other == "null":
        if sign not in ("==", "!="):
            raise UnreadableError(sign)
        return f"{one} is {'not ' if sign == '!=' else ''}null"
    one, other = _comparable(left, right, one), _comparable(right, left, other)
    if sign in _ARITHMETIC:
        one, other = (f"({s})" if isinstance(n, Operation) else s for n, s in ((left, one), (right, other)))
    return f"{one} {({'==': '=', '!=': 'is distinct from'}).get(sign, sign)} {other}"


def _comparable(side: Node, beside: Node, sql: str) -> str:
    """Attributes are text: beside a number one is read as a number, beside true as a word."""
    if isinstance(side, Text) and isinstance(beside, Path) and beside.name.endswith("kind.string"):
        return sql.upper()
    numeric = isinstance(beside, Number) or (isinstance(beside, Operation) and beside.sign in _ARITHMETIC)
    if _is_attribute(side) and numeric:
        return f"try_cast({sql} as double)"
    if isinstance(side, Path) and side.name in ("true", "false") and _is_attribute(beside):
        return f"'{side.name}'"
    return sql


def _is_attribute(node: Node) -> bool:
    return isinstance(node, Path) and bool(node.keys)


def _path(path: Path, *, metric: bool) -> str:
    name = _plain_name(path.name)
    if path.name == "metric.name" or (metric and name == "name"):
        return "name"
    if path.keys:
        if len(path.keys) > 1 or name not in _ATTRIBUTES:
            raise UnreadableError(path.name)
        return f"{_ATTRIBUTES[name]}[{quoted(path.keys[0])}]"
    if name in ("true", "false"):
        return name
    if name not in _PATHS:
        raise UnreadableError(path.name)
    return _PATHS[name]


def _plain_name(name: str) -> str:
    for context in _CONTEXTS:
        name = name.removeprefix(context)
    return name


def _call(call: Call, *, metric: bool) -> str:
    arguments = call.arguments
    if call.name == "IsRootSpan" and not arguments:
        return "parent_span_id is null"
    if call.name == "ParseJSON" and len(call.keys) == 1:
        return f"json_extract_string({_sql(arguments[0], metric=metric)}, {quoted('$.' + json.dumps(call.keys[0]))})"
    if call.keys:
        raise UnreadableError(call.name)
    if call.name in _CASTS and len(arguments) == 1:
        return f"try_cast({_sql(arguments[0], metric=metric)} as {_CASTS[call.name].lower()})"
    if call.name == "Concat" and len(arguments) == 2 and isinstance(arguments[0], Several):
        parts = [_sql(part, metric=metric) for part in (arguments[1], *arguments[0].items)]
        return f"concat_ws({', '.join(parts)})"
    if call.name not in _FUNCTIONS:
        raise UnreadableError(call.name)
    return f"{_FUNCTIONS[call.name]}({', '.join(_sql(argument, metric=metric) for argument in arguments)})"


Translate = Callable[[Node], str]


def _attributes(node: Node) -> dict[str, Any]:
    """Which attributes an operation is on."""
    if not isinstance(node, Path) or node.keys or (name := _plain_name(node.name)) not in _ATTRIBUTES:
        raise UnreadableError(str(node))
    return {"of": "resource"} if _ATTRIBUTES[name] == "resource" else {}


def _set(arguments: Sequence[Node], sql: Translate) -> dict[str, Any]:
    target, value = arguments
    if not isinstance(target, Path):
        raise UnreadableError(str(target))
    return {"set": sql(target), "to": sql(value)}


def _replaced(arguments: Sequence[Node], sql: Translate) -> dict[str, Any]:
    target, pattern, with_ = arguments
    old, new = texts([pattern, with_])
    name = sql(target)
    return {"set": name, "to": f"regexp_replace({name}, {quoted(old)}, {quoted(_groups(new))}, 'g')"}


def _groups(replacement: str) -> str:
    """``$1`` and ``${1}`` as RE2 writes them; configurations of the Collector double the sign."""
    return re.sub(r"\$?\$\{?(\d)\}?", r"\\\1", replacement)


def _replaced_everywhere(arguments: Sequence[Node], _: Translate) -> dict[str, Any]:
    where, old, new = texts(arguments[1:4])
    if where != "value":
        raise UnreadableError(where)
    return {"replace_all": old, "with": _groups(new), **_attributes(arguments[0])}


def _keys(operation: str) -> Callable[[Sequence[Node], Translate], dict[str, Any]]:
    def make(arguments: Sequence[Node], _: Translate) -> dict[str, Any]:
        given = arguments[1].items if isinstance(arguments[1], Several) else (arguments[1],)
        return {operation: texts(given), **_attributes(arguments[0])}

    return make


def _pattern(operation: str) -> Callable[[Sequence[Node], Translate], dict[str, Any]]:
    return lambda arguments, _: {operation: texts([arguments[1]])[0], **_attributes(arguments[0])}


def _number(node: Node) -> int:
    if not isinstance(node, Number):
        raise UnreadableError(str(node))
    return int(node.text)


def _limit(arguments: Sequence[Node], _: Translate) -> dict[str, Any]:
    kept = arguments[2].items if len(arguments) > 2 and isinstance(arguments[2], Several) else ()
    first = {"first": texts(kept)} if kept else {}
    return {"limit": _number(arguments[1]), **first, **_attributes(arguments[0])}


_STATEMENTS: Mapping[str, Callable[[Sequence[Node], Translate], dict[str, Any]]] = {
    "set": _set,
    "delete_key": _keys("delete"),
    "delete_keys": _keys("delete"),
    "keep_keys": _keys("keep"),
    "delete_matching_keys": _pattern("delete_matching"),
    "keep_matching_keys": _pattern("keep_matching"),
    "replace_pattern": _replaced,
    "replace_all_patterns": _replaced_everywhere,
    "truncate_all": lambda arguments, _: {"truncate_all": _number(arguments[1]), **_attributes(arguments[0])},
    "limit": _limit,
}
