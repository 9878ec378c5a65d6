"""What every model of a table is built on: no unknown keys, one text where a list may stand."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


def as_list(value: Any) -> Any:
    """A text alone as a list of one; anything else as it is."""
    return [value] if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(as_list)]
"""A list of texts; one text alone is a list of one."""


class Strict(BaseModel):
    """Immutable; a key it does not have is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Placed(Strict):
    """A row that may stand elsewhere than the rows of its dialect do."""

    before: str | None = None
    """A dialect, or one row of it (``dialect/what it reads``): this row is asked right before. Those of the same field
    below it in the file follow it, up to the next that says its place. All fields of money count as one."""
    after: str | None = None
    """The same, right behind."""
    id: str | None = None
    """A name of its own, where what it reads does not tell it from its neighbours."""

    @property
    def label(self) -> str:
        """What it reads, which is how others refer to it."""
        raise NotImplementedError
