"""The admin app: health, metrics, and SQL that no web page can reach.

Proves each answer of the admin app, called in process, with a health and a query that the tests make up. Does not
prove that a service fills them in rightly, nor what a real browser sends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from typing import Any

import httpx
import pyarrow as pa
import pytest

from collector.api.app import MAX_BODY_BYTES, MAX_ROWS, admin_access, create_app
from collector.errors import PermanentError, RetryableError
from collector.serving.access import Guard
from collector.telemetry import Telemetry


class Switches:
    """Health that can be switched."""

    def __init__(self) -> None:
        self.reason = ""

    def live(self) -> tuple[bool, str]:
        return True, ""

    def ready(self) -> tuple[bool, str]:
        return not self.reason, self.reason

    started = ready


TABLE = pa.table(
    {
        "model": pa.array(["gpt-5", None, "gpt-5"]),
        "cost": pa.array([Decimal("0.1"), None, Decimal(2)], pa.decimal128(18, 12)),
        "nanos": pa.array([2**60, 1, 2], pa.int64()),
    }
)


def answer(sql: str, limit: int) -> pa.Table:
    match sql:
        case "bad":
            raise PermanentError("Parser Error: at bad")
        case "later":
            raise RetryableError("the store is starting")
        case "bug":
            raise ZeroDivisionError("secret detail")
    return TABLE.slice(0, limit)


Client = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    opened: list[httpx.AsyncClient] = []

    def open_(
        *,
        health: Switches | None = None,
        query: Any = answer,
        host: str = "127.0.0.1:4330",
        allowed_hosts: Sequence[str] = (),
        on_loopback: bool = False,
    ) -> Any:
        app = create_app(telemetry=Telemetry(), health=health or Switches(), query=query, version="1")
        guarded = Guard(app, admin_access(allowed_hosts), on_loopback=on_loopback)
        # As a server does: the client gets the 500, not the exception.
        transport = httpx.ASGITransport(guarded, raise_app_exceptions=False)
        opened.append(httpx.AsyncClient(transport=transport, base_url=f"http://{host}"))
        return opened[-1]

    yield open_
    for one in opened:
        await one.aclose()


async def test_health_says_why_not(client: Client) -> None:
    health = Switches()
    http = client(health=health)
    assert (await http.get("/readyz")).json() == {"status": "ok"}
    health.reason = "the journal is full"
    response = await http.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "unavailable", "reason": "the journal is full"})
    assert (await http.get("/startupz")).status_code == 503
    assert (await http.get("/livez")).status_code == 200
    assert (await http.head("/livez")).status_code == 200


async def test_probes_and_scrapers_may_use_any_host_name(client: Client) -> None:
    http = client(host="10.0.0.7:4330")
    assert (await http.get("/readyz")).status_code == 200
    response = await http.get("/metrics")
    assert "spanloom_receiver_budget_used_bytes" in response.text
    assert response.headers["content-type"].startswith("text/plain")
    openmetrics = await http.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")


async def test_rows_are_exact(client: Client) -> None:
    response = await client().post("/api/v1/query", json={"sql": "x", "limit": 2})
    assert response.json() == {
        "columns": [
            {"name": "model", "type": "string"},
            {"name": "cost", "type": "decimal128(18, 12)"},
            {"name": "nanos", "type": "int64"},
        ],
        "rows": [["gpt-5", "0.100000000000", str(2**60)], [None, None, 1]],
        "truncated": True,
    }
    assert (await client().post("/api/v1/query", json={"sql": "x", "limit": 3})).json()["truncated"] is False


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"sql": "bad"}, 400, "Parser Error: at bad"),
        ({"sql": "later"}, 503, "the store is starting"),
        ({"sql": "bug"}, 500, "internal error"),
        ({"sql": ""}, 400, "sql: String should have at least 1 character"),
        ({"sql": "x", "limit": 0}, 400, "limit: Input should be greater than or equal to 1"),
        ({"sql": "x", "limit": MAX_ROWS + 1}, 400, "limit: Input should be less than or equal to 100000"),
        ({"sql": "x", "more": 1}, 400, "more: Extra inputs are not permitted"),
        ([], 400, None),
    ],
)
async def test_errors_are_json_and_show_no_insides(client: Client, body: Any, status: int, error: str | None) -> None:
    response = await client().post("/api/v1/query", json=body)
    assert response.status_code == status
    assert response.json()["error"] == error or error is None
    assert "secret detail" not in response.text


async def test_without_a_store_the_query_api_says_so(client: Client) -> None:
    response = await client(query=None).post("/api/v1/query", json={"sql": "x"})
    assert (response.status_code, "queried" in response.json()["error"]) == (404, True)


@pytest.mark.parametrize("host", ["localhost:4330", "127.0.0.1:4330", "[::1]:4330", "LOCALHOST:4330", "lake.internal"])
async def test_known_host_names_may_query(client: Client, host: str) -> None:
    http = client(host=host, allowed_hosts=["Lake.internal"])
    assert (await http.post("/api/v1/query", json={"sql": "x"})).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:4330", "10.0.0.7:4330", "localhost.evil"])
async def test_other_host_names_may_not(client: Client, host: str) -> None:
    response = await client(host=host).post("/api/v1/query", json={"sql": "x"})
    assert response.status_code == 421
    assert "service.admin.allowed_hosts" in response.json()["error"]


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/startupz", "/api/v1/query", "/other"])
async def test_on_loopback_nothing_answers_to_other_host_names(client: Client, path: str) -> None:
    http = client(host="evil.example:4330", on_loopback=True)
    assert (await http.get(path)).status_code == 421
    http = client(host="lake.internal", allowed_hosts=["lake.*"], on_loopback=True)
    assert (await http.get(path)).status_code != 421
    assert (await client(on_loopback=True).get(path)).status_code != 421


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/api/v1/query"])
@pytest.mark.parametrize("on_loopback", [True, False])
async def test_web_pages_reach_no_path(client: Client, path: str, on_loopback: bool) -> None:
    http = client(on_loopback=on_loopback)
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert (await http.get(path, headers=headers)).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_web_pages_from_elsewhere_may_not_query(client: Client, headers: dict[str, str]) -> None:
    response = await client().post("/api/v1/query", json={"sql": "x"}, headers=headers)
    assert response.status_code == 403


async def test_the_servers_own_page_may_query(client: Client) -> None:
    headers = {"origin": "http://127.0.0.1:4330", "sec-fetch-site": "same-origin"}
    assert (await client().post("/api/v1/query", json={"sql": "x"}, headers=headers)).status_code == 200


async def test_a_form_post_is_no_query(client: Client) -> None:
    response = await client().post("/api/v1/query", content=b'{"sql":"x"}', headers={"content-type": "text/plain"})
    assert response.status_code == 400


async def test_large_bodies_are_refused(client: Client) -> None:
    response = await client().post("/api/v1/query", json={"sql": "x" * MAX_BODY_BYTES})
    assert response.status_code == 413
