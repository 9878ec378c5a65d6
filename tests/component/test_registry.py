"""Finding component types, and explaining those that are not there.

Proves look-up and refusals over entry points that the tests make up, and that the built-in ones are there. Does not
prove that a package installed by somebody else is found: ``plugin/test_plugin`` installs one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector.component.base import ComponentConfig, Kind
from collector.component.exporter import ExporterFactory
from collector.component.processor import ProcessorFactory, Stage
from collector.component.registry import ALIASES, Registry, installed
from collector.component.sampler import SamplerFactory
from collector.errors import ConfigError, suggest
from collector.model.batch import Signal

FACTORY = ExporterFactory(ComponentConfig, lambda *_: None)  # type: ignore[arg-type, return-value]


def error_of(registry: Registry, kind: Kind, type_: str) -> str:
    with pytest.raises(ConfigError) as caught:
        registry.get(kind, type_)
    return str(caught.value)


def test_aliases_find_the_same_factory(registry: Registry) -> None:
    for alias, name in ALIASES[Kind.EXPORTER].items():
        assert registry.get(Kind.EXPORTER, alias) is registry.get(Kind.EXPORTER, name)
    assert "unknown receiver type 'otlphttp'" in error_of(registry, Kind.RECEIVER, "otlphttp")


def test_an_unknown_type_names_the_nearest_and_lists_what_is_there(registry: Registry) -> None:
    assert error_of(registry, Kind.EXPORTER, "duck_db") == (
        "unknown exporter type 'duck_db' (did you mean 'duckdb'?); "
        "installed: debug, duckdb, otlp_grpc, otlp_http, parquet"
    )
    assert error_of(registry, Kind.CONNECTOR, "count") == "unknown connector type 'count'; installed: none"


def test_a_type_of_another_kind_is_recognised(registry: Registry) -> None:
    assert error_of(registry, Kind.PROCESSOR, "duckdb") == "unknown processor type 'duckdb': it is a type of exporter"


def test_a_plugin_that_cannot_be_imported_is_named(entry_points: Callable[..., Any]) -> None:
    registry = Registry(entry_points({Kind.EXPORTER: {"x": ImportError("no module named y")}}))
    assert error_of(registry, Kind.EXPORTER, "x") == (
        "exporter 'x' of somewhere:factory cannot be loaded: ImportError: no module named y"
    )
    (info,) = registry.infos()
    assert info.error is not None


def test_a_factory_of_the_wrong_kind_is_refused(entry_points: Callable[..., Any]) -> None:
    processor = ProcessorFactory(ComponentConfig, lambda *_: None)  # type: ignore[arg-type, return-value]
    registry = Registry(entry_points({Kind.EXPORTER: {"x": processor}, Kind.CONNECTOR: {"y": FACTORY}}))
    assert "somewhere:factory is no ExporterFactory" in error_of(registry, Kind.EXPORTER, "x")
    assert "somewhere:factory is no ConnectorFactory" in error_of(registry, Kind.CONNECTOR, "y")


def test_a_sampler_is_among_the_processors(entry_points: Callable[..., Any]) -> None:
    sampler = SamplerFactory(ComponentConfig, lambda *_: None)  # type: ignore[arg-type, return-value]
    registry = Registry(entry_points({Kind.PROCESSOR: {"x": sampler, "y": FACTORY}}))
    assert registry.get(Kind.PROCESSOR, "x") is sampler
    assert (sampler.stage, sampler.signals) == (Stage.SAMPLING, {Signal.TRACES})
    assert "somewhere:factory is no ProcessorFactory or SamplerFactory" in error_of(registry, Kind.PROCESSOR, "y")


def test_a_processor_of_the_sampling_stage_is_told_what_to_be() -> None:
    with pytest.raises(TypeError, match="make a SamplerFactory"):
        ProcessorFactory(ComponentConfig, lambda *_: None, stage=Stage.SAMPLING)  # type: ignore[arg-type, return-value]


def test_two_distributions_may_not_provide_the_same_type(entry_points: Callable[..., Any]) -> None:
    one = entry_points({Kind.EXPORTER: {"x": FACTORY}})(Kind.EXPORTER.group)[0]
    other = type(one)("x", FACTORY, "elsewhere:factory")
    registry = Registry(lambda group: [one, other] if group == Kind.EXPORTER.group else [])
    assert error_of(registry, Kind.EXPORTER, "x").startswith("exporter type 'x' is provided twice")


def test_only_what_is_asked_for_is_loaded(entry_points: Callable[..., Any]) -> None:
    registry = Registry(entry_points({Kind.EXPORTER: {"x": FACTORY, "broken": RuntimeError("at import")}}))
    assert registry.get(Kind.EXPORTER, "x") is FACTORY
    assert registry.names(Kind.EXPORTER) == ["broken", "x"]


def test_the_built_in_components_come_by_entry_point() -> None:
    assert {point.name for point in installed(Kind.RECEIVER.group)} >= {"otlp"}
    assert {point.name for point in installed(Kind.PROCESSOR.group)} >= {"pii", "cost", "tail_sampling"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("endpont", " (did you mean 'endpoint'?)"),
        ("max-elapsed-time", " (did you mean 'max_elapsed_time'?)"),
        ("Endpoint", " (did you mean 'endpoint'?)"),
        ("qqq", ""),
    ],
)
def test_suggestions_look_past_case_and_dashes(word: str, expected: str) -> None:
    assert suggest(word, ["endpoint", "max_elapsed_time"]) == expected
