"""Pipelines joined by connectors: the ways through them, and joints that cannot work. With the real components.

Proves which joints of pipelines are accepted and through which pipelines data will go. Does not prove that data goes
there: ``e2e/test_routing`` sends some.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.config.load import load
from collector.config.plan import CollectorConfig
from collector.errors import ConfigError

HEAD = """\
receivers: {otlp: {protocols: {http: }}, otlp/2: {protocols: {http: {endpoint: "localhost:9999"}}}}
processors: {pii: , cost: , filter: {sql: {span: ["name = 'x'"]}}, tail_sampling: {policies: [{name: all, type: always_sample}]}}
exporters: {debug: , debug/2: }
connectors:
  routing: {table: [{key: k, values: [v], pipelines: [traces/a]}], default_pipelines: [traces/b]}
  routing/next: {table: [{sql: "resource['k'] = 'v'", pipelines: [traces/c]}]}
service:
  pipelines:
"""  # noqa: E501 - one line per component
IN = "    traces: {receivers: [otlp], processors: [pii, cost], exporters: [routing]}\n"
A = "    traces/a: {receivers: [routing], processors: [tail_sampling], exporters: [debug]}\n"
B = "    traces/b: {receivers: [routing], exporters: [debug/2]}\n"


def loaded(tmp_path: Path, pipelines: str, head: str = HEAD) -> CollectorConfig:
    file = tmp_path / "c.yaml"
    file.write_text(head + pipelines)
    return load([file], environ={}, data_dir=tmp_path)


def ways(config: CollectorConfig) -> dict[str, tuple[list[str], list[str], list[tuple[str, str, int, bool]]]]:
    """Pipeline → (receivers, processors, hops)."""
    return {
        str(p.id): (
            [str(i) for i in p.receivers],
            [str(i) for i in p.processors],
            [(str(h.connector), str(h.output), h.after, h.counts_losses) for h in p.hops],
        )
        for p in config.pipelines
    }


def test_what_a_connector_joins_is_run_from_the_receivers_on(tmp_path: Path) -> None:
    assert ways(loaded(tmp_path, IN + A + B)) == {
        "traces/a": (["otlp"], ["pii", "cost", "tail_sampling"], [("routing", "traces/a", 2, True)]),
        "traces/b": (["otlp"], ["pii", "cost"], [("routing", "traces/b", 2, False)]),
    }


def test_a_pipeline_may_hand_on_and_store_and_be_fed_twice(tmp_path: Path) -> None:
    both = IN.replace("[routing]", "[routing, debug]")
    fed = A.replace("[routing]", "[routing, otlp/2]").replace("tail_sampling", "pii")
    assert ways(loaded(tmp_path, both + fed + B)) == {
        "traces": (["otlp"], ["pii", "cost"], []),
        "traces/a": (["otlp/2"], ["pii"], []),
        "traces/a@traces": (["otlp"], ["pii", "cost", "pii"], [("routing", "traces/a", 2, True)]),
        "traces/b": (["otlp"], ["pii", "cost"], [("routing", "traces/b", 2, False)]),
    }


def test_connectors_behind_connectors(tmp_path: Path) -> None:
    second = A.replace("tail_sampling", "filter").replace("[debug]", "[routing/next]")
    third = "    traces/c: {receivers: [routing/next], exporters: [debug]}\n"
    found = ways(loaded(tmp_path, IN + second + third + B))
    hops = [("routing", "traces/a", 2, True), ("routing/next", "traces/c", 3, True)]
    assert found["traces/c"] == (["otlp"], ["pii", "cost", "filter"], hops)
    assert list(found) == ["traces/c", "traces/b"]


def problems(tmp_path: Path, pipelines: str, head: str = HEAD) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, pipelines, head)
    return [problem.partition(": ")[2].removeprefix("service.pipelines.") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("pipelines", "expected"),
    [
        (IN + A, ["routing.default_pipelines[0]: no pipeline is called 'traces/b' (did you mean 'traces/a'?)"]),
        (
            IN + A + B.replace("[routing]", "[otlp/2]"),
            ["routing.default_pipelines[0]: pipeline 'traces/b' does not have 'routing' among its receivers"],
        ),
        (
            IN + A + B + B.replace("traces/b", "traces/d"),
            ["traces/d.receivers[0]: connector 'routing' sends nothing to 'traces/d': its options do not name this"],
        ),
        (
            IN.replace("[routing]", "[debug]") + A + B,
            [
                "traces/a.receivers[0]: no traces pipeline has connector 'routing' among its exporters: nothing",
                "traces/b.receivers[0]: no traces pipeline has connector 'routing' among its exporters: nothing",
            ],
        ),
        (
            IN + A + B + IN.replace("traces:", "logs:").replace(", cost", ""),
            ["logs.exporters[0]: no logs pipeline has connector 'routing' among its receivers: nothing would come out"],
        ),
        (
            IN + A + B.replace("[routing]", "[routing, routing/next]").replace("[debug/2]", "[debug/2, routing/next]"),
            [
                "routing/next.table[0].pipelines[0]: no pipeline is called 'traces/c' (did you mean 'traces/b'?)",
                "traces/b.receivers[1]: connector 'routing/next' sends nothing to 'traces/b'",
                "traces/b.receivers[1]: pipelines feed each other in a circle: traces/b",
            ],
        ),
        (
            IN.replace("cost]", "tail_sampling]") + A + B,
            ["traces/a.processors[0]: 'tail_sampling' already decides about the traces of this pipeline"],
        ),
        (
            IN.replace("cost]", "routing]") + A + B,
            ["traces.processors[1]: 'routing' is declared under 'connectors', not under 'processors'"],
        ),
    ],
)
def test_joints_that_cannot_work(tmp_path: Path, pipelines: str, expected: list[str]) -> None:
    found = problems(tmp_path, pipelines)
    assert len(found) == len(expected)
    assert all(text in problem for text, problem in zip(expected, found, strict=True)), found


def test_one_id_for_two_components_is_no_guess(tmp_path: Path) -> None:
    head = HEAD.replace("connectors:", "connectors:\n  debug: {table: [{sql: 'true', pipelines: [traces/a]}]}")
    found = problems(tmp_path, IN + A + B, head)
    assert any("exporters[0]: 'debug' is declared under 'exporters' and under 'connectors'" in text for text in found)


def test_an_unmasked_way_warns(tmp_path: Path) -> None:
    config = loaded(tmp_path, IN.replace("[pii, cost]", "[cost]") + A.replace("[tail", "[pii, tail") + B)
    (warning,) = [text for text in config.warnings if "nothing masks" in text]
    assert "service.pipelines.traces/b" in warning
