"""Texts that are one of some values, or match one of some expressions."""

from __future__ import annotations

from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from processors._sampling.policy import Options
from spanloom import Bools, numpy_of


class TextOptions(Options):
    values: tuple[str, ...] = Field(min_length=1)
    """Keeps traces in which some value is one of these."""

    enabled_regex_matching: bool = False
    """Takes the values as RE2 expressions, found anywhere in the text."""

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        if self.enabled_regex_matching:
            for value in self.values:
                try:
                    pc.match_substring_regex(pa.array([""]), value)
                except pa.ArrowInvalid as e:
                    raise ValueError(f"{value!r} is no RE2 expression: {e}") from e
        return self

    def found_in(self, texts: pa.Array) -> Bools:
        """Which of the texts are meant; null is not, and "" is no value."""
        if pa.types.is_dictionary(texts.type):
            found = np.append(self.found_in(texts.dictionary), False)
            picked: Bools = found[numpy_of(texts.indices.fill_null(len(texts.dictionary)))]
            return picked
        if not self.enabled_regex_matching:
            return numpy(pc.is_in(texts, pa.array([value for value in self.values if value], pa.string())))
        found = np.zeros(len(texts), bool)
        for value in self.values:
            found |= numpy(pc.match_substring_regex(texts, value))
        return found


def numpy(values: pa.BooleanArray) -> Bools:
    """Null is false."""
    return numpy_of(values.fill_null(pa.scalar(False)))
