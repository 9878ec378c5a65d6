"""Values and conditions of OTTL in SQL, by the types OTTL gives them.

Where a path is missing OTTL compares with nil, so ``!=`` and ``not`` hold; the SQL says the same. What the two would
answer differently has no translation.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from collector.kernels.sql.ottl_parser import (
    Call,
    Node,
    Number,
    Octets,
    Operation,
    Path,
    Several,
    Text,
    UnreadableError,
)
from collector.kernels.sql.ottl_paths import Kind, Sql, quoted, sql_of_path
from collector.model.schema import KINDS

_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_ARITHMETIC = ("+", "-", "*", "/")
_NUMBERS = (Kind.INT, Kind.FLOAT)
_SENT = (Kind.ANY, Kind.BODY)
_TEXTS: Mapping[str, str] = {
    "ToLowerCase": "lower", "ToUpperCase": "upper", "SHA256": "sha256", "MD5": "md5", "SHA1": "sha1",
}  # fmt: skip
"""Functions from a text to a text."""
_STRICT = frozenset((*_TEXTS, "HasPrefix", "HasSuffix", "Trim", "ParseJSON"))
"""Those that fail where there is no text."""
_TURNED: Mapping[str, str] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def condition_in(node: Node, context: str) -> str:
    """Raises ``UnreadableError``."""
    for part in _within(node):
        if isinstance(part, Operation) and _may_hold_without(part):
            for inside in _within(part):
                _refuse_if_it_may_fail(inside)
    return _condition(node, context)


def _may_hold_without(operation: Operation) -> bool:
    """Whether it may be true although something in it is missing."""
    beside_a_word = any(isinstance(part, Path) and part.name in ("true", "false") for part in operation.parts)
    return operation.sign in ("not", "or", "!=") or (operation.sign in _ORDERS and beside_a_word)


def _within(node: Node) -> Iterator[Node]:
    yield node
    inside = {Operation: "parts", Call: "arguments", Several: "items"}.get(type(node))
    for part in getattr(node, inside) if inside else ():
        yield from _within(part)


def _refuse_if_it_may_fail(node: Node) -> None:
    """In OTTL a function of a missing attribute fails, and the whole condition with it; in SQL it is null."""
    strict = (isinstance(node, Call) and node.name in _STRICT) or (
        isinstance(node, Operation) and node.sign in _ARITHMETIC
    )
    if strict and any(isinstance(part, Path) and part.keys for part in _within(node)):
        name = f"{node.name}()" if isinstance(node, Call) else "arithmetic"
        raise UnreadableError(f"{name} of an attribute fails where that is missing, and so would 'not', 'or' and '!='")


def _condition(node: Node, context: str) -> str:
    match node:
        case Operation("not", (part,)):
            return f"({_condition(part, context)}) is not true"
        case Operation("and" | "or" as sign, parts):
            return f" {sign} ".join(_grouped(part, context) for part in parts)
        case Operation(sign, (left, right)) if sign in _ORDERS:
            return _compared(sign, value_in(left, context), value_in(right, context))
    found = value_in(node, context)
    if found.kind is not Kind.BOOL:
        raise UnreadableError("a condition is a comparison, or what says yes or no")
    return found.text


def _grouped(part: Node, context: str) -> str:
    text = _condition(part, context)
    return f"({text})" if isinstance(part, Operation) and part.sign in ("and", "or") else text


def value_in(node: Node, context: str) -> Sql:
    """Raises ``UnreadableError``."""
    match node:
        case Text(value):
            return Sql(quoted(value), Kind.TEXT, literal=value)
        case Number(text):
            return Sql(text, Kind.FLOAT) if "." in text else Sql(text, Kind.INT, number=int(text))
        case Path():
            return sql_of_path(node, context)
        case Call():
            return _call(node, context)
        case Operation(sign, (left, right)) if sign in _ARITHMETIC:
            return _calculated(sign, value_in(left, context), value_in(right, context))
        case Operation():
            return Sql(_condition(node, context), Kind.BOOL)
        case Octets():
            raise UnreadableError("bytes have one inside SpanID and TraceID only")
    raise UnreadableError("a list has none there")


def _compared(sign: str, one: Sql, other: Sql) -> str:
    if _stands_left(other, one):
        one, other, sign = other, one, _TURNED.get(sign, sign)
    if other.kind is Kind.NIL:
        return _is_nil(sign, one)
    if one.kind is Kind.ENUM:
        return _of_enum(sign, one, other)
    if one.kind is Kind.KIND_NAME:
        if other.literal not in [name.title() for name in KINDS]:
            raise UnreadableError('kind.string is compared with the name of a span kind, as in "Client"')
        one, other = Sql(one.text, Kind.TEXT), Sql(quoted(str(other.literal).upper()), Kind.TEXT)
    if one.kind is Kind.BODY and other.literal == "":
        raise UnreadableError("whether a body is empty or missing is not known here")
    if Kind.BOOL in (one.kind, other.kind) and one.kind not in _SENT:
        return _of_bools(sign, one, other)
    return _ordered(sign, *_alike(sign, one, other))


def _stands_left(one: Sql, other: Sql) -> bool:
    """Whether a side is turned to the left, so that what is written out stands on the right."""
    written = other.kind is Kind.NIL or other.number is not None or other.literal is not None
    return written and one.kind in (Kind.ENUM, Kind.KIND_NAME, Kind.BOOL, *_SENT) and one.literal is None


def _ordered(sign: str, one: Sql, other: Sql) -> str:
    both_sent = one.kind in _SENT and other.kind in _SENT
    signs = {"==": "is not distinct from" if both_sent else "=", "!=": "is distinct from"}
    return f"{one.text} {signs.get(sign, sign)} {other.text}"


def _is_nil(sign: str, one: Sql) -> str:
    if sign not in ("==", "!="):
        raise UnreadableError(f"nil is not compared by {sign}")
    if one.kind not in (Kind.ANY, Kind.TEXT, *_NUMBERS):
        raise UnreadableError(f"whether {one.text} is nil is not known here")
    return f"{one.text} is {'not ' if sign == '!=' else ''}null"


def _of_enum(sign: str, one: Sql, other: Sql) -> str:
    """A number of OTTL is a name here; ``<`` and the like become a list of names."""
    if other.number is None:
        raise UnreadableError(f"{one.text} is a name here: it is compared with a number or a constant only")
    names = [name for number, name in enumerate(one.names) if _ORDERS[sign](number, other.number)]
    if sign in ("==", "!="):
        if not 0 <= other.number < len(one.names):
            raise UnreadableError(f"{one.text} has no number {other.number}")
        equal = "=" if sign == "==" else "is distinct from"
        return f"{one.text} {equal} {quoted(one.names[other.number])}"
    return f"{one.text} in ({', '.join(map(quoted, names))})" if names else "false"


def _of_bools(sign: str, one: Sql, other: Sql) -> str:
    """A value beside true or false. What is nil equals neither; what cannot be nil is one of them."""
    if one.kind is not Kind.BOOL or other.literal not in ("true", "false") or sign not in ("==", "!="):
        raise UnreadableError("yes and no are compared with true and false only")
    wanted, not_ = other.literal, "not " if sign == "!=" else ""
    if wanted == "false" and not one.may_be_nil:
        wanted, not_ = "true", "" if not_ else "not "
    return f"({one.text}) is {not_}{wanted}"


def _alike(sign: str, one: Sql, other: Sql) -> tuple[Sql, Sql]:
    """Both sides in one type of SQL: attributes are text, and are read as what stands beside them."""
    kinds = {one.kind, other.kind}
    if kinds <= {*_NUMBERS}:
        return one, other
    if kinds <= {Kind.TEXT, *_SENT}:
        if sign not in ("==", "!=") and Kind.TEXT not in kinds:
            raise UnreadableError("two attributes are compared by == and != only: they are text here")
        return one, other
    if kinds <= {*_NUMBERS, *_SENT}:
        return _as_number(one), _as_number(other)
    if kinds <= {Kind.BOOL, Kind.ANY} and sign in ("==", "!="):
        return _as_word(one), _as_word(other)
    if kinds == {Kind.ID} and sign in ("==", "!="):
        return one, other
    raise UnreadableError("the two sides are of different types: OTTL never finds them equal")


def _as_number(side: Sql) -> Sql:
    if side.kind is Kind.BODY:
        raise UnreadableError("a body is text here, and OTTL finds no text equal to a number")
    return Sql(f"try_cast({side.text} as double)", Kind.FLOAT, guessed=True) if side.kind in _SENT else side


def _as_word(side: Sql) -> Sql:
    if side.kind in _SENT:
        return side
    if side.literal is None:
        raise UnreadableError("an attribute is compared with true and false only")
    return Sql(f"'{side.literal}'", Kind.TEXT)


def _calculated(sign: str, one: Sql, other: Sql) -> Sql:
    sides = [_as_number(side) for side in (one, other)]
    if any(side.kind not in _NUMBERS for side in sides):
        raise UnreadableError(f"{sign} is for numbers")
    whole = all(side.kind is Kind.INT for side in sides)
    guessed = any(side.guessed for side in sides)
    if sign == "/" and guessed:
        raise UnreadableError("whether / rounds depends on what was sent")
    texts = [f"({side.text})" if side.compound else side.text for side in sides]
    made = f"{texts[0]} {'//' if sign == '/' and whole else sign} {texts[1]}"
    return Sql(made, Kind.INT if whole else Kind.FLOAT, compound=True, guessed=guessed)


def _call(call: Call, context: str) -> Sql:
    arguments = call.arguments
    if call.name == "ParseJSON":
        return _from_json(call, context)
    if call.keys:
        raise UnreadableError(f"{call.name}: a value inside its result cannot be read")
    if call.name in ("SpanID", "TraceID"):
        return _id(call)
    if call.name == "IsRootSpan" and not arguments and context == "span":
        return Sql("parent_span_id is null", Kind.BOOL)
    if call.name == "Concat" and len(arguments) == 2 and isinstance(arguments[0], Several):
        parts = [_as_text(value_in(part, context)) for part in (arguments[1], *arguments[0].items)]
        return Sql(f"concat_ws({', '.join(parts)})", Kind.TEXT)
    make = _CALLS.get(call.name)
    if make is None:
        raise UnreadableError(f"{call.name}() has none")
    return make(call.name, [value_in(argument, context) for argument in arguments])


def _from_json(call: Call, context: str) -> Sql:
    if len(call.keys) != 1 or len(call.arguments) != 1:
        raise UnreadableError("ParseJSON() has one where one key of it is read")
    text = _as_text(value_in(call.arguments[0], context))
    return Sql(f"json_extract_string({text}, {quoted('$.' + json.dumps(call.keys[0]))})", Kind.ANY)


def _id(call: Call) -> Sql:
    digits = 16 if call.name == "SpanID" else 32
    given = call.arguments[0] if len(call.arguments) == 1 else None
    if not isinstance(given, Octets) or len(given.hex) != digits or not given.hex.strip("0"):
        raise UnreadableError(f"{call.name}() has one of {digits} hex digits that are not all 0")
    return Sql(quoted(given.hex), Kind.ID)


def _as_text(value: Sql) -> str:
    """A value where OTTL takes a text or makes one."""
    if value.kind not in (Kind.TEXT, *_SENT):
        raise UnreadableError("a text is wanted there")
    return value.text


def _one(name: str, arguments: Sequence[Sql]) -> Sql:
    if len(arguments) != 1:
        raise UnreadableError(f"{name}() takes one argument here")
    return arguments[0]


def _text_function(name: str, arguments: Sequence[Sql]) -> Sql:
    return Sql(f"{_TEXTS[name]}({_as_text(_one(name, arguments))})", Kind.TEXT)


def _of_two_texts(function: str) -> Callable[[str, Sequence[Sql]], Sql]:
    def make(name: str, arguments: Sequence[Sql]) -> Sql:
        if len(arguments) != 2 or arguments[1].literal is None:
            raise UnreadableError(f"{name}() takes a value and a text that is written out here")
        if name == "IsMatch":
            check_pattern(arguments[1].literal)
        return Sql(f"{function}({_as_text(arguments[0])}, {arguments[1].text})", Kind.BOOL)

    return make


def _length(name: str, arguments: Sequence[Sql]) -> Sql:
    value = _one(name, arguments)
    if value.kind is not Kind.TEXT:
        raise UnreadableError("the length of an attribute depends on whether it is text or a list")
    return Sql(f"strlen({value.text})", Kind.INT)  # bytes, as OTTL counts


def _trimmed(name: str, arguments: Sequence[Sql]) -> Sql:
    if not 1 <= len(arguments) <= 2 or not all(part.literal is not None for part in arguments[1:]):
        raise UnreadableError(f"{name}() takes a value, and a text that is written out, here")
    return Sql(f"trim({', '.join(_as_text(part) for part in arguments)})", Kind.TEXT)


def _int(name: str, arguments: Sequence[Sql]) -> Sql:
    value = _one(name, arguments)
    # What stands behind a point is cut off, and not rounded as a cast would.
    return Sql(f"try_cast(split_part({_as_text(value)}, '.', 1) as bigint)", Kind.INT)


def _double(name: str, arguments: Sequence[Sql]) -> Sql:
    value = _one(name, arguments)
    text = value.text if value.kind in _NUMBERS else _as_text(value)
    return Sql(f"try_cast({text} as double)", Kind.FLOAT)


def _string(name: str, arguments: Sequence[Sql]) -> Sql:
    value = _one(name, arguments)
    text = value.text if value.kind is Kind.INT else _as_text(value)
    return Sql(f"try_cast({text} as varchar)", Kind.TEXT)


_CALLS: Mapping[str, Callable[[str, Sequence[Sql]], Sql]] = {
    "IsMatch": _of_two_texts("regexp_matches"),
    "HasPrefix": _of_two_texts("starts_with"),
    "HasSuffix": _of_two_texts("ends_with"),
    "Len": _length,
    "Trim": _trimmed,
    "Int": _int,
    "Double": _double,
    "String": _string,
    **dict.fromkeys(_TEXTS, _text_function),
}


def check_pattern(pattern: str, replacement: str = "") -> None:
    """Raises ``UnreadableError`` for what is no RE2 expression, or names a group that it has not."""
    try:
        pc.replace_substring_regex(pa.array([""], pa.string()), pattern, replacement)
    except pa.ArrowInvalid as error:
        raise UnreadableError(str(error)) from None
