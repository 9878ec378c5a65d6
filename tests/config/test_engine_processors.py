"""``memory_limiter`` and ``batch``: what the Collector refuses is refused, and the limit that is said holds.

Proves options, refusals and the limit that results. Does not prove that the limit holds under load:
``e2e/test_memory_limiter`` does.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from collector import memory
from collector.config import memory_bound
from collector.config.plan import CollectorConfig
from collector.errors import ConfigError

Load = Callable[..., CollectorConfig]

TEXT = """\
receivers: {{otlp: {{protocols: {{http: {{}}}}}}}}
processors: {{pii: {{}}, {declared}}}
exporters: {{debug: {{}}}}
service:
  memory: {{limit_mib: {limit_mib}}}
  pipelines:
    traces: {{receivers: [otlp], processors: [{listed}], exporters: [debug]}}
    logs: {{receivers: [otlp], processors: [pii], exporters: [debug]}}
"""
AT = "c.yaml:2: processors.memory_limiter"


def text(declared: str, listed: str = "memory_limiter, pii", limit_mib: int | None = None) -> str:
    return TEXT.format(declared=declared, listed=listed, limit_mib="null" if limit_mib is None else limit_mib)


def problems(load_text: Load, source: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(source)
    return list(caught.value.problems)


def holds(load_text: Load, source: str) -> tuple[memory_bound.Bound, list[str]]:
    config = load_text(source)
    found = memory_bound.bound(config.service.memory.limit_mib, config.memory_limiters)
    return found, [warning for warning in config.warnings if "memory" in warning]


MIB = 1 << 20


@pytest.mark.parametrize(
    ("options", "limit", "soft"),
    [
        ("limit_mib: 500", 500 * MIB, 400 * MIB),
        ("limit_mib: 500, spike_limit_mib: 50", 500 * MIB, 450 * MIB),
        ("limit_mib: 500, limit_percentage: 1, spike_limit_percentage: 0", 500 * MIB, 400 * MIB),
        ("limit_percentage: 50", memory.available() // 2, memory.available() // 2 - int(memory.available() // 2 * 0.2)),
        (
            "limit_percentage: 60, spike_limit_percentage: 25",
            memory.available() * 60 // 100,
            memory.available() * 60 // 100 - memory.available() * 25 // 100,
        ),
    ],
)
def test_a_limiter_sets_the_bound(load_text: Load, options: str, limit: int, soft: int) -> None:
    found, warnings = holds(load_text, text(f"memory_limiter: {{check_interval: 1s, {options}}}"))
    assert (found.limit, found.soft_limit) == (limit, soft)
    assert found.said_by.startswith("processors.memory_limiter.limit_")
    assert warnings == []


def test_without_a_limiter_half_of_the_memory_is_the_bound(load_text: Load) -> None:
    found, warnings = holds(load_text, text("pii/2: {}", "pii, pii/2"))
    assert (found.limit, found.said_by) == (memory.available() // 2, "default: half of the memory")
    assert warnings == []


@pytest.mark.parametrize(
    ("limiter", "service", "said"),
    [
        (200, 300, "c.yaml:5: service.memory.limit_mib: has no effect: processors.memory_limiter.limit_mib"),
        (300, 200, f"{AT}: the limit, 300 MiB, has no effect here: service.memory.limit_mib"),
    ],
)
def test_the_smaller_of_two_holds_and_the_other_is_told(load_text: Load, limiter: int, service: int, said: str) -> None:
    declared = f"memory_limiter: {{check_interval: 1s, limit_mib: {limiter}}}"
    found, warnings = holds(load_text, text(declared, limit_mib=service))
    assert found.limit == 200 * MIB
    assert f"{said}, 200 MiB, is smaller and holds" in warnings


def test_of_several_limiters_in_use_the_smallest_holds(load_text: Load) -> None:
    declared = ", ".join(
        f"memory_limiter/{name}: {{check_interval: 1s, limit_mib: {mib}}}"
        for name, mib in (("a", 300), ("b", 200), ("unused", 100))
    )
    found, warnings = holds(load_text, text(declared, "memory_limiter/a, memory_limiter/b, pii"))
    assert (found.limit, found.said_by) == (200 * MIB, "processors.memory_limiter/b.limit_mib")
    assert [warning.split(": ")[1] for warning in warnings] == [
        f"processors.memory_limiter/{name}" for name in ("unused", "a")
    ]


def test_a_limiter_that_is_not_first_is_told(load_text: Load) -> None:
    declared = "memory_limiter: {check_interval: 1s, limit_mib: 500}"
    _, (warning,) = holds(load_text, text(declared, "pii, memory_limiter"))
    assert warning == (
        "c.yaml:7: service.pipelines.traces.processors[1]: 'memory_limiter' should be the first processor: in the "
        "Collector it protects only what is behind it; here its limit holds from the moment a request arrives"
    )


REQUIRED = "'limit_mib' or 'limit_percentage' is required and must be above 0"
INTERVAL = "'check_interval' is required and must be above 0: write e.g. 'check_interval: 1s'"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", f"{INTERVAL}; {REQUIRED}"),
        ("limit_mib: 500", INTERVAL),
        ("check_interval: 0s, limit_mib: 500", INTERVAL),
        ("check_interval: 1s", REQUIRED),
        ("check_interval: 1s, limit_mib: 500, spike_limit_mib: 500",
         "'spike_limit_mib' must be smaller than 'limit_mib': 500 is not below 500"),
        ("check_interval: 1s, limit_percentage: 20, spike_limit_percentage: 30",
         "'spike_limit_percentage' must be smaller than 'limit_percentage': 30 is not below 20"),
        ("check_interval: 1s, limit_mib: 500, min_gc_interval_when_hard_limited: 11s",
         "'min_gc_interval_when_soft_limited' must not be below 'min_gc_interval_when_hard_limited'"),
        ("check_interval: 1s, limit_mib: 9", "the limit, 9 MiB, is less than the service needs: at least 64 MiB"),
    ],
)  # fmt: skip
def test_what_the_collector_refuses_is_refused(load_text: Load, options: str, said: str) -> None:
    assert problems(load_text, text(f"memory_limiter: {{{options}}}")) == [f"{AT}: {said}"]


def test_a_percentage_above_all_is_refused_where_it_stands(load_text: Load) -> None:
    source = text("memory_limiter: {check_interval: 1s, limit_percentage: 101}")
    (said,) = problems(load_text, source)
    assert said.startswith(f"{AT}.limit_percentage: ")


def test_options_of_batch(load_text: Load) -> None:
    load_text(
        text("batch: {metadata_keys: [], metadata_cardinality_limit: 5, send_batch_max_size: 9000}", "pii, batch")
    )
    source = text("batch: {send_batch_max_size: 5, send_batch_size: 6}", "pii, batch")
    assert problems(load_text, source) == [
        "c.yaml:2: processors.batch: 'send_batch_max_size' must not be below 'send_batch_size': 5 is below 6"
    ]
