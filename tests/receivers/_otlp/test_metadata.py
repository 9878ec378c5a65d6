"""What pipelines may ask about a request's headers, whichever way it came.

Proves which headers are kept and under which names. Does not prove the conditions over them
(``connectors/test_routing``).
"""

from __future__ import annotations

from typing import Any

import grpc.aio
import httpx
import pytest

from collector.model.codec.chosen import encode
from collector.testing.builders import spans

SCORE = {"traceId": "58cbf36de9bd5e900172d7607ac67924", "name": "quality", "value": 1}
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/v1/traces", {"content": encode(spans([{}])), "headers": {"content-type": "application/x-protobuf"}}),
        ("/api/public/otel/v1/traces", {"content": b"{}", "headers": {"content-type": "application/json"}}),
        ("/api/public/scores", {"json": SCORE}),
        ("/api/public/scores", {"json": [SCORE]}),
        ("/api/public/ingestion", {"json": {"batch": [{"id": "1", "type": "score-create", "body": SCORE}]}}),
    ],
)
@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ([(b"X-Tenant", b"acme")], ["acme"]),
        ([(b"x-tenant", b"a"), (b"X-TENANT", "ä".encode()), (b"x-tenants", b"c")], ["a", "ä"]),
        ([(b"x-tenant", b"\xff")], ["\ufffd"]),
        ([], []),
    ],
)
async def test_http_headers(
    running: Any, path: str, content: dict[str, Any], sent: list[tuple[bytes, bytes]], told: list[str]
) -> None:
    headers = [*((k.encode(), v.encode()) for k, v in content.get("headers", {}).items()), *sent]
    async with running() as r, httpx.AsyncClient(base_url=f"http://{r.http}", auth=("pk-lf-x", "sk-lf-x")) as http:
        r.consumer.asks = "x-tenant"
        answer = await http.post(path, **{**content, "headers": headers})
    assert answer.is_success
    assert r.consumer.told == [told]


async def test_grpc_metadata(running: Any) -> None:
    async with running() as r, grpc.aio.insecure_channel(r.grpc) as channel:
        r.consumer.asks = "x-tenant"
        metadata = (("x-tenant", "a"), ("x-tenant", "b"), ("other", "c"))
        await channel.unary_unary(EXPORT)(encode(spans([{}])), metadata=metadata, timeout=30)
        r.consumer.asks = "x-bin"
        await channel.unary_unary(EXPORT)(encode(spans([{}])), metadata=(("x-bin", b"\xff"),), timeout=30)
    assert r.consumer.told == [["a", "b"], ["\ufffd"]]
