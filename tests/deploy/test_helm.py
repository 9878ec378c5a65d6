"""The chart: what it renders is valid, restricted, and runs a configuration the collector accepts.

Proves the chart as text: what it renders is valid for Kubernetes and for our own checker. Does not prove that a
cluster starts it, keeps its volume or reaches its ports.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.config.load import load
from collector.options.durations import parse_duration
from tests.deploy.helm_kit import (
    CHART,
    KUBERNETES,
    NOT_KUBERNETES,
    Object,
    collector_config,
    container,
    each,
    files,
    of_kind,
    one,
    pod_specs,
    template,
    yaml,
    yamls,
)
from tests.deploy.tools import done, tool

# Validity


@each
def test_lint_finds_nothing(helm, values):
    done(helm, "lint", "--strict", CHART, *files(values))


@each
@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_accepts_every_object(rendered, values, version, tmp_path):
    objects = [found for found in yamls(rendered(values)) if found["kind"] not in NOT_KUBERNETES]
    for number, found in enumerate(objects):
        (tmp_path / f"{number}.yaml").write_text(json.dumps(found), encoding="utf-8")
    reply = done(tool("kubernetes-validate"), "-k", version, "--strict", *sorted(tmp_path.glob("*.yaml")))
    assert reply.count(" passed for resource ") == len(objects)
    assert "WARN" not in reply


@each
def test_the_collector_accepts_the_rendered_configuration(objects, tmp_path):
    config = collector_config(objects, tmp_path)
    assert all("every network interface" in warning for warning in config.warnings)


def test_the_default_configuration_is_the_embedded_one(rendered, tmp_path):
    ours, embedded = collector_config(yamls(rendered(None)), tmp_path), load((), environ={}, data_dir=tmp_path)
    assert set(ours.pipelines) == set(embedded.pipelines)  # Helm sorts the keys
    for kind in ("processors", "exporters"):
        pair = [{id_: part.config for id_, part in getattr(config, kind).items()} for config in (ours, embedded)]
        assert pair[0] == pair[1]


def test_the_service_monitor_selects_one_service_with_an_admin_port(rendered):
    objects = yamls(rendered(CHART / "ci" / "everything-values.yaml"))
    monitor = one(objects, "ServiceMonitor")["spec"]
    (endpoint,) = monitor["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("admin", "/metrics")
    (expression,) = monitor["selector"]["matchExpressions"]
    assert expression["operator"] == "DoesNotExist"
    selected = [
        service
        for service in of_kind(objects, "Service")
        if monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        and expression["key"] not in service["metadata"]["labels"]
    ]
    assert [service["spec"]["type"] for service in selected] == ["LoadBalancer"]


# What fits together


@each
def test_ports_services_and_probes_follow_the_configuration(objects, tmp_path):
    config = collector_config(objects, tmp_path)
    (otlp,) = (component.config for component in config.receivers.values())
    listening = {f"otlp-{name}": server.endpoint for name, server in otlp.protocols if server}
    listening["admin"] = config.service.admin.endpoint
    open_ports = {port["name"]: port["containerPort"] for port in container(objects)["ports"]}
    assert open_ports == {name: int(endpoint.rpartition(":")[2]) for name, endpoint in listening.items()}
    for service in of_kind(objects, "Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} == set(open_ports)
    probes = {probe: container(objects)[f"{probe}Probe"]["httpGet"] for probe in ("startup", "readiness", "liveness")}
    assert {probe["port"] for probe in probes.values()} == {"admin"}
    assert [probe["path"] for probe in probes.values()] == ["/startupz", "/readyz", "/livez"]


@each
def test_services_and_policy_select_the_pod_and_nothing_else(objects):
    stateful = one(objects, "StatefulSet")
    pod = stateful["spec"]["template"]["metadata"]["labels"]
    policies = [policy["spec"]["podSelector"]["matchLabels"] for policy in of_kind(objects, "NetworkPolicy")]
    selectors = [service["spec"]["selector"] for service in of_kind(objects, "Service")]
    for selector in [*policies, *selectors, stateful["spec"]["selector"]["matchLabels"]]:
        assert selector.items() <= pod.items()
        assert not any(selector.items() <= other["metadata"]["labels"].items() for other in of_kind(objects, "Pod"))
    headless = [s["metadata"]["name"] for s in of_kind(objects, "Service") if s["spec"].get("clusterIP") == "None"]
    assert headless == [stateful["spec"]["serviceName"]]


@each
def test_what_is_mounted_is_there(objects):
    stateful = one(objects, "StatefulSet")["spec"]
    volumes = [volume["name"] for volume in stateful["template"]["spec"]["volumes"]]
    volumes += [claim["metadata"]["name"] for claim in stateful.get("volumeClaimTemplates", [])]
    mounts = {mount["name"]: mount["mountPath"] for mount in container(objects)["volumeMounts"]}
    assert sorted(volumes) == sorted(mounts)
    environ = {variable["name"]: variable.get("value") for variable in container(objects)["env"]}
    assert mounts["data"] == environ["SPANLOOM_DATA_DIR"]
    arguments = container(objects)["args"]
    assert arguments[:3] == ["run", "-c", f"{mounts['config']}/config.yaml"]


@each
def test_the_pod_gets_the_time_the_collector_takes_to_stop(objects, tmp_path):
    timeout = collector_config(objects, tmp_path).service.shutdown_timeout
    grace = next(pod_specs(objects))["terminationGracePeriodSeconds"]
    assert grace >= timeout.total_seconds() + 10


@pytest.mark.parametrize(
    ("timeout", "grace"), [("0s", 30), ("500ms", 31), ("45s", 75), ("1m30s", 120), ("1h", 3630), ("1.5m", 120)]
)
def test_the_grace_period_follows_the_shutdown_timeout(with_values, timeout, grace):
    parse_duration(timeout)  # one the collector reads
    objects = with_values(f"config: {{service: {{shutdown_timeout: {timeout}}}}}")
    assert next(pod_specs(objects))["terminationGracePeriodSeconds"] == grace


def test_the_claim_carries_no_version_that_an_upgrade_would_change(rendered):
    (claim,) = one(yamls(rendered(None)), "StatefulSet")["spec"]["volumeClaimTemplates"]
    assert set(claim["metadata"]["labels"]) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}


def test_a_changed_configuration_restarts_the_pod_and_an_unchanged_one_does_not(with_values):
    def pod(text: str) -> Object:
        return one(with_values(text), "StatefulSet")["spec"]["template"]

    same = pod("{}")
    assert pod("serviceMonitor: {interval: 1m}") == same
    assert pod("config: {exporters: {duckdb: {retention: 30d}}}") != same


@pytest.mark.parametrize(("given", "expected"), [("''", None), ("fast", "fast"), ("'-'", "")])
def test_storage_class(with_values, given, expected):
    objects = with_values(f"persistence: {{storageClass: {given}}}")
    (claim,) = one(objects, "StatefulSet")["spec"]["volumeClaimTemplates"]
    assert claim["spec"].get("storageClassName") == expected


def test_large_numbers_and_references_reach_the_collector_unchanged(with_values, tmp_path):
    text = """
    config:
      exporters:
        otlp_http/a:
          endpoint: https://a.example.com
          headers: {X-Key: "${env:BACKEND_TOKEN}"}
          max_request_bytes: 123456789
        duckdb: null
        parquet: null
      service:
        pipelines:
          traces: {processors: [pii], exporters: [otlp_http/a]}
          logs: null
          metrics: null
    """
    objects = with_values(text)
    written = yaml(one(objects, "ConfigMap")["data"]["config.yaml"])["exporters"]["otlp_http/a"]
    assert written["headers"] == {"X-Key": "${env:BACKEND_TOKEN}"}
    (exporter,) = collector_config(objects, tmp_path).exporters.values()
    assert exporter.config.max_request_bytes == 123_456_789
    assert "hunter2" not in json.dumps(objects)


# Security


@each
def test_pods_keep_to_the_restricted_standard(objects):
    for spec in pod_specs(objects):
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        for volume in spec.get("volumes", []):
            assert volume.keys() - {"name"} <= {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}
        for part in spec["containers"]:
            assert part["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert not any("hostPort" in port for port in part.get("ports", []))
            assert part["resources"]["limits"]["memory"]
    for account in of_kind(objects, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_the_user_is_the_one_of_the_image(rendered):
    from tests.deploy import dockerfile

    context = next(pod_specs(yamls(rendered(None))))["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == dockerfile.values("USER")[-1]


def test_the_admin_port_is_closed_unless_somebody_is_named(rendered):
    policy = one(yamls(rendered(None)), "NetworkPolicy")["spec"]
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == {"otlp-grpc", "otlp-http"}
    policy = one(yamls(rendered(CHART / "ci" / "everything-values.yaml")), "NetworkPolicy")["spec"]
    assert all(rule["from"] for rule in policy["ingress"])
    (admin,) = (rule for rule in policy["ingress"] if rule["ports"][0]["port"] == "admin")
    assert admin["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


# For people


def notes(helm: str, folder: Path, *arguments: str | Path) -> str:
    """What is shown after an installation; ``helm template`` itself leaves it out."""
    chart = folder / "chart"
    shutil.copytree(CHART, chart)
    shown = '{{ dict "notes" (include (print $.Template.BasePath "/NOTES.txt") .) | toYaml }}'
    (chart / "templates" / "shown.yaml").write_text(shown, encoding="utf-8")
    (text,) = yamls(done(*template(helm, "-s", "templates/shown.yaml", *arguments, chart=chart)))
    return text["notes"]


def test_the_notes_point_an_application_at_the_service(helm, tmp_path):
    text = notes(helm, tmp_path)
    assert '{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "http://rel-spanloom.obs:4318"}' in text
    assert "WARNING" not in text
    variables = yaml("\n".join(line for line in text.splitlines() if line.startswith("  - {")))
    assert {variable["name"] for variable in variables} >= {
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
    }


def test_the_notes_warn_about_what_may_be_lost_or_read(helm, tmp_path):
    text = notes(helm, tmp_path, "-f", CHART / "ci" / "ephemeral-values.yaml")
    assert '"http://llm-traces.obs:4317"' in text
    assert text.count("WARNING") == 2


def described(schema: Object, values: Any, path: str = "") -> Iterator[str]:
    """Keys of the values that the schema does not know by name."""
    for key, value in values.items():
        known = schema.get("properties", {})
        if key not in known:
            yield f"{path}{key}"
        elif isinstance(value, dict) and known[key].get("additionalProperties") is False and path + key != "config":
            yield from described(known[key], value, f"{path}{key}.")


def test_the_schema_and_the_readme_know_every_value():
    values = yaml((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert list(described(schema, values)) == []
    assert schema["properties"].keys() - values.keys() == {"global"}
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    assert [key for key in values if f"`{key}" not in readme] == []


def test_the_chart_is_of_the_same_version_as_the_collector():
    from collector.version import VERSION

    chart = yaml((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["appVersion"] == VERSION
