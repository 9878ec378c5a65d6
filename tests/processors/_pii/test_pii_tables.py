"""The data of the views: look-alikes are what Unicode says, and the page of forms is what the tests hold.

A newer Python knows a newer Unicode: then the file may lack characters, and must not contradict. With
``SPANLOOM_WRITE_PAGES=1`` the page is written instead of compared.

Proves that data and page are in step. Does not prove that Unicode's lists have all that looks alike.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from processors._pii.views import unicode_tables
from processors._pii.views.look_alikes import CONFUSABLE, READS, SAME
from processors._pii.views.readings import LAYERS
from tests.processors._pii.pii_forms import ALL, FORMS
from tests.processors._pii.pii_kit import mask_text, processor

_PAGE = Path(__file__).parents[3] / "docs" / "pii-forms.md"
MISSED: list[dict[str, Any]] = YAML(typ="safe").load(Path(__file__).with_name("pii_missed.yaml").read_text("utf-8"))

_ABOUT = f"""\
<!-- Generated from the forms the tests hold (`tests/processors/_pii/pii_forms.py`); change those instead. -->

# Forms in which `pii` finds values

A value is replaced when a reader would read it, in whatever form it is written. Exactly the bytes that say the value
go; the rest of the text stays byte for byte.

Each form below is tested with each entity that it says yes for, in every carrier: attribute values and keys, span
names, status messages, trace states, events, links, resources, scopes, log bodies of text and of structure, metrics,
and JSON in strings in all of these. Forms may nest (percent-encoding in references in JSON): up to {LAYERS} layers of
different forms are resolved, and a text with more is replaced as a whole, and counted in `spanloom_pii_failed_rows`.
Writing the sign of a form again (`%2540`, `&amp;#64;`, `\\\\\\\\u0040`) is no further layer.

"""
_BESIDES = """
Found besides, in plain text: values glued to a word or an underscore (`receipt_4111…_x.pdf`, `card4111…`,
`ibanDE89…`), and what follows `password:`, `token=`, `api_key =`, `client_secret:` and the like, where it looks like a
secret and not like prose, a type or code.

The cheap pass over all texts sees whether one holds such a form; only then it is searched once more for each layer.

## What passes, and why

| form | example | why |
|---|---|---|
"""


def _table() -> Iterator[str]:
    yield f"| form | example | {' | '.join(f'`{entity}`' for entity in ALL)} |"
    yield f"|---|---|{'---|' * len(ALL)}"
    for form in FORMS:
        marks = " | ".join("yes" if entity in form.entities else "" for entity in ALL)
        yield f"| {form.name} | {form.example} | {marks} |"


def _missed() -> Iterator[str]:
    for row in MISSED:
        example = f"`{row['text']}`" if "text" in row else ""
        yield f"| {row['form']} | {example} | {row['why']} |"


def page() -> str:
    """The page of the docs."""
    return _ABOUT + "\n".join([*_table(), ""]) + _BESIDES + "\n".join([*_missed(), ""])


def test_the_page_of_forms_is_what_the_tests_hold() -> None:
    if os.environ.get("SPANLOOM_WRITE_PAGES"):
        _PAGE.write_text(page(), encoding="utf-8")
    assert _PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("row", [row for row in MISSED if "text" in row], ids=lambda row: row["form"][:30])
def test_what_the_page_says_passes_does_pass(row: dict[str, Any]) -> None:
    assert mask_text(processor(), row["text"]) == row["text"]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def test_look_alikes_are_what_unicode_says() -> None:
    written = re.search(r"# Unicode ([0-9.]+)", unicode_tables.FILE.read_text("ascii"))
    assert written is not None
    words = {" ": "space", "\n": "line", "": "nothing"}
    listed = {char: words.get(meaning, meaning) for char, meaning in SAME.items() if char > "\x7f"}
    derived = {chr(code): meaning for meaning, codes in unicode_tables.tables().items() for code in codes}
    known = {char: meaning for char, meaning in listed.items() if unicodedata.category(char) != "Cn"}
    assert {char: derived.get(char) for char in known} == known
    if _version(written.group(1)) >= _version(unicodedata.unidata_version):
        assert derived.keys() <= listed.keys()


def test_a_look_alike_is_read_as_one_character_or_none() -> None:
    assert not {char for char, meaning in READS.items() if len(char) != 1 or len(meaning) > 1}
    assert not CONFUSABLE.keys() & SAME.keys()
    assert not [meaning for meaning in READS.values() if meaning in READS]
