"""Checking a whole configuration: what is accepted, and the words of every refusal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from collector.component.base import ComponentId
from collector.component.registry import Registry
from collector.config.load import DEFAULT_YAML, document, load
from collector.config.plan import CollectorConfig
from collector.errors import ConfigError
from collector.model.batch import Signal

Load = Callable[..., CollectorConfig]

MINIMAL = """\
receivers:
  otlp: {protocols: {http: }}
processors:
  pii:
exporters:
  debug:
service:
  pipelines:
    traces: {receivers: [otlp], processors: [pii], exporters: [debug]}
"""


def problems(load_text: Load, *texts: str, **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(*texts, **more)
    return list(caught.value.problems)


def with_exporter(options: str) -> str:
    """``MINIMAL`` with another exporter, in line 7."""
    more = MINIMAL.replace("  debug:\n", f"  debug:\n  otlp_http: {options}\n")
    return more.replace("[debug]", "[debug, otlp_http]")


def test_a_minimal_configuration(load_text: Load) -> None:
    config = load_text(MINIMAL)
    (pipeline,) = config.pipelines
    assert (str(pipeline.id), pipeline.signal) == ("traces", Signal.TRACES)
    assert pipeline.receivers == (ComponentId("otlp"),)
    assert pipeline.processors == (ComponentId("pii"),)
    assert config.warnings == ()
    assert config.service.shutdown_timeout == timedelta(seconds=30)


def test_an_empty_section_is_on_with_its_defaults(load_text: Load) -> None:
    config: Any = load_text(MINIMAL).receivers[ComponentId("otlp")].config
    assert config.protocols.http.endpoint == "localhost:4317"
    assert config.protocols.grpc is None


def test_the_default_is_what_runs_without_a_file(registry: Registry, tmp_path: Path) -> None:
    config = load((), environ={}, data_dir=tmp_path, registry=registry)
    assert [str(pipeline.id) for pipeline in config.pipelines] == ["traces", "logs", "metrics"]
    assert config.warnings == ()
    assert document((), environ={}, registry=registry) == config.document


def test_the_default_takes_overrides(registry: Registry, tmp_path: Path) -> None:
    override = "receivers.otlp.protocols.grpc.endpoint=localhost:${env:PORT}"
    config = load((), overrides=[override], environ={"PORT": "1"}, data_dir=tmp_path, registry=registry)
    receiver: Any = config.receivers[ComponentId("otlp")].config
    assert receiver.protocols.grpc.endpoint == "localhost:1"
    assert receiver.protocols.http.endpoint == "localhost:4318"


def test_the_default_names_only_lines_of_its_own(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--set: service.workers: must be a whole number, not 'many'$"):
        load((), overrides=["service.workers=many"], environ={}, data_dir=tmp_path, registry=registry)
    assert DEFAULT_YAML.count("\n") == 8


# Text of a value → what is wanted of it.
@pytest.mark.parametrize("written", ["0123", "1.10", "true", "null1", "12e3", "'0123'"])
def test_text_keeps_how_it_was_written(load_text: Load, written: str) -> None:
    text = with_exporter(f"{{endpoint: {written}, headers: {{a: {written}, b: '${{env:X}}'}}, key: '${{env:X}}'}}")
    config: Any = load_text(text, environ={"X": written}).exporters[ComponentId("otlp_http")].config
    assert config.endpoint == written.strip("'")
    assert config.headers["a"].get_secret_value() == written.strip("'")
    assert config.headers["b"].get_secret_value() == config.key.get_secret_value() == written


def test_a_structured_variable_is_text_where_text_is_wanted(load_text: Load) -> None:
    text = with_exporter("{endpoint: a, key: '${env:X}'}")
    config: Any = load_text(text, environ={"X": "{not: a map}"}).exporters[ComponentId("otlp_http")].config
    assert config.key.get_secret_value() == "{not: a map}"


def test_numbers_are_read_from_variables(load_text: Load) -> None:
    text = with_exporter("{endpoint: a, sending_queue: {queue_size: '${env:N}'}}")
    config: Any = load_text(text, environ={"N": "7"}).exporters[ComponentId("otlp_http")].config
    assert config.sending_queue.queue_size == 7


def test_null_means_the_default(load_text: Load) -> None:
    config: Any = load_text(with_exporter("{endpoint: a, compression: , headers: }"))
    config = config.exporters[ComponentId("otlp_http")].config
    assert (config.compression, config.headers) == ("gzip", {})


def test_old_and_new_spellings_of_components_and_keys(load_text: Load) -> None:
    for spelling, type_ in (("otlp", "otlp_grpc"), ("otlphttp", "otlp_http"), ("otlp_http", "otlp_http")):
        text = with_exporter("{endpoint: a, timeout: 1s}").replace("otlp_http", f"{spelling}/x")
        exporter = load_text(text).exporters[ComponentId(spelling, "x")]
        assert exporter.config.wait == timedelta(seconds=1)  # type: ignore[attr-defined]
        assert type_.startswith("otlp")


GOLDEN = [
    ("{endpoint: a, compresion: gzip}", "compresion: unknown key (did you mean 'compression'?)"),
    (
        "{endpoint: a, zzz: gzip}",
        "zzz: unknown key; known: compression, endpoint, headers, key, ratio, sending_queue, timeout, wait",
    ),
    ("{}", "the key 'endpoint' is required"),
    ("{endpoint: [a]}", "endpoint: must be text, not a list"),
    ("{endpoint: a b}", "endpoint: 'a b' is not an address"),
    ("{endpoint: '${env:SPACED}'}", "endpoint: '${env:SPACED}' is not an address"),
    ("{endpoint: a, sending_queue: {queue_size: x}}", "sending_queue.queue_size: must be a whole number, not 'x'"),
    (
        "{endpoint: a, sending_queue: {queue_size: 0}}",
        "sending_queue.queue_size: must be greater than or equal to 1, not 0",
    ),
    ("{endpoint: a, sending_queue: {enabled: maybe}}", "sending_queue.enabled: must be true or false, not 'maybe'"),
    ("{endpoint: a, sending_queue: [1]}", "sending_queue: must be a section with keys, not a list"),
    ("{endpoint: a, headers: [1]}", "headers: must be a map of keys and values, not a list"),
    ("{endpoint: a, headers: {a: [1]}}", "headers.a: must be text, not a list"),
    (
        "{endpoint: a, compression: gzipp}",
        "compression: must be one of 'gzip' or 'none', not 'gzipp' (did you mean 'gzip'?)",
    ),
    (
        "{endpoint: a, compression: '${env:SPACED}'}",
        "compression: must be one of 'gzip' or 'none', not the value of ${env:SPACED}",
    ),
    ("{endpoint: a, ratio: much}", "ratio: must be a number or 'auto', not 'much'"),
    ("{endpoint: a, timeout: 5}", "timeout: 5 has no unit: write e.g. '5s' or '5d'"),
    ("{endpoint: a, timeout: 9999999999999999d}", "timeout: '9999999999999999d' is too long: at most 292 years"),
    (
        "{endpoint: a, timeout: soon}",
        "timeout: 'soon' is not a duration: write e.g. '200ms', '30s', '1h30m' or '7d'",
    ),
    (
        "{endpoint: a, sending_queue: {storage: file_storage}}",
        (
            "sending_queue.storage: this option of the Collector is not supported here: the journal already keeps "
            "acknowledged data until every exporter has it (service.journal); remove this line"
        ),
    ),
    ("text", "must be a section with keys, not 'text'"),
]


@pytest.mark.parametrize(("options", "expected"), GOLDEN)
def test_the_words_of_option_errors(load_text: Load, options: str, expected: str) -> None:
    found = problems(load_text, with_exporter(options), environ={"SPACED": "sec ret"})
    separator = ": " if expected.startswith(("the key", "must be")) else "."
    assert found == [f"c.yaml:7: exporters.otlp_http{separator}{expected}"]


def test_errors_in_lists_of_kinds(load_text: Load) -> None:
    text = MINIMAL.replace("  pii:\n", "  pii:\n  tail_sampling:\n    policies:\n@").replace(
        "[pii]", "[pii, tail_sampling]"
    )
    items = (
        "      - {name: a, type: latncy}\n"
        "      - {name: b, type: latency}\n"
        "      - name: c\n"
        "        type: always_sample\n"
        "        x: 1\n"
    )
    path = "processors.tail_sampling.policies"
    assert problems(load_text, text.replace("@", items)) == [
        f"c.yaml:7: {path}[0]: type 'latncy' is none of 'latency', 'always_sample' (did you mean 'latency'?)",
        f"c.yaml:8: {path}[1]: the key 'threshold_ms' is required",
        f"c.yaml:11: {path}[2].x: unknown key; known: name, type",
    ]
    assert problems(load_text, text.replace("@", "      []\n")) == [f"c.yaml:6: {path}: must not be empty"]


def test_all_problems_come_at_once_in_the_order_of_the_file(load_text: Load) -> None:
    text = """\
