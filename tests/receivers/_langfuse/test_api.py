"""Langfuse's clients at the OTLP/HTTP port: what they send is taken, or declined in the form they understand.

Proves answers to requests written by hand. Does not prove that SDKs are content with them: ``e2e/test_langfuse`` runs
some.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.errors import RetryableError
from collector.model.batch import Signal
from collector.model.codec.chosen import encode
from collector.model.scores import record as scores
from collector.receivers._langfuse.auth import Gate
from collector.receivers._otlp.receiver_config import LangfuseConfig
from collector.receivers._shared.arriving import Refused
from collector.serving.access import is_loopback_host
from collector.testing.builders import spans

TRACE = "58cbf36de9bd5e900172d7607ac67924"
SPAN = "620a9a33bc5aeb49"
SCORE = {"id": "s1", "traceId": TRACE, "observationId": SPAN, "name": "quality", "value": 0.9, "comment": "nice"}
KEYS = [{"public_key": "pk-lf-1", "secret_key": "sk-lf-1"}, {"public_key": "pk-lf-2", "secret_key": "sk-lf-2"}]
ANY = ("pk-lf-x", "sk-lf-x")


@asynccontextmanager
async def client(running: Any, auth: tuple[str, str] | None = ANY, **options: Any) -> AsyncIterator[tuple[Any, Any]]:
    """(receiver, client at its port)."""
    async with running(**options) as receiver, httpx.AsyncClient(base_url=f"http://{receiver.http}", auth=auth) as http:
        yield receiver, http


def records(receiver: Any) -> list[LogRecord]:
    """The log records the pipelines were given."""
    bodies = [body for signal, body in receiver.consumer.bodies if signal is Signal.LOGS]
    requests = [ExportLogsServiceRequest.FromString(body) for body in bodies]
    return [r for request in requests for rl in request.resource_logs for sl in rl.scope_logs for r in sl.log_records]


def attributes(record: LogRecord) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in record.attributes}


@pytest.mark.parametrize("content_encoding", [None, "gzip"])
async def test_spans_go_the_way_of_otlp(running: Any, content_encoding: str | None) -> None:
    body = encode(spans([{"span_name": "chat"}]))
    headers = {"content-type": "application/x-protobuf", "x-langfuse-ingestion-version": "4"}
    sent = body
    if content_encoding:
        headers["content-encoding"], sent = content_encoding, gzip.compress(body)
    async with client(running) as (receiver, http):
        answer = await http.post("/api/public/otel/v1/traces", content=sent, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
        assert receiver.consumer.bodies == [(Signal.TRACES, body)]


async def test_spans_as_json_are_answered_in_json(running: Any) -> None:
    async with client(running) as (receiver, http):
        answer = await http.post("/api/public/otel/v1/traces", json={"resourceSpans": []})
        assert (answer.status_code, answer.json()) == (200, {})
        broken = await http.post("/api/public/otel/v1/traces", json={"resourceSpans": [{"scopeSpans": 3}]})
        assert (broken.status_code, broken.json()["code"]) == (400, 3)
        assert len(receiver.consumer.bodies) == 1


async def test_a_score_is_a_log_record_of_its_trace(running: Any) -> None:
    body = SCORE | {"timestamp": "2026-11-20T23:29:47.568Z", "environment": "staging", "metadata": {"by": ["me"]}}
    async with client(running) as (receiver, http):
        answer = await http.post("/api/public/scores", json=body)
        assert (answer.status_code, answer.json()) == (200, {"id": "s1"})
        (record,) = records(receiver)
    assert (record.trace_id.hex(), record.span_id.hex(), record.event_name) == (TRACE, SPAN, scores.EVENT_NAME)
    assert record.time_unix_nano == 1_795_217_387_568_000_000
    assert attributes(record) == {
        scores.NAME: "quality", scores.VALUE: 0.9, scores.ID: "s1", scores.DATA_TYPE: "NUMERIC", scores.SOURCE: "API",
        scores.COMMENT: "nice", scores.ENVIRONMENT: "staging", scores.METADATA: '{"by": ["me"]}',
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"value": "good"}, {scores.LABEL: "good", scores.DATA_TYPE: "CATEGORICAL"}),
        ({"value": 1, "dataType": "BOOLEAN"}, {scores.VALUE: 1.0, scores.DATA_TYPE: "BOOLEAN"}),
        ({"value": True, "dataType": "BOOLEAN"}, {scores.VALUE: 1.0, scores.DATA_TYPE: "BOOLEAN"}),
        ({"value": "why", "dataType": "TEXT"}, {scores.LABEL: "why", scores.DATA_TYPE: "TEXT"}),
        ({"value": "so", "dataType": "CORRECTION", "name": None}, {scores.NAME: "output", scores.LABEL: "so"}),
        ({"value": 3}, {scores.VALUE: 3.0}),
        (
            {"source": "ANNOTATION", "queueId": "q", "configId": "c"},
            {scores.SOURCE: "ANNOTATION", scores.QUEUE_ID: "q"},
        ),
        ({"name": "\ud800x"}, {scores.NAME: "\ufffdx"}),
        ({"comment": "x" * 100_000}, {scores.COMMENT: "x" * 100_000}),
    ],
)
async def test_kinds_of_scores(running: Any, change: dict[str, Any], expected: dict[str, Any]) -> None:
    async with client(running) as (receiver, http):
        content = json.dumps(SCORE | change)
        answer = await http.post("/api/public/scores", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 200, answer.text
        (record,) = records(receiver)
        assert expected.items() <= attributes(record).items()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, "name: is required"),
        ({"name": 3}, "name: must be a text"),
        ({"value": None}, "value: is required"),
        ({"value": [1]}, "value: of a NUMERIC it is a number"),
        ({"value": "x", "dataType": "NUMERIC"}, "value: of a NUMERIC it is a number"),
        ({"value": 2, "dataType": "BOOLEAN"}, "value: of a BOOLEAN it is 0 or 1"),
        ({"value": 2, "dataType": "CATEGORICAL"}, "value: of a CATEGORICAL it is a text"),
        ({"value": "x" * 501, "dataType": "TEXT"}, "value: of a TEXT it has 1 to 500 characters"),
        ({"value": float("nan")}, "value: must be finite"),
        ({"value": 10**400}, "value: must be finite"),
        ({"dataType": "FLOAT"}, "dataType: expected one of NUMERIC"),
        ({"traceId": None}, "observationId: needs traceId"),
        ({"traceId": None, "observationId": None}, "traceId: one of"),
        ({"traceId": "x" * 801}, "traceId: longer than 800 characters"),
        ({"timestamp": "yesterday"}, "timestamp: is no ISO 8601 time"),
        ({"timestamp": "9999-12-31T23:59:59Z"}, "timestamp: is no ISO 8601 time"),
        ({"source": "MINE"}, "source: expected one of"),
        ({"dataType": "CORRECTION", "value": "x"}, "name: of a CORRECTION it is 'output'"),
    ],
)
async def test_a_wrong_score_is_refused_and_told_why(running: Any, change: dict[str, Any], message: str) -> None:
    async with client(running) as (receiver, http):
        content = json.dumps(SCORE | change)
        answer = await http.post("/api/public/scores", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 400
        assert answer.json()["error"] == "InvalidRequestError"
        assert answer.json()["message"].startswith(message)
        assert not receiver.consumer.bodies


@pytest.mark.parametrize("key", ["id", "name", "traceId", "observationId", "sessionId", "comment"])
async def test_half_of_a_surrogate_pair_costs_its_character_only(running: Any, key: str) -> None:
    async with client(running) as (receiver, http):
        content = json.dumps([SCORE | {key: "half \ud800"}, SCORE])
        answer = await http.post("/api/public/scores", content=content, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()) == (202, {"message": "Accepted"})
        first, second = records(receiver)
        assert "half \ufffd" in attributes(first).values()
        assert attributes(second)["gen_ai.evaluation.name"] == SCORE["name"]


async def test_an_array_takes_what_is_right_and_names_what_is_not(running: Any) -> None:
    async with client(running) as (receiver, http):
        all_good = await http.post("/api/public/scores", json=[SCORE, SCORE | {"id": "s2", "value": 1}])
        assert (all_good.status_code, all_good.json()) == (202, {"message": "Accepted"})
        mixed = await http.post("/api/public/scores", json=[SCORE, SCORE | {"value": None}, 7])
        assert mixed.status_code == 207
        assert mixed.json() == {
            "accepted": 1,
            "rejected": 2,
            "errors": [{"message": "[1].value: is required"}, {"message": "[2].a score is an object"}],
        }
        assert [attributes(record)[scores.ID] for record in records(receiver)] == ["s1", "s2", "s1"]
        assert len(receiver.consumer.bodies) == 2


async def test_an_ingestion_batch_takes_scores_alone_and_answers_for_each_event(running: Any) -> None:
    def event(id_: str, kind: str, body: Any) -> dict[str, Any]:
        return {"id": id_, "type": kind, "timestamp": "2026-11-20T23:24:23.122Z", "body": body}

    batch = [
        event("e1", "score-create", SCORE),
        event("e2", "sdk-log", {"log": "x"}),
        event("e3", "trace-create", {"id": TRACE}),
        event("e4", "score-create", {"name": "x"}),
        "odd",
    ]
    async with client(running) as (receiver, http):
        answer = await http.post("/api/public/ingestion", json={"batch": batch, "metadata": {}})
        assert answer.status_code == 207
        said = answer.json()
        assert said["successes"] == [{"id": "e1", "status": 201}, {"id": "e2", "status": 201}]
        assert [(error["id"], error["status"]) for error in said["errors"]] == [("e3", 400), ("e4", 400), ("", 400)]
        assert "over OTLP" in said["errors"][0]["message"]
        (record,) = records(receiver)
        assert record.time_unix_nano == 1_795_217_063_122_000_000
        skipped = receiver.telemetry.registry.get_sample_value
        assert skipped("spanloom_langfuse_skipped_items_total", {"kind": "sdk_log"}) == 1
        assert skipped("spanloom_langfuse_skipped_items_total", {"kind": "event"}) == 1
        broken = await http.post("/api/public/ingestion", json={"batch": {}})
        assert (broken.status_code, broken.json()["message"]) == (400, "batch: must be a list of events")


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        (TRACE.upper(), TRACE),
        ("58cbf36d-e9bd-5e90-0172-d7607ac67924", TRACE),
        ("my trace", hashlib.sha256(b"my trace").hexdigest()[:32]),
        ("0" * 32, hashlib.sha256(b"0" * 32).hexdigest()[:32]),
    ],
)
async def test_ids_of_other_forms_become_those_the_sdks_make_of_them(running: Any, trace: str, expected: str) -> None:
    async with client(running) as (receiver, http):
        await http.post("/api/public/scores", json=SCORE | {"traceId": trace, "observationId": "step 1"})
        (record,) = records(receiver)
    assert record.trace_id.hex() == expected
    assert record.span_id == hashlib.sha256(b"step 1").digest()[:8]
    assert attributes(record)["langfuse.observation_id"] == "step 1"


async def test_a_full_service_says_later_and_never_blames_an_event(running: Any) -> None:
    async with client(running) as (receiver, http):
        receiver.consumer.error = RetryableError("the journal is full", retry_after=7)
        for path, body in [("scores", SCORE), ("scores", [SCORE]), ("ingestion", {"batch": [_event(SCORE)]})]:
            answer = await http.post(f"/api/public/{path}", json=body)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


def _event(score: dict[str, Any]) -> dict[str, Any]:
    return {"id": "e", "type": "score-create", "timestamp": "2026-11-20T23:24:23Z", "body": score}


async def test_without_a_logs_pipeline_scores_are_refused_with_the_reason(running: Any) -> None:
    async with client(running, signals=frozenset({Signal.TRACES})) as (_, http):
        answer = await http.post("/api/public/scores", json=SCORE)
        assert (answer.status_code, "no pipeline takes logs" in answer.json()["message"]) == (400, True)


async def test_what_clients_ask_on_the_way(running: Any) -> None:
    async with client(running) as (_, http):
        health = await http.get("/api/public/health", auth=None)
        assert (health.status_code, health.json()["status"]) == (200, "OK")
        projects = (await http.get("/api/public/projects")).json()["data"]
        assert [project["id"] for project in projects] == ["spanloom"]
        assert set(projects[0]) == {"id", "name", "organization", "metadata"}
        metrics = await http.post("/api/public/otel/v1/metrics", content=b"\0\1")
        assert metrics.status_code == 200
        link = await http.get(f"/project/spanloom/traces/{TRACE}")
        assert TRACE in link.text


async def test_media_is_declined_so_that_the_sdks_go_on(running: Any) -> None:
    digest = base64.b64encode(hashlib.sha256(b"picture>?").digest()).decode()
    async with client(running) as (receiver, http):
        answer = await http.post("/api/public/media", json={"traceId": TRACE, "sha256Hash": digest})
        expected = base64.urlsafe_b64encode(hashlib.sha256(b"picture>?").digest()).decode()[:22]
        assert (answer.status_code, answer.json()) == (201, {"mediaId": expected, "uploadUrl": None})
        done = await http.patch(f"/api/public/media/{expected}", json={"uploadHttpStatus": 200})
        assert done.status_code == 200
        for wrong in ("?", "ü" * 44):
            assert (await http.post("/api/public/media", json={"sha256Hash": wrong})).status_code == 400
        assert not receiver.consumer.bodies


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/public/v2/prompts/greet", 404),
        ("POST", "/api/public/v2/datasets", 404),
        ("GET", "/api/public/traces", 404),
        ("GET", "/api/public/media/abc", 405),
        ("GET", "/api/public/scores", 405),
        ("DELETE", "/api/public/ingestion", 405),
        ("GET", "/api/public/", 404),
    ],
)
async def test_everything_else_is_refused_at_once(running: Any, method: str, path: str, status: int) -> None:
    async with client(running) as (_, http):
        answer = await http.request(method, path)
        assert answer.status_code == status
        assert set(answer.json()) == {"message", "error"}


@pytest.mark.parametrize("header", [None, "Basic x", "Basic " + base64.b64encode(b"only").decode(), "Digest x"])
async def test_on_loopback_any_pair_is_taken_but_none_is_not(running: Any, header: str | None) -> None:
    async with client(running, auth=None) as (receiver, http):
        headers = {"authorization": header} if header else {}
        for path in ("scores", "otel/v1/traces"):
            answer = await http.post(f"/api/public/{path}", json=SCORE, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (401, "UnauthorizedError")
        assert not receiver.consumer.bodies


async def test_configured_pairs_are_the_only_ones(running: Any) -> None:
    async with client(running, http={"langfuse": {"keys": KEYS}}) as (_, http):
        for auth, status in [(("pk-lf-1", "sk-lf-1"), 200), (("pk-lf-2", "sk-lf-1"), 401), (ANY, 401)]:
            assert (await http.post("/api/public/scores", json=SCORE, auth=auth)).status_code == status
        (project,) = (await http.get("/api/public/projects", auth=("pk-lf-2", "sk-lf-2"))).json()["data"]
        assert project["id"] == "pk-lf-2"


async def test_a_public_key_alone_may_only_create_scores(running: Any) -> None:
    async with client(running, auth=None, http={"langfuse": {"keys": KEYS}}) as (receiver, http):
        bearer = {"authorization": "Bearer pk-lf-1"}
        assert (await http.post("/api/public/scores", json=SCORE, headers=bearer)).status_code == 200
        for path in ("otel/v1/traces", "media"):
            assert (await http.post(f"/api/public/{path}", json={}, headers=bearer)).status_code in {403, 404}
        unknown = {"authorization": "Bearer pk-lf-9"}
        assert (await http.post("/api/public/scores", json=SCORE, headers=unknown)).status_code == 401
        assert len(receiver.consumer.bodies) == 1


async def test_a_page_elsewhere_cannot_reach_a_laptop_through_its_name(running: Any) -> None:
    async with client(running) as (_, http):
        answer = await http.post("/api/public/scores", json=SCORE, headers={"host": "evil.example"})
        assert answer.status_code == 421
        assert (await http.get("/api/public/health", headers={"host": "localhost:4318"})).status_code == 200


def test_off_loopback_nobody_comes_in_without_configured_keys() -> None:
    basic = b"Basic " + base64.b64encode(":".join(ANY).encode())
    scope = {"headers": [(b"host", b"spanloom.monitoring:4318"), (b"authorization", basic)]}
    gate = Gate(LangfuseConfig(), "0.0.0.0:4318")
    assert gate.is_closed
    with pytest.raises(Refused) as refused:
        gate.admit(scope, "/scores")
    assert (refused.value.answer.http_status, "langfuse.keys" in refused.value.answer.message) == (401, True)
    assert gate.admit(scope, "/health").project == "spanloom"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True), ("LOCALHOST:1", True), ("127.0.0.1:4318", True), ("127.9.9.9", True), ("[::1]:4318", True),
        ("::1", True), ("", False), ("evil.example", False), ("localhost.evil.example", False), ("0.0.0.0", False),
        ("[", False), ("10.0.0.1:4318", False),
    ],
)  # fmt: skip
def test_which_hosts_are_this_machine(host: str, local: bool) -> None:
    assert is_loopback_host(host) is local


async def test_it_can_be_switched_off(running: Any) -> None:
    async with client(running, http={"langfuse": {"enabled": False}}) as (_, http):
        assert (await http.get("/api/public/health")).status_code == 404


async def test_large_and_broken_bodies(running: Any) -> None:
    async with client(running, http={"max_request_body_size": 50_000}) as (receiver, http):
        headers = {"content-type": "application/json"}
        large = await http.post("/api/public/scores", content=b"[" + b" " * 60_000 + b"]", headers=headers)
        assert large.status_code == 413
        bomb = gzip.compress(b" " * 10_000_000)
        inflated = await http.post("/api/public/scores", content=bomb, headers={**headers, "content-encoding": "gzip"})
        assert inflated.status_code == 413
        for content in (b"{", b"\xff", b"", b"[" * 40_000):
            assert (await http.post("/api/public/scores", content=content, headers=headers)).status_code == 400
        thread = await http.post("/api/public/scores", content=json.dumps([SCORE] * 250).encode(), headers=headers)
        assert thread.status_code == 202
        assert len(records(receiver)) == 250
