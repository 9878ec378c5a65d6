"""The Collector's actions on attributes, each over a whole batch."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from collector.component.base import ComponentConfig
from collector.kernels.attribute_edits import flat_edits
from collector.kernels.attribute_edits.conversions import Target, converter, hashed
from collector.kernels.attribute_edits.flat_edits import Bools, Values
from collector.model import schema
from collector.model.arrow_arrays import numpy_of
from collector.model.attributes import Flat, encode_value

_SETS = {"insert", "update", "upsert"}


class AttributeAction(ComponentConfig):
    action: Literal["insert", "update", "upsert", "delete", "hash", "extract", "convert"]
    """``insert`` sets the key where it is missing, ``update`` where it is there, ``upsert`` everywhere; ``delete``
    removes it; ``hash`` puts the value's SHA-256 in its place; ``extract`` upserts a key per named group of
    ``pattern``; ``convert`` changes the value's type, where it can be one of that type."""

    key: str = ""
    """The attribute."""

    value: Any = None
    """What ``insert``, ``update`` and ``upsert`` set: text, number, true or false, a list or a map."""

    from_attribute: str = ""
    """Instead of ``value``: the attribute that is copied; where it is missing nothing is set."""

    pattern: str = ""
    """RE2 expression. For ``delete`` and ``hash``: keys it is found in, besides ``key``. For ``extract``: found in
    the value, with named groups only."""

    converted_type: Target | None = None
    """What ``convert`` makes of the value."""

    from_context: str = Field(default="", exclude=True)
    """Not available: what comes with a request is not kept with its spans."""

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.from_context:
            raise ValueError("from_context: requests and their metadata are not kept with spans; set a 'value'")
        if self.action in _SETS:
            _require(self.key, f"{self.action} needs a 'key'")
            given = [self.value is not None, bool(self.from_attribute)]
            _require(sum(given) == 1, f"{self.action} needs either a 'value' or a 'from_attribute'")
            encode_value(self.value)
        elif self.action in {"delete", "hash"}:
            _require(self.key or self.pattern, f"{self.action} needs a 'key' or a 'pattern'")
        else:
            _require(self.key, f"{self.action} needs a 'key'")
            _require(self.action != "convert" or self.converted_type, "convert needs a 'converted_type'")
            _require(self.action != "extract" or self.pattern, "extract needs a 'pattern'")
        if self.pattern:
            self._compile()
        return self

    def _compile(self) -> None:
        text = pa.array([""])
        try:
            if self.action == "extract":
                pc.extract_regex(text, self.pattern)
            else:
                pc.match_substring_regex(text, self.pattern)
        except pa.ArrowInvalid as error:
            raise ValueError(f"pattern {self.pattern!r}: {error}") from None

    def apply(self, flat: Flat, asked: Bools) -> Flat:
        """The attributes changed on the rows that are asked about (one truth value per row)."""
        if self.action in _SETS:
            return self._set(flat, asked)
        if self.action == "delete":
            gone = self._meant(flat, asked)
            return flat.select(~gone) if gone.any() else flat
        if self.action == "extract":
            return self._extract(flat, asked)
        change = hashed if self.converted_type is None else converter(self.converted_type)
        return flat_edits.changed_at(flat, np.flatnonzero(self._meant(flat, asked)), change)

    def _set(self, flat: Flat, asked: Bools) -> Flat:
        there = flat_edits.first_of(flat, self.key, len(asked)) >= 0
        rows = asked if self.action == "upsert" else asked & (there == (self.action == "update"))
        if self.from_attribute:
            source = flat_edits.first_of(flat, self.from_attribute, len(asked))
            meant = np.flatnonzero(rows & (source >= 0))
            values = Values.at(flat, source[meant])
        else:
            meant = np.flatnonzero(rows)
            values = Values.repeated(encode_value(self.value), len(meant))
        return flat_edits.put(flat, self.key, meant, values, len(asked)) if len(meant) else flat

    def _meant(self, flat: Flat, asked: Bools) -> Bools:
        """Which attributes ``key`` and ``pattern`` name."""
        keys = pa.array(flat.keys, pa.string())
        named = np.array([key == self.key for key in flat.keys], bool)
        if self.pattern and len(keys):
            named |= numpy_of(pc.match_substring_regex(keys, self.pattern))
        meant: Bools = named[flat.key_codes] & asked[flat.rows] if len(keys) else np.zeros(len(flat.rows), bool)
        return meant

    def _extract(self, flat: Flat, asked: Bools) -> Flat:
        at = flat_edits.first_of(flat, self.key, len(asked))
        rows = np.flatnonzero(asked & (at >= 0))
        rows = rows[flat.types[at[rows]] == schema.STRING]
        if not len(rows):
            return flat
        found = pc.extract_regex(flat.texts.take(pa.array(at[rows])), self.pattern)
        matched = np.flatnonzero(numpy_of(found.is_valid()))
        for field in found.type if len(matched) else ():
            texts = found.field(field.name).take(pa.array(matched)).cast(pa.string()).fill_null("")
            kinds = np.full(len(matched), schema.STRING, np.uint8)
            values = Values(kinds, np.zeros(len(matched), np.int64), texts)
            flat = flat_edits.put(flat, field.name, rows[matched], values, len(asked))
        return flat


def _require(given: object, message: str) -> None:
    if not given:
        raise ValueError(message)
