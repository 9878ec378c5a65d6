"""Operations as they are configured, checked, and run on a batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from processors._transform import changes
from processors._transform.changes import Bools, Change, Values
from spanloom import (
    Batch,
    ComponentConfig,
    ComputedExpressions,
    Relation,
    SqlExpression,
    numpy_of,
    schema,
    sql_condition,
    sql_value,
    suggest,
)

_REFERENCE = re.compile(r"\s*(attributes|resource)\s*\[\s*'((?:[^']|'')*)'\s*\]\s*")
_ACTIONS = ("set", "delete", "delete_matching", "keep", "keep_matching", "replace_all", "truncate_all", "limit")
_TEXTS: Mapping[str, tuple[str, ...]] = {
    "span": ("span_name", "status_message", "trace_state"),
    "log": ("body", "severity_text", "event_name"),
    "metric": (),
}
_NAMED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "span": {"kind": schema.KINDS, "status_code": schema.STATUS_CODES}
}
_NUMBERS: Mapping[str, tuple[str, ...]] = {"log": ("severity_number",)}


class Operation(ComponentConfig):
    set: str = ""
    """What is set: ``attributes['k']``, ``resource['k']``, of spans ``span_name``, ``status_code``,
    ``status_message``, ``kind``, ``trace_state``, of log records ``body``, ``severity_text``, ``severity_number``,
    ``event_name``. Where the value is null nothing changes."""

    to: str = ""
    """With ``set``: the value, an expression. A number stays a number; ``attributes['k']`` alone is copied as it is."""

    delete: tuple[str, ...] = ()
    """Removes the attributes with these keys."""

    delete_matching: str = ""
    """Removes the attributes whose key this expression (RE2) finds something in."""

    keep: tuple[str, ...] = ()
    """Removes all attributes but those with these keys."""

    keep_matching: str = ""
    """Removes all attributes but those whose key this expression (RE2) finds something in."""

    replace_all: str = ""
    """Replaces whatever this expression (RE2) finds in an attribute that is text."""

    with_: str = Field(default="", alias="with")
    r"""With ``replace_all``: what stands there instead; ``\1`` is the first group."""

    truncate_all: int | None = Field(default=None, ge=0)
    """Cuts attributes that are text to this many characters."""

    limit: int | None = Field(default=None, ge=0)
    """Keeps at most so many attributes."""

    first: tuple[str, ...] = ()
    """With ``limit``: keys that are kept before others."""

    of: Literal["attributes", "resource"] = "attributes"
    """Whose attributes: of the item, or of its resource."""

    where: str = ""
    """Only items that meet this condition are changed."""

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        given = self.model_fields_set
        if sum(action in given for action in _ACTIONS) != 1:
            raise ValueError(f"an operation has exactly one of {', '.join(_ACTIONS)}")
        for key, owner in (("to", "set"), ("with_", "replace_all"), ("first", "limit")):
            if key in given and owner not in given:
                raise ValueError(f"{key.rstrip('_')!r} belongs to {owner!r}")
        if "set" in given and not self.to.strip():
            raise ValueError("'set' needs 'to': an expression")
        for action in given & {"delete_matching", "keep_matching", "replace_all"}:
            pattern = getattr(self, action)
            try:
                pc.replace_substring_regex(pa.array([""]), pattern, self.with_)
            except pa.ArrowInvalid as error:
                raise ValueError(f"{pattern!r}: {error}") from None
        return self


class Run:
    """One operation on one kind of item. Raises ``ValueError`` when it cannot be run."""

    def __init__(self, relation: Relation, operation: Operation, memory_bytes: int = 1 << 40) -> None:
        self._operation = operation
        self._item = relation.item
        expressions: list[SqlExpression] = []
        if operation.where:
            expressions.append(sql_condition(relation, operation.where))
        self._target = _REFERENCE.fullmatch(operation.set)
        self._copied = _REFERENCE.fullmatch(operation.to) if self._target else None
        if "set" in operation.model_fields_set:
            expression, kind = sql_value(relation, operation.to)
            _check_target(relation, operation.set, self._target, kind)
            if self._copied is None:
                expressions.append(expression)
        self._computed = ComputedExpressions(relation, expressions, memory_bytes) if expressions else None

    def on(self, batch: Any) -> tuple[Any, int]:
        """The batch changed, and on how many items an expression failed: those are left as they were."""
        rows = np.ones(batch.num_rows, np.bool_)
        found = self._computed.of(batch) if self._computed is not None else []
        failed = np.zeros(batch.num_rows, np.bool_)
        for _, faults in found:
            failed |= faults
        if self._operation.where:
            rows &= numpy_of(found[0][0].cast(pa.bool_()).fill_null(pa.scalar(False)))
        rows &= ~failed
        changed = self._changed(batch, rows, found[-1][0] if found else None) if rows.any() else batch
        return changed, int(failed.sum())

    def _changed(self, batch: Any, rows: Bools, computed: pa.Array | None) -> Any:
        if "set" not in self._operation.model_fields_set:
            return _applied(batch, rows, self._operation.of, _change(self._operation))
        if self._target is None:
            assert computed is not None
            return batch.with_columns(_columns(batch, self._operation.set.strip(), computed, rows))
        of, key = self._target[1], _key(self._target)
        values = self._values(batch, computed)
        if of == "resource":
            return batch.with_columns({of: changes.put_in_resources(batch.column(of), rows, key, values)})
        return _applied(batch, rows, of, changes.put(key, values))

    def _values(self, batch: Any, computed: pa.Array | None) -> Values:
        if self._copied is None:
            assert computed is not None
            return changes.values_of(computed)
        column, key = batch.column(self._copied[1]), _key(self._copied)
        if self._copied[1] == "attributes":
            return changes.copied(column, key)
        codes = numpy_of(column.indices)
        return changes.copied(changes.resources(column), key).take(codes)


def _key(reference: re.Match[str]) -> str:
    return reference[2].replace("''", "'")


def _check_target(relation: Relation, target: str, reference: re.Match[str] | None, kind: pa.DataType) -> None:
    item, name = relation.item, target.strip()
    if reference is not None:
        if not changes.can_hold(kind):
            raise ValueError(f"'to': an attribute cannot hold {kind}; cast it, as in (...)::text")
        return
    known = (*_TEXTS[item], *_NAMED.get(item, ()), *_NUMBERS.get(item, ()))
    if name not in known:
        raise ValueError(
            f"{target!r} cannot be set{suggest(name, known)}: known are "
            + ", ".join(("attributes['...']", "resource['...']", *known))
        )
    if name in _NUMBERS.get(item, ()):
        if not pa.types.is_integer(kind):
            raise ValueError(f"'to': {name} is a whole number, this is {kind}")
    elif not (pa.types.is_string(kind) or pa.types.is_null(kind)):
        raise ValueError(f"'to': {name} is text, this is {kind}; cast it, as in (...)::text")


def _applied(batch: Batch, rows: Bools, of: str, change: Change) -> Batch:
    column = batch.column(of)
    return batch.with_columns(
        {of: changes.on_resources(column, rows, change) if of == "resource" else change(column, rows)}
    )


def _change(operation: Operation) -> Change:
    given = operation.model_fields_set
    if "delete" in given:
        return changes.without(lambda key: key in operation.delete)
    if "keep" in given:
        return changes.without(lambda key: key not in operation.keep)
    if "delete_matching" in given:
        return changes.without(_finds(operation.delete_matching))
    if "keep_matching" in given:
        found = _finds(operation.keep_matching)
        return changes.without(lambda key: not found(key))
    if "replace_all" in given:
        return changes.with_texts(
            lambda texts: pc.replace_substring_regex(texts, operation.replace_all, operation.with_)
        )
    if operation.truncate_all is not None:
        return changes.with_texts(lambda texts: pc.utf8_slice_codeunits(texts, 0, operation.truncate_all))
    assert operation.limit is not None
    return changes.limited(operation.limit, operation.first)


def _finds(pattern: str) -> Callable[[str], bool]:
    """RE2, as everywhere: once per distinct key."""
    return lambda key: bool(pc.match_substring_regex(pa.array([key]), pattern)[0].as_py())


def _columns(batch: Any, name: str, computed: pa.Array, rows: Bools) -> dict[str, pa.Array]:
    """The columns with a value set, where there is one."""
    if name in ("kind", "status_code"):
        names = list(schema.KINDS if name == "kind" else schema.STATUS_CODES)
        computed = pc.index_in(computed.cast(pa.string()), pa.array(names))
    mask = pa.array(rows & numpy_of(computed.is_valid()))
    if name != "body":
        column = batch.column(name)
        return {name: pc.if_else(mask, computed.cast(column.type), column)}
    kind, num, text = (batch.column(f"body_{part}") for part in ("type", "num", "text"))
    return {
        "body_type": pc.if_else(mask, pa.scalar(schema.STRING, pa.uint8()), kind),
        "body_num": pc.if_else(mask, pa.scalar(0, pa.int64()), num),
        "body_text": pc.if_else(mask, computed.cast(pa.string()), text),
    }