receivers:
  otpl:
  otlp:
    protocols: {htp: }
processors: [pii]
exporters:
  debug: {}
  redis:
  otlp_http: {endpoint: a, key: "${env:NONE}"}
procesors:
service:
  telemetry: {logs: {level: loud}}
  extensions: [zpages]
  workers: -1
  pipelines:
    traces: {receivers: [otlp, otlpp], exporters: [debug, otlp, otlp_http]}
    trace/x: {receivers: [otlp], exporters: [debug]}
    logs: {receivers: otlp, exporters: []}
    metrics: {exporters: [debug]}
extensions: {basicauth: , helth_check: }
"""
    assert problems(load_text, text) == [
        "c.yaml:2: receivers.otpl: unknown receiver type 'otpl' (did you mean 'otlp'?); installed: otlp, spans_only",
        "c.yaml:4: receivers.otlp.protocols.htp: unknown key (did you mean 'http'?)",
        "c.yaml:5: processors: must be a map of processors, each under its id",
        (
            "c.yaml:8: exporters.redis: unknown exporter type 'redis'; "
            "installed: debug, duckdb, otlp_grpc, otlp_http, parquet"
        ),
        (
            "c.yaml:9: exporters.otlp_http.key: the environment variable NONE is not set; set it, or give a default: "
            "${env:NONE:-value}"
        ),
        "c.yaml:10: procesors: unknown section (did you mean 'processors'?)",
        "c.yaml:12: service.telemetry.logs.level: must be one of debug, info, warn, error",
        "c.yaml:13: service.extensions[0]: 'zpages' is not declared under 'extensions'",
        "c.yaml:14: service.workers: must be greater than or equal to 0, not -1",
        (
            "c.yaml:16: service.pipelines.traces.receivers[1]: 'otlpp' is not declared under 'receivers' "
            "(did you mean 'otlp'?)"
        ),
        "c.yaml:16: service.pipelines.traces.exporters[1]: 'otlp' is declared under 'receivers', not under 'exporters'",
        (
            "c.yaml:17: service.pipelines.trace/x: 'trace/x' is no pipeline: expected traces, logs or metrics, or one "
            "of these/name (did you mean 'traces'?)"
        ),
        "c.yaml:18: service.pipelines.logs.receivers: must be a list, not 'otlp'",
        "c.yaml:18: service.pipelines.logs.exporters: must not be empty",
        "c.yaml:19: service.pipelines.metrics: the key 'receivers' is required",
        (
            "c.yaml:20: extensions.basicauth: this extension of the Collector is not supported here: set the header "
            "under the exporter's 'headers'; servers have no authentication yet"
        ),
        "c.yaml:20: extensions.helth_check: unknown extension type 'helth_check' (did you mean 'health_check'?)",
    ]


def test_a_file_that_cannot_be_read_is_the_only_thing_reported(load_text: Load) -> None:
    assert problems(load_text, MINIMAL, "a: [\n") == [
        "c2.yaml:1: this is not valid YAML: expected the node content, but found '<stream end>'"
    ]


def test_an_error_names_the_file_that_said_it(load_text: Load) -> None:
    found = problems(load_text, MINIMAL, "\nexporters: {debug: {x: 1}}")
    assert found == ["c2.yaml:2: exporters.debug.x: unknown key; known: none"]


def pipeline_problems(load_text: Load, pipelines: str, processors: str = "pii: , cost: ") -> list[str]:
    text = f"""\
