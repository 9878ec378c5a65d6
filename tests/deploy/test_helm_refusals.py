"""The chart: what would die in the pod, or leak from it, is refused when it renders.

Proves the refusals by their words, and that what is like them and right renders. Does not prove that nothing else
could go wrong.
"""

from __future__ import annotations

import pytest

from tests.deploy.helm_kit import (
    one,
    template,
)
from tests.deploy.tools import call


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("replicaCount: 2", "replicaCount"),
        ("replicas: 1", "replicas"),
        ("image: {tga: x}", "tga"),
        ("config: {exporter: {}}", "exporter"),
        ("config: {service: {pipelines: null}}", "pipelines"),
        ("config: {service: {admin: {endpoint: 'localhost:4330'}}}", "config.service.admin.endpoint"),
        ("config: {receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:4317'}}}}}", "protocols.grpc.endpoint"),
        ("config: {receivers: {otlp: {protocols: {http: {endpoint: '[::1]:4318'}}}}}", "protocols.http.endpoint"),
        ("config: {receivers: {otlp: {protocols: {http: {endpoint: null}}}}}", "protocols.http.endpoint"),
        ("terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds"),
        ("config: {service: {shutdown_timeout: soon}}", "shutdown_timeout"),
        ("config: {service: {memory: {limit_mib: 2048}}}", "service.memory.limit_mib"),
        ("{serviceMonitor: {enabled: true}}", "networkPolicy.adminFrom"),
        ("persistence: {size: large}", "persistence"),
        ("resources: {limits: {memory: 200Mi}}", "resources.limits.memory (200Mi) is below resources.requests.memory"),
        ("resources: {limits: {cpu: 250m}}", "resources.limits.cpu (250m) is below resources.requests.cpu (500m)"),
        ("resources: {limits: {cpu: lots}}", 'cpu is "lots"'),
        (
            "config: {service: {pipelines: {traces: {exporters: [duckdb, kafka]}}}}",
            'config.service.pipelines.traces names "kafka", which config.exporters does not have',
        ),
        ("config: {service: {pipelines: {logs: {receivers: [otpl]}}}}", 'pipelines.logs names "otpl"'),
        ("config: {processors: {pii: null}}", 'names "pii", which config.processors does not have'),
        ("config: {service: {extensions: [health_check]}}", 'config.service.extensions names "health_check"'),
        ("config: {processors: {pii: {hash_key: abcdef}}}", "config.processors.pii.hash_key holds a credential"),
        (
            "config: {exporters: {otlp_http: {headers: {Authorization: Bearer abc}}}}",
            "config.exporters.otlp_http.headers.Authorization holds a credential",
        ),
        (
            "config: {receivers: {otlp: {protocols: {http: {langfuse: {keys: {pk-lf-1: sk-lf-1}}}}}}}",
            "http.langfuse.keys.pk-lf-1 holds a credential",
        ),
        (
            "config: {exporters: {otlp_http: {endpoint: 'https://me:hunter2@backend.example.com'}}}",
            "config.exporters.otlp_http.endpoint holds a password in a URL",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_its_name(helm, tmp_path, text, reason):
    path = tmp_path / "values.yaml"
    path.write_text(text, encoding="utf-8")
    result = call(*template(helm, "-f", path))
    assert result.returncode != 0
    assert reason in result.stderr


@pytest.mark.parametrize(
    "config",
    [
        "processors: {pii: {hash_key: '${env:PII_KEY}'}}",
        "exporters: {otlp_http: {headers: {authorization: 'Bearer ${env:TOKEN}', x-tenant: acme}}}",
        "exporters: {otlp_http: {endpoint: 'https://${env:USER}:${env:PASS}@backend.example.com'}}",
        "exporters: {otlp_http: {tls: {key_file: /tls/tls.key, ca_file: /tls/ca.crt}}}",
        "connectors: {routing: {}}\n  service: {pipelines: {traces: {exporters: [duckdb, routing]}}}",
    ],
)
def test_references_and_names_of_files_are_no_secrets(with_values, config):
    assert with_values(f"config:\n  {config}\n")


@pytest.mark.parametrize("limit", ["2Gi", "2048Mi", "2.2G", "2147483648", '"1.9Gi"'])
def test_a_memory_bound_within_the_limit_of_the_pod_is_accepted(with_values, limit):
    objects = with_values(
        f"{{config: {{service: {{memory: {{limit_mib: 1700}}}}}}, resources: {{limits: {{memory: {limit}}}}}}}"
    )
    assert "limit_mib: 1700" in one(objects, "ConfigMap")["data"]["config.yaml"]
