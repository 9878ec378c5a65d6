"""Names and addresses, which no pattern can tell: a function of the user's, or Presidio, is asked for them.

It is asked once per distinct piece of natural text, many at a time. In JSON those are the values that
are strings; JSON in strings is looked into as well. When it fails for a text, that text is not kept.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

Span = tuple[int, int, str]
"""(start, end, entity): a stretch of a text in characters, and what it is."""

Function = Callable[[Sequence[str]], Iterable[Iterable[Span]]]
"""Texts → for each of them, in the same order, what was found in it."""

_MAX_REMEMBERED = 20_000
_LETTER = re.compile(r"[^\W\d_]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}\Z")
_MARKER = re.compile(r"\[[A-Z][A-Z0-9_]*(?::[0-9a-f]{16})?\]")
_LITERAL = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?')
_MAX_DEPTH = 8


class RecognizerError(Exception):
    """The recognizer said nothing usable about a text."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How the function is called."""

    batch_size: int
    """Texts per call."""
    seconds: float
    """That one call may take."""


class Recognizer:
    """Asks a function about texts and remembers its answers, in memory only."""

    def __init__(self, function: Function, limits: Limits) -> None:
        self._function = function
        self._limits = limits
        self._known: OrderedDict[bytes, tuple[Span, ...]] = OrderedDict()
        self._key = secrets.token_bytes(32)
        self._stuck: threading.Thread | None = None

    def answers(self, texts: Iterable[str]) -> Iterator[tuple[str, tuple[Span, ...] | None]]:
        """What is in each text; None: nobody can say."""
        unknown: dict[str, bytes] = {}
        for text in texts:
            digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).digest()
            if digest in self._known:
                self._known.move_to_end(digest)
                yield text, self._known[digest]
            else:
                unknown[text] = digest
        waiting = iter(unknown)
        while some := tuple(islice(waiting, self._limits.batch_size)):
            for text, spans in self._asked(some):
                if spans is not None:
                    self._remember(unknown[text], spans)
                yield text, spans

    def _remember(self, digest: bytes, spans: tuple[Span, ...]) -> None:
        self._known[digest] = spans
        if len(self._known) > _MAX_REMEMBERED:
            self._known.popitem(last=False)

    def _asked(self, texts: Sequence[str]) -> Iterator[tuple[str, tuple[Span, ...] | None]]:
        """One text that makes the function fail must not cost the others: then each is asked about alone."""
        try:
            yield from zip(texts, self._call(texts), strict=True)
        except TimeoutError:
            yield from ((text, None) for text in texts)
        except Exception:
            if len(texts) == 1:
                yield texts[0], None
                return
            for text in texts:
                yield from self._asked([text])

    def _call(self, texts: Sequence[str]) -> list[tuple[Span, ...]]:
        if self._stuck is not None and self._stuck.is_alive():
            raise TimeoutError  # its last call never returned: not another one beside it
        answers: list[list[tuple[Span, ...]]] = []
        errors: list[BaseException] = []

        def call() -> None:
            try:
                answers.append([_checked(text, found) for text, found in _paired(texts, self._function(list(texts)))])
            except BaseException as error:
                errors.append(error)

        worker = threading.Thread(target=call, name="pii-recognizer", daemon=True)
        worker.start()
        worker.join(self._limits.seconds)
        if worker.is_alive():
            self._stuck = worker
            raise TimeoutError
        if errors:
            raise RecognizerError from None
        return answers[0]


def _paired(texts: Sequence[str], found: Iterable[Iterable[Span]]) -> Iterator[tuple[str, Iterable[Span]]]:
    return zip(texts, found, strict=True)


def _checked(text: str, found: Iterable[Span]) -> tuple[Span, ...]:
    """What was found, sorted and without overlaps; what has been masked already is left alone."""
    masked = [m.span() for m in _MARKER.finditer(text)]
    spans: list[Span] = []
    for start, end, name in sorted((int(s), int(e), str(n)) for s, e, n in found):
        if not 0 <= start < end <= len(text) or not _NAME.match(name):
            raise RecognizerError
        if any(start < e and s < end for s, e in masked):
            continue
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]), spans[-1][2])
        else:
            spans.append((start, end, name.lower()))
    return tuple(spans)


class Session:
    """A recognizer over one batch: first it is told all texts, then it says what is in each."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._wanted: dict[str, None] = {}
        self._answers: dict[str, tuple[Span, ...] | None] | None = None

    def ask(self) -> None:
        """Asks about all texts that ``replaced`` has seen so far."""
        self._answers = dict(self._recognizer.answers(self._wanted))

    def replaced(self, text: str, write: Callable[[str, str], str]) -> str:
        """The text with what is in it replaced by ``write(entity, value)``.

        Before ``ask`` the text as it is. Raises ``RecognizerError`` where nobody can say what is in it.
        """
        return _over_leaves(text, lambda leaf: self._leaf(leaf, write), 0)

    def _leaf(self, leaf: str, write: Callable[[str, str], str]) -> str:
        if not _LETTER.search(leaf):
            return leaf
        if self._answers is None:
            self._wanted[leaf] = None
            return leaf
        spans = self._answers.get(leaf)
        if spans is None:
            raise RecognizerError
        pieces: list[str] = []
        done = 0
        for start, end, name in spans:
            pieces += (leaf[done:start], write(name, leaf[start:end]))
            done = end
        return "".join([*pieces, leaf[done:]]) if spans else leaf


def _over_leaves(text: str, change: Callable[[str], str], depth: int) -> str:
    """The text with each piece of natural text in it changed; everything else stays to the letter."""
    if depth > _MAX_DEPTH or not _is_json(text):
        return change(text)

    def literal(match: re.Match[str]) -> str:
        if match.group(1) is not None:  # a key
            return match.group()
        leaf: str = json.loads(match.group())
        changed = _over_leaves(leaf, change, depth + 1)
        return match.group() if changed == leaf else json.dumps(changed, ensure_ascii=match.group().isascii())

    return _LITERAL.sub(literal, text)


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in {"{", "["}:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def function_named(reference: str) -> Function:
    """The callable at ``module:function``. Raises ``ValueError`` with what is wrong."""
    import importlib  # noqa: PLC0415 - only for those who name one

    module_name, _, path = reference.partition(":")
    if not module_name or not path:
        raise ValueError(f"{reference!r} is not of the form module:function")
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        raise ValueError(f"module {module_name!r} cannot be imported: {type(error).__name__}: {error}") from None
    for name in path.split("."):
        found = getattr(found, name, None)
    if not callable(found):
        raise ValueError(f"there is no function {path!r} in module {module_name!r}")
    function: Function = found
    return function
