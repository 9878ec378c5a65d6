"""What to do about what a recognizer finds: each entity has a mode, as the built-in ones do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from processors._pii.entities import Entity, Mode, Writer
from processors._pii.recognized.recognizers import Session


class Names:
    """Replaces what a recognizer's session finds. One per batch."""

    def __init__(
        self,
        session: Session,
        write: Writer,
        modes: Mapping[str, Mode],
        is_allowed: Callable[[str], bool] | None,
    ) -> None:
        self.session = session
        self._write = write
        self._modes = modes
        self._is_allowed = is_allowed

    def replaced(self, text: str, tally: Counter[str]) -> str | None:
        """The text with everything found replaced; None: it must be dropped as a whole.

        Raises ``RecognizerError`` where nobody can say what is in it.
        """
        dropped: list[str] = []

        def write(name: str, value: str) -> str:
            entity = Entity(name, name.upper(), self._modes.get(name, Mode.REDACT))
            if entity.mode is Mode.OFF or (self._is_allowed is not None and self._is_allowed(value)):
                return value
            tally[name] += 1
            if entity.mode is Mode.DROP:
                dropped.append(name)
            return self._write(entity, value.encode()).decode("utf-8", "replace")

        masked = self.session.replaced(text, write)
        return None if dropped else masked
