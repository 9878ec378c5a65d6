"""What the receiver's configuration takes and refuses.

Proves defaults, names and refusals. Does not prove that a server obeys them: the modules beside it do.
"""

import pytest
from pydantic import ValidationError

from collector.model.batch import Signal
from collector.receivers.otlp import Config


def _config(**protocols):
    return Config.model_validate({"protocols": protocols}).protocols


def test_an_empty_section_means_defaults_and_an_absent_one_off():
    config = _config(grpc=None)
    assert config.grpc.endpoint == "localhost:4317"
    assert config.grpc.limit_bytes == 64 << 20
    assert config.http is None


def test_the_collectors_keys_are_known():
    config = _config(
        grpc={
            "endpoint": "0.0.0.0:4317",
            "max_recv_msg_size_mib": 0,
            "max_concurrent_streams": 100,
            "keepalive": {
                "server_parameters": {"max_connection_idle": "11s", "max_connection_age": "12s", "time": "30s"},
                "enforcement_policy": {"min_time": "10s", "permit_without_stream": True},
            },
        },
        http={
            "endpoint": ":4318",
            "traces_url_path": "traces",
            "max_request_body_size": 0,
            "cors": {"allowed_origins": ["*"], "max_age": 7200},
            "read_header_timeout": "10s",
            "idle_timeout": "0s",
        },
    )
    assert config.grpc.limit_bytes == config.http.limit_bytes == 64 << 20
    assert config.http.paths[Signal.TRACES] == "/traces"
    assert config.http.limits.header_timeout == 10


@pytest.mark.parametrize(
    ("protocols", "text"),
    [
        ({}, "at least one protocol"),
        ({"http": {"endpoint": "4318"}}, "is not an address"),
        ({"http": {"traces_url_path": "/v1/logs"}}, "must differ"),
        ({"grpc": {"transport": "unix"}}, "tcp"),
        ({"grpc": {"tls": {}}}, "needs a certificate"),
        ({"grpc": {"tls": {"cert_file": "c.pem"}}}, "go together"),
        ({"grpc": {"tls": {"cert_file": "c.pem", "cert_pem": "x", "key_file": "k.pem"}}}, "not both"),
        ({"grpc": {"auth": {"authenticator": "x"}}}, "auth"),
    ],
)
def test_what_cannot_work_is_refused(protocols, text):
    with pytest.raises(ValidationError, match=text):
        _config(**protocols)
