"""Warnings of a configuration that works: what is of no use, open or without a masker.

Proves who is warned, and in which words, about options that do nothing, open servers and missing maskers. Does not
prove that the advice is followed by a better configuration, nor that every pitfall is known.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from collector.component.base import ComponentId
from collector.errors import ConfigError
from tests.config.config_kit import MINIMAL, Load, problems, with_exporter


def warnings_of(load_text: Load, text: str) -> list[str]:
    return list(load_text(text).warnings)


def test_what_is_declared_and_not_used_warns(load_text: Load) -> None:
    text = MINIMAL.replace("  debug:\n", "  debug:\n  debug/2:\n")
    assert warnings_of(load_text, text) == [
        "c.yaml:7: exporters.debug/2: no pipeline uses this exporter: it is not started"
    ]


def test_a_pipeline_without_a_masker_warns(load_text: Load) -> None:
    (warning,) = warnings_of(load_text, MINIMAL.replace(", processors: [pii]", "").replace("  pii:\n", ""))
    assert warning == (
        "c.yaml:8: service.pipelines.traces: nothing masks content here: what this pipeline takes is journaled on "
        "disk as it comes; add 'pii' to its processors"
    )


@pytest.mark.parametrize(
    ("order", "warned"),
    [("redaction", 0), ("redaction, tail_sampling", 0), ("tail_sampling, redaction", 1)],
)
def test_redaction_before_sampling_masks_by_its_rules(load_text: Load, order: str, warned: int) -> None:
    sampling = "  tail_sampling: {policies: [{name: a, type: always_sample}]}\n"
    text = MINIMAL.replace("processors: [pii]", f"processors: [{order}]")
    text = text.replace("  pii:\n", "  redaction:\n" + (sampling if "tail" in order else ""))
    assert sum("nothing masks" in warning for warning in warnings_of(load_text, text)) == warned


def test_collector_options_without_meaning_warn_whether_or_not_the_component_knows_them(load_text: Load) -> None:
    text = with_exporter("{endpoint: a, sending_queue: {num_consumers: 10}}")
    assert warnings_of(load_text, text) == [
        (
            "c.yaml:7: exporters.otlp_http.sending_queue.num_consumers: this option has no effect here: "
            "every exporter has one ordered cursor over the journal"
        )
    ]
    policies = "policies: [{name: a, type: always_sample}]"
    text = MINIMAL.replace("  pii:\n", f"  pii:\n  tail_sampling: {{expected_new_traces_per_sec: 9, {policies}}}\n")
    assert warnings_of(load_text, text.replace("[pii]", "[pii, tail_sampling]")) == [
        (
            "c.yaml:5: processors.tail_sampling.expected_new_traces_per_sec: this option has no effect here: "
            "nothing is allocated ahead"
        )
    ]


def test_processors_of_the_collector_that_the_engine_replaces(load_text: Load) -> None:
    text = MINIMAL.replace(
        "  pii:\n",
        "  pii:\n  batch: {send_batch_size: 5}\n"
        "  groupbytrace: {wait_duration: 3s}\n  memory_limiter: {check_interval: 1s, limit_mib: 512}\n",
    ).replace("[pii]", "[memory_limiter, pii, groupbytrace, batch]")
    config = load_text(text)
    assert config.pipelines[0].processors == (ComponentId("pii"),)
    assert config.pipelines[0].group_by_trace_wait == timedelta(seconds=3)
    assert [warning.split(": ")[:2] for warning in config.warnings] == [
        ["c.yaml:5", "processors.batch"],
        ["c.yaml:6", "processors.groupbytrace"],
    ]
    assert list(config.memory_limiters) == [ComponentId("memory_limiter")]


def test_wrong_options_of_replaced_processors_are_errors(load_text: Load) -> None:
    text = MINIMAL.replace("  pii:\n", "  pii:\n  batch: {timeout: 5}\n  batch/2: {metadata_keys: [a]}\n")
    assert problems(load_text, text) == [
        "c.yaml:5: processors.batch.timeout: 5 has no unit: write e.g. '5s' or '5d'",
        (
            "c.yaml:6: processors.batch/2.metadata_keys: this option of the Collector is not supported here: "
            "client metadata is not carried along; remove it"
        ),
    ]


def test_extensions_and_telemetry_of_the_collector_warn(load_text: Load) -> None:
    text = MINIMAL + "  extensions: [zpages]\n  telemetry: {logs: {level: DEBUG}, metrics: {level: none}}\n"
    text += "extensions:\n  zpages: {endpoint: 0.0.0.0:55679}\n"
    assert warnings_of(load_text, text) == [
        (
            "c.yaml:11: service.telemetry.metrics.level: accepted, but without effect: metrics are at /metrics of "
            "service.admin.endpoint, logs on stderr"
        ),
        (
            "c.yaml:13: extensions.zpages: this extension has no effect here: /metrics at service.admin.endpoint shows "
            "counters per component"
        ),
    ]


def test_several_workers_are_said_to_be_one(load_text: Load) -> None:
    (warning,) = warnings_of(load_text, MINIMAL + "  workers: 2\n")
    assert warning.startswith("c.yaml:10: service.workers: more than one process is not supported yet")


@pytest.mark.parametrize("endpoint", ["0.0.0.0:4318", "'[::]:4318'", "':4318'", "'${env:ANY}:1'"])
def test_a_server_open_to_everybody_warns(load_text: Load, endpoint: str) -> None:
    text = MINIMAL.replace("{http: }", f"{{http: {{endpoint: {endpoint}}}}}")
    (warning,) = load_text(text, environ={"ANY": "0.0.0.0"}).warnings
    assert "receivers.otlp.protocols.http.endpoint: listens on every network interface without TLS" in warning


@pytest.mark.parametrize("endpoint", ["0.0.0.0:4330", "'[::]:4330'", "':4330'", "10.0.0.7:4330", "admin.example.com:1"])
def test_an_admin_server_beyond_this_machine_must_be_meant(load_text: Load, endpoint: str) -> None:
    text = MINIMAL + f"  admin:\n    endpoint: {endpoint}\n"
    with pytest.raises(ConfigError, match=r"service\.admin\.endpoint: others than this machine reach it") as caught:
        load_text(text)
    assert "service.admin.auth: {mode: none}" in str(caught.value)
    load_text(text + "    auth: {mode: none}\n")


@pytest.mark.parametrize("endpoint", ["localhost:0", "127.0.0.1:4330", "127.1.2.3:4330", "'[::1]:4330'"])
def test_an_admin_server_on_loopback_needs_no_word(load_text: Load, endpoint: str) -> None:
    warnings = load_text(MINIMAL + f"  admin:\n    endpoint: {endpoint}\n").warnings
    assert not [warning for warning in warnings if "admin" in warning]
