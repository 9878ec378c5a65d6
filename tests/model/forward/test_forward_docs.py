"""The page on forwarding says what the data says. ``SPANLOOM_UPDATE_GOLDEN=1`` writes its tables anew.

Proves that the page is up to date and names real columns. Does not prove that the differences it lists are the only
ones: ``test_forward`` does.
"""

import os
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from collector.model import schema
from collector.model.forward import target_tables
from collector.model.forward.target_tables import TARGETS

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "forwarding.md"
UPDATE = os.environ.get("SPANLOOM_UPDATE_GOLDEN") == "1"


def exceptions() -> str:
    entries = YAML(typ="safe").load((DOCS / "forwarding.yaml").read_text())["exceptions"]
    lines = ["| target | column | before | read again as | why |", "|---|---|---|---|---|"]
    for entry in entries:
        after = "what the reason says" if entry["after"] == "any" else f"`{entry['after']}`"
        lines.append(f"| {entry['target']} | `{entry['column']}` | null | {after} | {entry['reason']} |")
    return "\n".join(lines)


def attributes() -> str:
    found = {target: target_tables.target(target).attributes for target in TARGETS}
    fields = dict.fromkeys(attribute.field for table in found.values() for attribute in table)
    lines = [f"| column | {' | '.join(TARGETS)} |", "|---|" + "---|" * len(TARGETS)]
    for field in fields:
        keys = [dict.fromkeys(f"`{a.key}`" for a in table if a.field == field) for table in found.values()]
        lines.append(f"| {field} | {' | '.join('<br>'.join(of_target) for of_target in keys)} |")
    return "\n".join(lines)


@pytest.mark.parametrize("made", [exceptions, attributes])
def test_the_page_holds_what_the_data_says(made):
    marked = re.compile(rf"(<!-- generated: {made.__name__} -->\n).*?(<!-- end -->)", re.DOTALL)
    page = PAGE.read_text()
    expected = marked.sub(lambda match: f"{match[1]}{made()}\n{match[2]}", page)
    if UPDATE:
        PAGE.write_text(expected)
    assert page == expected or UPDATE


@pytest.mark.parametrize("target", TARGETS)
def test_tables_name_columns_that_exist(target):
    for attribute in target_tables.target(target).attributes:
        assert attribute.field.partition(".")[0] in schema.OBSERVATIONS.names