receivers: {{otlp: , spans_only: }}
processors:
  {{{processors}, tail_sampling: {{policies: [{{name: a, type: always_sample}}]}},
   tail_sampling/2: {{policies: [{{name: a, type: always_sample}}]}}}}
exporters: {{debug: }}
service: {{pipelines: {{
  {pipelines}
}}}}
"""
    return [problem.removeprefix("c.yaml:7: service.pipelines.") for problem in problems(load_text, text)]


@pytest.mark.parametrize(
    ("pipelines", "expected"),
    [
        (
            "logs: {receivers: [otlp], processors: [tail_sampling], exporters: [debug]}",
            "logs.processors[0]: processor 'tail_sampling' works on traces, not on logs",
        ),
        (
            "metrics: {receivers: [spans_only], exporters: [debug]}",
            "metrics.receivers[0]: receiver 'spans_only' works on traces, not on metrics",
        ),
        (
            "traces: {receivers: [otlp], processors: [tail_sampling, pii], exporters: [debug]}",
            (
                "traces.processors[1]: 'pii' masks, so it must stand before 'tail_sampling': what waits for a decision "
                "is already on disk"
            ),
        ),
        (
            "traces: {receivers: [otlp], processors: [pii, tail_sampling, tail_sampling/2], exporters: [debug]}",
            "traces.processors[2]: 'tail_sampling' already decides about the traces of this pipeline",
        ),
        (
            "traces: {receivers: [otlp, otlp], exporters: [debug]}",
            "traces.receivers[1]: receiver 'otlp' is listed twice",
        ),
        (
            "traces: {receivers: [otlp], exporters: [debug, debug/x]}",
            "traces.exporters[1]: 'debug/x' is not declared under 'exporters' (did you mean 'debug'?)",
        ),
        (
            "traces: {receivers: [otlp], exporters: [a/]}",
            "traces.exporters[0]: 'a/' is not a component id: expected 'type' or 'type/name'",
        ),
    ],
)
def test_pipelines_that_cannot_work(load_text: Load, pipelines: str, expected: str) -> None:
    assert pipeline_problems(load_text, pipelines) == [expected]


def test_pipelines_are_required(load_text: Load) -> None:
    assert problems(load_text, "receivers: {otlp: }") == [
        "c.yaml: service: the section 'service' is required: it holds the pipelines"
    ]
    assert problems(load_text, "service: {}") == ["c.yaml:1: service: the key 'pipelines' is required"]
    assert problems(load_text, "service: {pipelines: {}}") == ["c.yaml:1: service.pipelines: must not be empty"]


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


def test_the_document_shows_references_and_hides_secrets(load_text: Load) -> None:
    text = with_exporter(
        "{endpoint: 'https://u:hunter2@host/${env:PATH_}', key: hunter3, "
        "headers: {a: hunter4, b: 'Basic ${env:B}', c: 'hunter6 ${C:-hunter7}'}, timeout: '${env:T:-5s}'}"
    )
    config = load_text(text, environ={"PATH_": "p", "B": "hunter5"})
    shown: Any = config.document
    assert shown["exporters"]["otlp_http"] == {
        "endpoint": "https://[REDACTED]@host/${env:PATH_}",
        "key": "[REDACTED]",
        "headers": {"a": "[REDACTED]", "b": "Basic ${env:B}", "c": "[REDACTED]${C:-[REDACTED]}"},
        "timeout": "${env:T:-5s}",
    }
    assert "hunter" not in str(shown)


def test_a_key_in_the_query_of_an_address_is_hidden(load_text: Load) -> None:
    config = load_text(with_exporter("{endpoint: 'https://h/x?a=1&api_key=hunter2&b=2', key: k}"))
    shown: Any = config.document
    assert shown["exporters"]["otlp_http"]["endpoint"] == "https://h/x?a=1&api_key=[REDACTED]&b=2"


def test_the_document_reads_back_as_the_same_configuration(registry: Registry) -> None:
    text = "yaml:x: {a: $$5, b: '$${env:X}', c: '${env:Y}', d: 1.10, e: [true, null]}"
    shown = document([text], environ={"Y": "1"}, registry=registry)
    again = document([f"yaml:{shown}".replace("None", "null")], environ={"Y": "1"}, registry=registry)
    assert again == shown == {"x": {"a": "$$5", "b": "$${env:X}", "c": "${env:Y}", "d": 1.1, "e": [True, None]}}


SECRET = "hunter22"


@pytest.mark.parametrize(
    "options",
    [
        "{endpoint: 'x ${env:S}'}",
        "{endpoint: a, key: ['${env:S}']}",
        "{endpoint: a, headers: '${env:S}'}",
        "{endpoint: a, timeout: '${env:S}'}",
        "{endpoint: a, sending_queue: {queue_size: '${env:S}'}}",
        "{endpoint: a, ratio: '${env:S}'}",
        f"{{endpoint: a, headers: {SECRET}}}",
        f"{{endpoint: a, headers: {{a: [{SECRET}]}}, timeout: 5}}",
        f"{{endpoint: 'http://u:{SECRET}@h x'}}",
        f"{{endpoint: a, password: {SECRET}}}",
        "'${env:S}'",
    ],
)
def test_no_message_shows_a_secret(load_text: Load, options: str) -> None:
    text = with_exporter(options)
    found = problems(load_text, text, environ={"S": SECRET})
    assert found
    assert SECRET not in "\n".join(found)
