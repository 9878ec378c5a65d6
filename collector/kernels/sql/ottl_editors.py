"""Statements of OTTL as operations of ``transform``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from collector.kernels.sql.ottl_expressions import check_pattern, condition_in, value_in
from collector.kernels.sql.ottl_parser import Node, Number, Path, Several, Statement, UnreadableError, texts
from collector.kernels.sql.ottl_paths import Kind, Sql, attributes_of, quoted, sql_of_path

_DOLLAR = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)


def operation_in(statement: Statement, context: str) -> dict[str, Any]:
    """The keys and values of an operation. Raises ``UnreadableError``."""
    make = _EDITORS.get(statement.call.name)
    if make is None:
        raise UnreadableError(f"{statement.call.name}() has none")
    made = make(statement.call.arguments, context)
    if statement.where is not None:
        made["where"] = condition_in(statement.where, context)
    return made


def _attributes(node: Node, context: str) -> dict[str, Any]:
    """Which attributes an operation is on."""
    if not isinstance(node, Path):
        raise UnreadableError("only attributes have one there")
    return {"of": "resource"} if attributes_of(node, context) == "resource" else {}


def _target(node: Node, context: str) -> Sql:
    if not isinstance(node, Path):
        raise UnreadableError("only a path can be set")
    return sql_of_path(node, context)


def _set(arguments: Sequence[Node], context: str) -> dict[str, Any]:
    target, node = _several(arguments, 2, 2)
    to, value = _target(target, context), value_in(node, context)
    if to.kind is Kind.ENUM:
        if value.number is None or not 0 <= value.number < len(to.names):
            raise UnreadableError(f"{to.text} is set to one of its constants only")
        return {"set": to.text, "to": quoted(to.names[value.number])}
    if value.kind in (Kind.ENUM, Kind.KIND_NAME, Kind.ID):
        raise UnreadableError(f"{value.text} is text here, and would be another value")
    if to.kind not in (Kind.ANY, Kind.BODY, Kind.TEXT, Kind.INT):
        raise UnreadableError(f"{to.text} cannot be set")
    if value.guessed:
        raise UnreadableError("whether the result is whole depends on what was sent")
    text = f"coalesce({value.text}, false)" if value.kind is Kind.BOOL and value.literal is None else value.text
    return {"set": to.text, "to": text}


def _several(arguments: Sequence[Node], least: int, most: int) -> Sequence[Node]:
    if not least <= len(arguments) <= most:
        raise UnreadableError(f"it has one with {least if least == most else f'{least} to {most}'} arguments")
    return arguments


def _replaced(arguments: Sequence[Node], context: str) -> dict[str, Any]:
    target, *rest = _several(arguments, 3, 3)
    (old, new), name = texts(rest), _target(target, context)
    if name.kind not in (Kind.ANY, Kind.BODY, Kind.TEXT):
        raise UnreadableError(f"{name.text} is no text")
    rewritten = _groups(new)
    check_pattern(old, rewritten)
    return {"set": name.text, "to": f"regexp_replace({name.text}, {quoted(old)}, {quoted(rewritten)}, 'g')"}


def _groups(replacement: str) -> str:
    """``$1`` and ``${1}`` as RE2 writes them; ``$$`` is a dollar."""

    def group(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name is not None and not (len(name) == 1 and name.isdecimal()):
            raise UnreadableError(f"{match[0]}: only groups 0 to 9 have one")
        return "$" if name is None else f"\\{name}"

    return _DOLLAR.sub(group, replacement.replace("\\", "\\\\"))


def _replaced_everywhere(arguments: Sequence[Node], context: str) -> dict[str, Any]:
    of, *rest = _several(arguments, 4, 4)
    where, old, new = texts(rest)
    if where != "value":
        raise UnreadableError(f"{where!r}: only values have one")
    check_pattern(old, _groups(new))
    return {"replace_all": old, "with": _groups(new), **_attributes(of, context)}


def _keys(operation: str) -> Callable[[Sequence[Node], str], dict[str, Any]]:
    def make(arguments: Sequence[Node], context: str) -> dict[str, Any]:
        of, keys = _several(arguments, 2, 2)
        given = keys.items if isinstance(keys, Several) else (keys,)
        return {operation: texts(given), **_attributes(of, context)}

    return make


def _pattern(operation: str) -> Callable[[Sequence[Node], str], dict[str, Any]]:
    def make(arguments: Sequence[Node], context: str) -> dict[str, Any]:
        of, pattern = _several(arguments, 2, 2)
        (text,) = texts([pattern])
        check_pattern(text)
        return {operation: text, **_attributes(of, context)}

    return make


def _number(node: Node) -> int:
    if not isinstance(node, Number) or not node.text.isdecimal():
        raise UnreadableError("a whole number that is written out is wanted")
    return int(node.text)


def _cut(arguments: Sequence[Node], context: str) -> dict[str, Any]:
    of, most = _several(arguments, 2, 2)
    return {"truncate_all": _number(most), **_attributes(of, context)}


def _limit(arguments: Sequence[Node], context: str) -> dict[str, Any]:
    of, most, *kept = _several(arguments, 2, 3)
    named = texts(kept[0].items) if kept and isinstance(kept[0], Several) else []
    return {"limit": _number(most), **({"first": named} if named else {}), **_attributes(of, context)}


_EDITORS: Mapping[str, Callable[[Sequence[Node], str], dict[str, Any]]] = {
    "set": _set,
    "delete_key": _keys("delete"),
    "delete_keys": _keys("delete"),
    "keep_keys": _keys("keep"),
    "delete_matching_keys": _pattern("delete_matching"),
    "keep_matching_keys": _pattern("keep_matching"),
    "replace_pattern": _replaced,
    "replace_all_patterns": _replaced_everywhere,
    "truncate_all": _cut,
    "limit": _limit,
}
