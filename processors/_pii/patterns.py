"""Loads and compiles the patterns: built-in ones from ``patterns.yaml`` and a user's own."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import re2
from ruamel.yaml import YAML

from processors._pii import identifiers
from processors._pii.checks.around import Check
from processors._pii.checks.pattern_checks import checks
from processors._pii.entities import Entity
from processors._pii.scan import Text

_MAX_MEMORY = 64 << 20
"""Bytes of RE2's automata, per pattern. Where they do not suffice RE2 is slow, not wrong."""

_LARGEST_PROGRAM = 3_000
"""Steps of a user's compiled pattern above which it is refused: counted repeats over repeats, fast on most texts and a
hundred times slower on some."""
_SLOWEST = 2_000_000
"""Bytes per second below which a user's pattern is refused: a tenth of what is slow for RE2."""
_SAMPLE_BYTES = 256 * 1024
_ATTEMPTS = 3


@dataclass(frozen=True)
class Pattern:
    """One compiled pattern; the fields are those of ``patterns.yaml``."""

    entity: Entity
    prefilter: str
    regex: str
    """In ``patterns.yaml`` and a user's configuration alike; ``finder`` is it compiled."""
    check: Check
    family: str | None = None
    """None: a user's own."""
    needs: bytes = b""
    finder: Any = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "finder", compiled(self.regex))

    def is_possible(self, scan: bytes) -> bool:
        """A much cheaper test than the regex."""
        return not self.needs or any(byte in scan for byte in self.needs)


@functools.cache
def data() -> Mapping[str, Any]:
    """The content of ``patterns.yaml``."""
    text = resources.files("processors._pii").joinpath("patterns.yaml").read_text("utf-8")
    loaded: Mapping[str, Any] = YAML(typ="safe").load(text)
    return loaded


def entity_defaults() -> dict[str, bool]:
    """Every built-in entity, and whether it is looked for unless the configuration says otherwise."""
    named = {name: bool(entry["default"]) for name, entry in data()["entities"].items()}
    return {**named, **dict.fromkeys(identifiers.data(), False)}


def marker(entity: str) -> str:
    """What stands in a text instead of a built-in entity's values, without its brackets."""
    entries = data()["entities"]
    return str(entries[entity]["marker"]) if entity in entries else entity.upper()


def built_in(entities: Mapping[str, Entity]) -> list[Pattern]:
    """The patterns of the given entities."""
    named = checks(data())
    own = [
        Pattern(
            entities[name],
            identifiers.prefilter(entry),
            identifiers.regex(entry),
            identifiers.Identifier(entry),
            "identifier",
        )
        for name, entry in identifiers.data().items()
        if name in entities
    ]
    general = [
        Pattern(
            entities[entry["entity"]],
            _filled(entry["prefilter"]),
            _filled(entry["regex"]),
            named[entry["check"]],
            entry["family"],
            entry.get("needs", "").encode(),
        )
        for entry in data()["patterns"]
        if entry["entity"] in entities
    ]
    return [*general, *own]


def is_quoted_address(address: bytes) -> bool:
    """Whether an address whose sign is written ``=40`` is one: ``timeout=40ms.total`` is none."""
    domain = address.rpartition(b"@")[2].decode("utf-8", "replace").lower()
    last = domain.rpartition(".")[2]
    return domain[:1].isalpha() and (len(last) == 2 or last in data()["quoted_domains"])


# Spaces and line breaks, or one sign with a space at most on each side.
_APART = r"(?:[ \t\r\n]{1,8}| ?[./,+_-] ?)"
_BETWEEN = r"(?:(?:\s|\\+[nrt]|[./,+_-])+)"


def _filled(expression: str) -> str:
    """An expression of ``patterns.yaml`` with what its braces name."""
    for name in ("secret_names", "told_names"):
        expression = expression.replace(f"{{{name}}}", f"(?:{'|'.join(data()[name])})")
    return expression.replace("{apart}", _APART).replace("{between}", _BETWEEN)


def users(entity: Entity, regex: str) -> Pattern:
    """A user's pattern. Raises ``ValueError`` with the reason why it cannot be used."""
    expression = compiled(regex)
    if expression.search(b"") is not None:
        raise ValueError("it matches the empty text")
    if expression.programsize > _LARGEST_PROGRAM:
        raise ValueError(
            f"its counted repeats make {expression.programsize:,} steps of it, and more than {_LARGEST_PROGRAM:,} "
            "can be very slow on some texts: repeat less often, or use * or +"
        )
    speed = 0.0
    for _ in range(_ATTEMPTS):  # a busy machine must not refuse what is fast
        speed = max(speed, bytes_per_second(expression))
        if speed >= _SLOWEST:
            break
    else:
        raise ValueError(
            f"it is too slow: {speed / 1e6:.1f} MB/s on a sample; anchor it on a literal or bound its repeats"
        )
    return Pattern(entity, regex, regex, _whole)


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    options.never_capture = True
    return options


def compiled_set(regexes: Sequence[str]) -> Callable[[bytes], Sequence[int]]:
    """An RE2 set over UTF-8 bytes: text → the positions of the expressions that match it."""
    together = re2.Set.SearchSet(_options())
    for regex in regexes:
        together.Add(regex.encode())
    together.Compile()
    return lambda text: together.Match(text) or ()


def compiled(regex: str) -> Any:
    """The RE2 expression over UTF-8 bytes. Raises ``ValueError``."""
    try:
        return re2.compile(regex.encode(), _options())
    except re2.error as error:
        detail = error.args[0] if error.args else ""
        reason = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        raise ValueError(f"RE2 cannot compile it (it has no look-around and no back-references): {reason}") from None


def bytes_per_second(expression: Any) -> float:
    """The speed of a pattern on a sample of prose, code and JSON without any match of note, by CPU time."""
    text = sample()
    started = time.thread_time()
    for _ in expression.finditer(text):
        # Many matches are slow in Python, not in RE2: bound what they may cost.
        if time.thread_time() - started > 1:
            break
    return len(text) / max(time.thread_time() - started, 1e-9)


@functools.cache
def sample() -> bytes:
    """Text of the kind that is masked most: a few hundred KiB."""
    unit = (
        b'{"role":"user","content":"Please explain what the function below returns, and why it is slow.\\n'
        b'def total(rows):\\n    return sum(row.amount * 1.25 for row in rows if row.id > 1024)\\n"}\n'
        b'{"id":"3f2c9a1e-7b44-4d0e-9c11-0a5b7e6d2f10","ts":1763697731.125,"url":"https://docs.example/a/b?c=d"}\n'
        b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 0000000000\n"
    )
    return unit * (_SAMPLE_BYTES // len(unit))


@functools.cache
def secret_key_pattern() -> re.Pattern[str]:
    """Matches attribute keys whose values are never kept: by the end of the key."""
    names = "|".join(data()["secret_names"])
    return re.compile(rf"(?:.*(?:[^A-Za-z0-9]|(?<=[a-z0-9])(?=[A-Z]))|^)(?i:{names})(?:\.\d+)?\Z", re.DOTALL)


def _whole(text: Text, start: int, end: int) -> Any:
    if end > start:
        yield text.span(start, end)
