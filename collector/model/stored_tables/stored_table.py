"""What a stored table is: a name, a meaning, and columns that say what they hold.

``docs/tables`` is written from these declarations; ``collector.model.schema`` takes its Arrow schemas from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

TEXT = pa.string()
INT64 = pa.int64()
DOUBLE = pa.float64()
TEXTS = pa.list_(TEXT)
MONEY = pa.decimal128(18, 12)
"""US dollars, exactly, down to a millionth of a millionth."""
TIMESTAMP = pa.timestamp("us", tz="UTC")

SPANLOOM = "Spanloom"
"""Source of a column that nobody sends: it is worked out here."""


@dataclass(frozen=True)
class Column:
    """One column of a stored table."""

    name: str
    type: pa.DataType
    meaning: str
    """One or two sentences, in Markdown."""

    source: str
    """Name of the OTLP field or of the semantic convention's attribute it comes from, else ``SPANLOOM``."""

    null: str | None = None
    """When the column is null, as the words behind "null"; None: never."""

    unit: str = ""
    """Unit of a number, as "tokens", "ns" or "USD"; empty where there is none."""

    form: Literal["", "JSON", "hex"] = ""
    """What a text holds, where it is not plain text."""

    @property
    def field(self) -> pa.Field:
        """The column as Arrow has it."""
        return pa.field(self.name, self.type, nullable=self.null is not None)


@dataclass(frozen=True)
class StoredTable:
    """A table, or a view over one, that people query by name."""

    name: str
    meaning: str
    """What a row is and where it stands, in Markdown."""

    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The columns as Arrow has them, in the order of declaration."""
        return pa.schema([column.field for column in self.columns])
