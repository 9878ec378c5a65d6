"""No web page and no foreign host name reaches a path of the OTLP receiver; programs do.

Proves it with the headers that browsers and SDKs send, over real connections. Does not prove what a real browser sends.
"""

import asyncio

import httpx
import pytest

from collector.serving.access import Access, Guard

BASIC = {"authorization": "Basic cGs6c2s="}
SCORE = {"name": "quality", "value": 1, "traceId": "0" * 31 + "1"}
PATHS = ["/v1/traces", "/v1/logs", "/v1/metrics", "/api/public/scores", "/api/public/health", "/nowhere"]
PAGES = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:3000"},
    {"origin": "https://app.example.com.evil.example"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"},
]


async def post(running, path, headers, **kwargs):
    if "json" not in kwargs and "content" not in kwargs:
        headers = {"content-type": "application/x-protobuf"} | headers
    async with httpx.AsyncClient() as client:
        return await client.post(f"http://{running.http}{path}", headers=headers, **kwargs)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:4318", "localhost.evil.example", "169.254.169.254"])
async def test_a_loopback_address_answers_to_no_foreign_host(running, path, host):
    async with running() as r:
        response = await post(r, path, {"host": host} | BASIC)
        assert response.status_code == 421
        assert "protocols.http.allowed_hosts" in response.json()["message"]
        assert r.consumer.bodies == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", PAGES)
async def test_web_pages_reach_no_path(running, path, headers):
    async with running(http={"cors": {"allowed_origins": ["https://app.example.com"]}}) as r:
        response = await post(r, path, headers | BASIC)
        assert response.status_code == 403
        assert "cors.allowed_origins" in response.json()["message"]
        assert r.consumer.bodies == []


@pytest.mark.parametrize("endpoint", ["127.0.0.1:0", "0.0.0.0:0"])
async def test_allowed_pages_send_spans_and_scores(running, endpoint):
    cors = {"allowed_origins": ["https://*.example.com"], "allowed_headers": ["authorization"]}
    keys = {"keys": [{"public_key": "pk", "secret_key": "sk"}]}
    async with running(http={"endpoint": endpoint, "cors": cors, "langfuse": keys}) as r:
        page = {"origin": "https://app.example.com", "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
        assert (await post(r, "/v1/traces", page)).status_code == 200
        response = await post(r, "/api/public/scores", page | BASIC, json=SCORE)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == page["origin"]
        assert (
            await post(r, "/api/public/scores", {"origin": "https://evil.com"} | BASIC, json=SCORE)
        ).status_code == 403


@pytest.mark.parametrize(
    "headers", [{}, {"host": "localhost"}, {"host": "[::1]:4318"}, {"host": "host.docker.internal"}]
)
async def test_programs_send_on_loopback(running, headers):
    async with running() as r:
        assert (await post(r, "/v1/traces", headers)).status_code == 200


async def test_further_hosts_may_be_allowed(running):
    async with running(http={"allowed_hosts": ["*.lan"]}) as r:
        assert (await post(r, "/v1/traces", {"host": "Box.lan:4318"})).status_code == 200
        assert (await post(r, "/v1/traces", {"host": "host.docker.internal"})).status_code == 421


@pytest.mark.parametrize("host", ["spanloom", "spanloom.monitoring.svc:4318", "10.0.0.7:4318", "collector.example.com"])
async def test_beyond_loopback_any_host_is_taken(running, host):
    async with running(http={"endpoint": "0.0.0.0:0"}) as r:
        assert (await post(r, "/v1/traces", {"host": host})).status_code == 200
        # A page that calls itself by the same name has proved nothing.
        assert (await post(r, "/v1/traces", {"host": host, "origin": f"http://{host}"})).status_code == 403


@pytest.mark.parametrize(
    "framing", [b"content-length: 3\r\n\r\nabc", b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("between", ["together", "apart"])
async def test_each_request_of_a_connection_is_asked(running, framing, between):
    head = b"POST /v1/traces HTTP/1.1\r\ncontent-type: application/x-protobuf\r\n"
    requests = [head + b"host: localhost\r\n" + framing, head + b"host: evil\r\n" + framing]
    async with running() as r:
        reader, writer = await r.connect()
        if between == "together":
            writer.write(b"".join(requests))
            received = await asyncio.wait_for(reader.read(), 20)
        else:
            writer.write(requests[0])
            received = await reader.readuntil(b"\r\n\r\n")
            writer.write(requests[1])
            received += await asyncio.wait_for(reader.read(), 20)
        assert [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]] == [b"200", b"421"]
        assert len(r.consumer.bodies) == 1
        writer.close()


async def _answer(access, method="GET", *, on_loopback=True, headers=()):
    sent = []

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200})

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    encoded = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "method": method, "path": "/", "headers": encoded}
    await Guard(app, access, on_loopback=on_loopback)(scope, receive, send)
    return sent[0]["status"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("host", "localhost"), ("host", "evil")], 421),
        ([("host", "localhost:1"), ("origin", "http://localhost:1")], 200),
        ([("host", "localhost:1"), ("origin", "http://localhost:1"), ("origin", "http://evil")], 403),
        ([("host", "localhost:1"), ("origin", "http://localhost:1"), ("sec-fetch-site", "cross-site")], 403),
        ([("host", "a@localhost")], 200),
        ([("host", "localhost@evil")], 421),
        ([("host", "[::1")], 421),
        ([("host", "")], 421),
        ([("host", "x"), ("sec-fetch-site", "cross-site")], 421),
        ([("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], 200),
        ([("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], 403),
        ([("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")], 403),
    ],
)
async def test_what_a_browser_says_decides(headers, status):
    assert await _answer(Access(), headers=headers) == status


async def test_a_form_that_navigates_may_not_post():
    headers = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]
    assert await _answer(Access(), "POST", headers=headers) == 403
