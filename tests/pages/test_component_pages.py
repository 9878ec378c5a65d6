"""``docs/<kind>s``: the pages are what the Configs say, and every example on them is accepted and runs.

Proves that the pages are complete and in step, and that each example takes captured spans through its pipelines. Does
not prove what an example says it is for, nor that its receivers and exporters reach anybody: nothing is sent.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from collector.component.base import Kind
from collector.component.registry import Registry
from collector.config.load import load
from collector.offline.captures import read_capture
from collector.offline.dry_run import dry_run
from collector.pages import components
from collector.pages.written import INDEX, PageError

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "processors"
KINDS = list(Kind)
EXAMPLES = [path for kind in KINDS for path in sorted((ROOT / "docs" / f"{kind}s").glob("*/*.yaml"))]
SAID = {"batch", "groupbytrace"}
"""Types of which ``validate`` says that the engine does it anyway."""
CAPTURE = ROOT / "tests" / "golden" / "sampling-by-status"


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_pages_are_those_of_the_configs(kind: Kind) -> None:
    folder = ROOT / "docs" / f"{kind}s"
    committed = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    made = components.pages(folder)
    stale = sorted(name for name in made.keys() | committed.keys() if made.get(name) != committed.get(name))
    assert stale == [], "run `make docs`"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_example_runs(example: Path, tmp_path: Path) -> None:
    checked = load([str(example)], environ={}, data_dir=tmp_path)
    requests = [request for path in sorted(CAPTURE.glob("*.json")) for request in read_capture(path)]

    warned = [warning for warning in checked.warnings if f"processors.{example.parent.name}: " not in warning]
    assert warned == []
    assert len(checked.warnings) == (example.parent.name in SAID)
    assert requests
    list(dry_run(checked, requests))
    assert example.read_text().startswith("# ")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_example_uses_the_component_it_is_of(example: Path) -> None:
    used = YAML(typ="safe").load(example.read_text())[example.parents[1].name]

    assert any(id_.partition("/")[0] == example.parent.name for id_ in used)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in Registry().names(kind)])
def test_every_component_can_have_a_page(kind: Kind, name: str) -> None:
    component = components.of_factory(kind, name, Registry().get(kind, name))
    text = components.page(component, [])

    assert f"\n# {name}\n" in text
    assert all(f"`{key}" in text for key in component.config.model_fields)


@pytest.mark.parametrize("kind", KINDS)
def test_the_index_links_to_every_page(kind: Kind) -> None:
    folder = ROOT / "docs" / f"{kind}s"
    linked = set(re.findall(r"\]\((\w+\.md)\)", (folder / INDEX).read_text()))

    assert linked == {path.name for path in folder.glob("*.md")} - {INDEX}


def test_a_kind_without_components_has_a_short_index(tmp_path: Path) -> None:
    nothing = Registry(lambda group: ())
    made = components.pages(tmp_path / "exporters", nothing)

    assert list(made) == [INDEX]
    assert "None is built in." in made[INDEX]


def test_a_component_without_an_example_stops_the_generator(tmp_path: Path) -> None:
    with pytest.raises(PageError) as stopped:
        components.pages(tmp_path / "connectors")
    assert stopped.value.lines == (f"{tmp_path}/connectors/routing: no example, a whole configuration in a .yaml file",)


class Undescribed(BaseModel):
    spare: int = 0


class Silent(BaseModel):
    inside: Undescribed = Undescribed()


def test_an_option_without_a_description_or_an_example_without_a_comment_is_a_fault(tmp_path: Path) -> None:
    example = tmp_path / "silent" / "one.yaml"
    example.parent.mkdir()
    example.write_text("receivers: {}\n")
    silent = components.Component("silent", "", "", Silent)

    assert list(components.faults_of(silent, tmp_path, [example])) == [
        f"{tmp_path}/silent: its module has no docstring",
        f"{example}: no comment in the first line that says what the example is for",
        f"{tmp_path}/silent: option inside has no description",
        f"{tmp_path}/silent: option inside.spare has no description",
    ]


def test_the_command_says_what_is_missing_and_exits_with_1(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "collector.pages.components", str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "otlp: no example" in done.stderr
    assert list(tmp_path.rglob("*.md")) == []


def test_an_address_of_ipv6_stands_as_it_is() -> None:
    assert "`localhost` is 127.0.0.1 and [::1]." in (ROOT / "docs/receivers/otlp.md").read_text()


def test_a_page_shows_code_as_it_stands() -> None:
    text = (DOCS / "cost.md").read_text()
    assert "separated by blanks:\n\n```\ngenai-prices 0.2.3/openai:gpt-4o-mini       table, version" in text
    assert "| `overrides[].start_date` | date |" in text


def test_a_page_has_every_policy_of_the_sampler() -> None:
    text = (DOCS / "tail_sampling.md").read_text()
    for policy in ("always_sample", "composite", "bytes_limiting", "sql", "tool_loop", "score", "and", "drop", "not"):
        assert f"\n#### {policy}\n" in text
    assert "| `rate_limiting.spans_per_second` | whole number | required | Spans to keep per second. |" in text
    assert "| `composite.rate_allocation[].percent` | whole number | `0` |" in text
