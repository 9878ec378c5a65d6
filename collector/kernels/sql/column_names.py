"""Columns as expressions see them, and expressions taken apart into the columns and attributes they name.

An attribute is there under its key, as text: ``attributes['http.route']``, ``resource['service.name']``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.model import attributes, schema

_ATTRIBUTE = re.compile(
    r"""(?P<skip>'(?:[^']|'')*')|\b(?P<of>attributes|resource)\s*\[\s*'(?P<key>(?:[^']|'')*)'\s*\]"""
)
# Typed once: of a plain value pyarrow infers the type in every call.
_NO_TEXT, _TRUE, _FALSE = (pa.scalar(text, pa.string()) for text in (None, "true", "false"))
_ZERO = pa.scalar(0, pa.int64())
_WORD = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z_][A-Za-z0-9_]*""")


@dataclass(frozen=True)
class Column:
    """How a column comes about: what of a batch is read, and what becomes of it."""

    sources: Sequence[str]
    make: Callable[[Any], pa.Array]


@dataclass(frozen=True)
class SqlExpression:
    """One expression as it is run."""

    text: str
    """As it was written."""
    sql: str
    columns: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]
    """(``attributes`` or ``resource``, key), each a column named by ``column_of``."""
    words: frozenset[str]
    """Every name in it, in lower case."""


def plain(name: str) -> Column:
    """A column as it is in flight."""
    return Column((name,), lambda batch: decoded(batch.column(name)))


def decoded(column: pa.Array) -> pa.Array:
    """The column without its dictionary, if it has one."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def column_of(of: str, key: str) -> str:
    """The name of an attribute's column. DuckDB's names do not differ by case, but keys do."""
    return f"{of}[{key}]" + ("" if key == key.lower() else f" {key.encode().hex()}")


def parse(text: str, known: Container[str]) -> SqlExpression:
    """The expression, with its attributes as columns; ``known``: the names of the other columns.

    Raises ``ValueError`` for a query where an expression is wanted.
    """
    keys: dict[tuple[str, str], None] = {}

    def column(match: re.Match[str]) -> str:
        if match["skip"]:
            return match[0]
        key = match["key"].replace("''", "'")
        keys[match["of"], key] = None
        return '"' + column_of(match["of"], key).replace('"', '""') + '"'

    sql = _ATTRIBUTE.sub(column, text)
    words = [word.lower() for word in _WORD.findall(sql) if word[0] not in "'\""]
    if "select" in words:
        raise ValueError(f"{text!r}: an expression is wanted, without SELECT")
    columns = tuple(dict.fromkeys(word for word in words if word in known))
    return SqlExpression(text, sql, columns, tuple(keys), frozenset(words))


def attribute(batch: Any, of: str, key: str) -> pa.Array:
    """An attribute of the rows of a batch, or of their resources, as text; null where it is missing."""
    if of == "resource":
        return _of_resource(batch.column("resource"), key)
    flat = attributes.flatten(batch.column("attributes"))
    mine = flat.select(np.isin(flat.key_codes, [code for code, name in enumerate(flat.keys) if name == key]))
    rows, first = np.unique(mine.rows, return_index=True)
    position = np.full(batch.num_rows, -1)
    position[rows] = np.arange(len(rows))
    return _texts(mine.select(first)).take(pa.array(position, mask=position < 0))


def _texts(found: attributes.Flat) -> pa.Array:
    """Values of any type as text; strings, lists and maps have one already."""
    present = set(np.unique(found.types).tolist())
    texts, nums = found.texts, pa.array(found.nums)
    if schema.EMPTY in present:
        texts = pc.if_else(_is(found, schema.EMPTY), _NO_TEXT, texts)
    if schema.INT in present:
        texts = pc.if_else(_is(found, schema.INT), nums.cast(pa.string()), texts)
    if schema.BOOL in present:
        texts = pc.if_else(_is(found, schema.BOOL), pc.if_else(pc.not_equal(nums, _ZERO), _TRUE, _FALSE), texts)
    doubles = np.flatnonzero(found.types == schema.DOUBLE)
    if len(doubles):
        distinct, code = np.unique(found.nums[doubles], return_inverse=True)
        written = pa.array([text_of(schema.DOUBLE, num, "") for num in distinct.tolist()], pa.string())
        texts = pc.replace_with_mask(texts, pa.array(found.types == schema.DOUBLE), written.take(pa.array(code)))
    return texts


def _is(found: attributes.Flat, kind: int) -> pa.BooleanArray:
    return pa.array(found.types == kind)


def _of_resource(column: pa.DictionaryArray, key: str) -> pa.Array:
    texts = []
    for header in column.dictionary.to_pylist():
        given = attributes.resource_values(header)
        texts.append(text_of(*attributes.encode_value(given[key])) if key in given else None)
    return pa.array(texts, pa.string()).take(column.indices)


def text_of(kind: int, num: int, text: str) -> str | None:
    """One value of an attribute as text."""
    if kind == schema.BOOL:
        return "true" if num else "false"
    if kind in (schema.INT, schema.DOUBLE):
        return str(attributes.decode_value(kind, num, text))
    return None if kind == schema.EMPTY else text
