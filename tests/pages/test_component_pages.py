"""The generated component pages are what the Configs say, and every example on them runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from collector.component.base import Kind
from collector.component.registry import Registry
from collector.config.load import load
from collector.offline.captures import read_capture
from collector.offline.dry_run import dry_run
from collector.pages import components

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "processors"
KINDS = [Kind.PROCESSOR, Kind.CONNECTOR, Kind.EXTENSION]
EXAMPLES = [path for kind in KINDS for path in sorted((ROOT / "docs" / f"{kind}s").glob("*/*.yaml"))]
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

    assert checked.warnings == ()
    assert requests
    list(dry_run(checked, requests))
    assert example.read_text().startswith("# ")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_example_uses_the_component_it_is_of(example: Path) -> None:
    used = YAML(typ="safe").load(example.read_text())[example.parents[1].name]

    assert any(id_.partition("/")[0] == example.parent.name for id_ in used)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in Registry().names(kind)])
def test_every_component_can_have_a_page(kind: Kind, name: str) -> None:
    factory = Registry().get(kind, name)
    text = components.page(name, factory, [])

    assert f"\n# {name}\n" in text
    assert all(f"`{key}" in text for key in factory.config.model_fields)


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
