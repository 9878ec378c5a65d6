"""Both servers in turn."""

import pytest

from tests.exporters._otlp.otlp_kit import GrpcBackend, HttpBackend


@pytest.fixture(params=[HttpBackend, GrpcBackend])
def backend(request):
    with request.param() as running:
        yield running
