"""Every installed processor keeps the laws of processors, on batches nobody thought of.

Proves purity, equal rows in any split and valid schemas on random batches. Does not prove that a processor does what
its page says.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings, strategies as st

from collector.component.base import ComponentId, Kind, Settings
from collector.component.processor import ProcessorFactory, Stage
from collector.component.sampler import SamplerFactory
from collector.telemetry import Telemetry
from collector.testing.laws import check_processor
from collector.testing.strategies import batches

OPTIONS: dict[str, dict[str, Any]] = {
    "transform": {
        "sql": {
            "span": [
                {"set": "attributes['new']", "to": "length(span_name)", "where": "kind = 'CLIENT'"},
                {"set": "attributes['gen_ai.request.model']", "to": "resource['user.id']"},
                {"set": "resource['copy']", "to": "attributes['a']"},
                {"set": "span_name", "to": "upper(name)", "where": "attributes['a']::int > 0"},
                {"limit": 3, "first": ["new"]},
                {"replace_all": "[0-9]+", "with": "N"},
                {"delete_matching": "tokens$", "of": "resource"},
            ],
            "log": [{"set": "body", "to": "event_name"}, {"truncate_all": 3}, {"delete": ["a"]}],
            "metric": [{"set": "attributes['v']", "to": "value"}, {"keep": ["v", "a"]}],
        }
    },
    "filter": {
        "sql": {
            "span": [
                "kind = 'CLIENT' and length(span_name) > 3",
                "attributes['a']::int > 0",
                "resource['b'] is not null",
            ],
            "log": ["severity_number < 9", "body = ''"],
            "metric": ["value > 1", "attributes['a'] = 'x'"],
        }
    },
    "attributes": {
        "include": {"match_type": "regexp", "services": ["."]},
        "actions": [
            {"action": "upsert", "key": "a", "value": 1}, {"action": "delete", "pattern": "^b"},
            {"action": "insert", "key": "c", "from_attribute": "a"},
        ],
    },
    "groupbyattrs": {"keys": ["a", "user.id", "b"]},
    "probabilistic_sampler": {"sampling_percentage": 50, "sampling_priority": "a", "from_attribute": "b"},
    "redaction": {
        "allow_all_keys": True, "blocked_values": ["[0-9]", "a"], "blocked_key_patterns": ["^b"], "summary": "debug",
    },
    "resource": {"attributes": [{"action": "upsert", "key": "zone", "value": "eu"}]},
}  # fmt: skip
"""Options of processors that cannot be made without any."""


def _cases() -> list[Any]:
    cases = []
    for point in sorted(entry_points(group=Kind.PROCESSOR.group), key=lambda p: p.name):
        factory = point.load()
        assert isinstance(factory, ProcessorFactory | SamplerFactory)
        if isinstance(factory, ProcessorFactory):
            cases += [
                pytest.param(point.name, factory, signal, id=f"{point.name}-{signal}")
                for signal in sorted(factory.signals)
            ]
    return cases


@pytest.mark.parametrize(("name", "factory", "signal"), _cases())
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_processor_keeps_the_laws(
    name: str, factory: ProcessorFactory, signal: Any, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = Path(tmp_path_factory.getbasetemp()) / f"laws-{name}"
    made = Settings(ComponentId(name), Telemetry(), structlog.stdlib.get_logger(), folder)
    processor: Any = factory.create(factory.config(**OPTIONS.get(name, {})), made)

    # A masker sees spans before their facts are resolved.
    facts = factory.stage is not Stage.MASK
    check_processor(processor, [data.draw(batches(signal, facts=facts))])
