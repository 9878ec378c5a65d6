"""``docs/ottl.md``: the committed translations are those of the data that the translator is tested with.

Proves that the page is up to date. Does not prove that a translation means the same: ``differential`` does.
"""

from __future__ import annotations

import os
from pathlib import Path

from ruamel.yaml import YAML

from collector.kernels.sql import ottl

PAGE = Path(__file__).parents[3] / "docs" / "ottl.md"
TABLE = YAML(typ="safe").load((Path(ottl.__file__).parent / "ottl.yaml").read_text(encoding="utf-8"))


def _table(kind: str) -> str:
    rows = [f"| `{_cell(entry['ottl'])}` | `{_cell(entry['sql'])}` |" for entry in TABLE[kind]]
    return "\n".join(["| OTTL | here |", "|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _made(text: str) -> str:
    for kind in TABLE:
        begin, end = f"<!-- {kind} -->", f"<!-- /{kind} -->"
        before, _, rest = text.partition(begin)
        after = rest.partition(end)[2]
        text = f"{before}{begin}\n{_table(kind)}\n{end}{after}"
    return text


def test_the_page_has_the_translations() -> None:
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("SPANLOOM_UPDATE_GOLDEN") == "1":
        PAGE.write_text(_made(text), encoding="utf-8")
    assert text == _made(text), "run with SPANLOOM_UPDATE_GOLDEN=1"
