"""The environment block printed at the start points at an address clients can use, with the right scheme.

Proves the variables for each kind of receiver. Does not prove that a client that is given them arrives.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.cli.announce import env_block
from collector.config.load import load

CONFIG = """
receivers: {otlp: {protocols: {http: {endpoint: "localhost:0"@}}}, otlp/2: {protocols: {grpc: }}}
processors: {pii: }
exporters: {debug: }
service: {pipelines: {traces: {receivers: [otlp, otlp/2], processors: [pii], exporters: [debug]}}}
"""
TLS = ", tls: {cert_file: cert.pem, key_file: key.pem}"


@pytest.mark.parametrize(("tls", "endpoint"), [("", "http://127.0.0.1:1"), (TLS, "https://127.0.0.1:1")])
def test_the_scheme_is_that_of_the_receiver(tls: str, endpoint: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(CONFIG.replace("@", tls))
    config = load([file], environ={}, data_dir=tmp_path)
    addresses = {"admin": {"http": "127.0.0.1:9"}, "otlp/2": {"grpc": "127.0.0.1:2"}, "otlp": {"http": "127.0.0.1:1"}}
    assert env_block(config, addresses)["OTEL_EXPORTER_OTLP_ENDPOINT"] == endpoint
    only_grpc = env_block(config, {"otlp/2": {"grpc": "127.0.0.1:2"}})
    assert only_grpc["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:2"
    assert env_block(config, {"admin": {"http": "127.0.0.1:9"}}) == {}
