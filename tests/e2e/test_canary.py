"""What is planted in any carrier of any signal is nowhere on disk, in the log, or in a metric, in no form.

Proves it by bytes for all files, and by what they say for stores, log and metrics. Does not prove it for other forms
than those of ``pii_forms.py``, nor for memory dumps.
"""

from __future__ import annotations

import base64
import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from collector.model.codec.chosen import encode, encode_json
from collector.testing.builders import logs, metrics, resource, scope, spans
from tests.e2e.captures import grpc_sender
from tests.e2e.running import FAST, PORTS, Spanloom, wait_until
from tests.processors._pii.pii_forms import FORMS, PLANTED as WRITTEN, planted, read

EMAIL = "jane.canary@" + "example.org"
CARD = "4111" + "1111" * 3
KEY = "sk-" + "proj-" + "aB3dE5gH7j" * 4
PLANTED = (EMAIL, CARD, KEY)
SLOW = ("processors.tail_sampling.decision_wait=10m", "processors.tail_sampling.decision_wait_after_root_received=10m")


def carriers(value: str) -> dict[str, Any]:
    """A value in every way an attribute can hold it."""
    return {
        "plain": value,
        "text": f"before {value}, after",
        "json": json.dumps({"a": [value, {"b": f"x\n{value}"}]}),
        "json.twice": json.dumps({"a": json.dumps({"b": value})}),
        "array": [value, [value], {"k": value}],
        "kvlist": {"deep": [{"er": value}], value: value},
        "bytes": f"bytes {value}".encode(),
        f"key.{value}": 1,
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": value}]}]),
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": value,
        "gen_ai.response.id": value,
        "user.id": value,
        "session.id": f"s {value}",
        "langfuse.trace.tags": [value],
        "langfuse.observation.metadata.note": value,
    }


def planted_traces(number: int, value: str) -> Any:
    return spans(
        [
            {
                "trace_id": (number + 1).to_bytes(16, "big"),
                "span_name": f"call {value}",
                "status_message": f"failed for {value}",
                "trace_state": f"vendor={value}",
                "attributes": carriers(value),
                "events": [{"name": f"event {value}", "attributes": carriers(value)}],
                "links": [
                    {
                        "trace_id": b"1" * 16,
                        "span_id": b"2" * 8,
                        "trace_state": f"v={value}",
                        "attributes": carriers(value),
                    }
                ],
                "resource": resource({"service.name": value, **carriers(value)}, schema_url=f"https://x/{value}"),
                "scope": scope(f"scope {value}", value, carriers(value)),
            }
        ]
    )


def planted_logs(number: int, value: str) -> Any:
    bodies = [f"said {value}", json.dumps({"m": value}), {"m": [value]}, [value], value.encode()]
    rows = [
        {
            "trace_id": (number + 1).to_bytes(16, "big"),
            "event_name": "gen_ai.user.message",
            "severity_text": value,
            "body": body,
            "attributes": carriers(value),
            "resource": resource(carriers(value)),
            "scope": scope(value, value, carriers(value)),
        }
        for body in bodies
    ]
    return logs(rows)


def planted_metrics(value: str) -> Any:
    exemplar = {"time_unix_nano": 1, "value_int": 1, "trace_id": b"", "span_id": b"", "attributes": carriers(value)}
    return metrics(
        [
            {
                "name": f"m {value}",
                "description": f"for {value}",
                "unit": f"{{{value}}}",
                "metadata": carriers(value),
                "attributes": carriers(value),
                "value_int": 1,
                "exemplars": [exemplar],
                "resource": resource(carriers(value)),
            }
        ]
    )


def send_all(service: Spanloom) -> None:
    """Every carrier of every signal over every way in."""
    with grpc_sender(service.grpc) as over_grpc:
        for number, value in enumerate(PLANTED):
            batches = {
                "traces": planted_traces(number, value),
                "logs": planted_logs(number, value),
                "metrics": planted_metrics(value),
            }
            for signal, batch in batches.items():
                service.post(f"/v1/{signal}", encode(batch))
                service.post(f"/v1/{signal}", encode_json(batch), "application/json")
                over_grpc(signal, encode(batch))


def send_malformed(service: Spanloom) -> None:
    """What cannot be taken: the error, the log and the metrics must not quote it."""
    for value in PLANTED:
        spoilt = [
            ("/v1/traces", b"\xff\xff" + value.encode(), "application/x-protobuf"),
            ("/v1/traces", encode(planted_traces(9, value))[:-7], "application/x-protobuf"),
            ("/v1/logs", b'{"resourceLogs": [{"' + value.encode(), "application/json"),
            ("/v1/traces", json.dumps({"resourceSpans": [{"scopeSpans": value}]}).encode(), "application/json"),
            ("/v1/traces", _bad_id(value), "application/json"),
            ("/v1/metrics", json.dumps({value: value, "resourceMetrics": value}).encode(), "application/json"),
            ("/v1/traces", value.encode(), f"text/{value}"),
            (f"/v1/{value}?token={value}", b"", "application/json"),
            ("/v1/traces", b"\x1f\x8b" + value.encode(), "application/x-protobuf; gzip"),
        ]
        for path, body, content_type in spoilt:
            headers = {"content-type": content_type.partition(";")[0], "user-agent": value, "authorization": value}
            if "gzip" in content_type:
                headers["content-encoding"] = "gzip"
            request = urllib.request.Request(service.http + path, body, headers, method="POST")
            with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=30):
                pass


def _bad_id(value: str) -> bytes:
    span = {"traceId": value, "spanId": value, "name": value, "kind": value, "startTimeUnixNano": value}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def forms(value: str) -> Iterator[bytes]:
    """The value as it could stand in a file: plain, escaped, or in base64 at each alignment."""
    raw = value.encode()
    yield raw
    yield raw.replace(b"@", b"\\u0040")
    yield raw.hex().encode()
    for pad in range(3):
        yield base64.b64encode(b"\0" * pad + raw)[4 if pad else 0 : -4]


def leaks(where: dict[str, bytes], values: Iterable[str] = PLANTED) -> list[str]:
    wanted = [form for value in values for form in forms(value)]
    return [f"{name}: {form!r}" for name, data in where.items() for form in wanted if form in data]


def files(data_dir: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data_dir)): path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}


def tables(data_dir: Path) -> dict[str, bytes]:
    """What the compressed files say to who reads them."""
    said = {}
    with duckdb.connect(str(data_dir / "spanloom.duckdb"), read_only=True) as db:
        for (table,) in db.execute("select table_name from duckdb_tables()").fetchall():
            rows = db.execute(f'select * from "{table}"').fetchall()
            said[table] = repr(rows).encode()
    with duckdb.connect() as db:
        for file in (data_dir / "parquet").rglob("*.parquet"):
            rows = db.execute(f"from read_parquet('{file}')").fetchall()
            said[str(file)] = repr(rows).encode()
            said[f"{file} metadata"] = repr(db.execute(f"from parquet_metadata('{file}')").fetchall()).encode()
    return said


def spoken(service: Spanloom) -> dict[str, bytes]:
    return {"log": "".join(service.log).encode(), "metrics": service.get("/metrics").encode()}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" + EMAIL.encode())
    (tmp_path / "b").write_bytes(base64.b64encode(f"bytes {CARD}!".encode()))
    assert len({leak.partition(":")[0] for leak in leaks(files(tmp_path))}) == 2


def test_nothing_planted_is_on_disk_or_said_while_running_killed_or_at_rest(data_dir: Path) -> None:
    with Spanloom(data_dir, sets=(*PORTS, *SLOW)) as service:
        send_all(service)
        send_malformed(service)
        assert leaks(spoken(service)) == []
        assert leaks(files(data_dir)) == []
        service.kill()
    left = files(data_dir)
    assert sum(len(data) for name, data in left.items() if name.startswith("journal/w")) > 10_000
    assert leaks(left) == []
    with Spanloom(data_dir, sets=(*PORTS, *FAST)) as service:
        send_malformed(service)
        wait_until(lambda: service.query("select count(*) from observations") == [[len(PLANTED)]])
        assert leaks(spoken(service)) == []
        assert service.terminate() == 0
        assert leaks({"log": "".join(service.log).encode()}) == []
    said = tables(data_dir)
    assert leaks(files(data_dir)) == []
    assert leaks(said) == []
    everything = b"".join(said.values())
    for marker in (b"[EMAIL", b"[CREDIT_CARD", b"[API_KEY"):
        assert marker in everything


def _disguised() -> dict[str, str]:
    """What stands there → what it reads as. Entities take turns: each form is sent once."""
    written = {}
    for number, form in enumerate(FORMS):
        entities = [entity for entity in form.entities if entity != "secret"]
        entity = entities[number % len(entities)]
        written[planted(entity, form)] = WRITTEN[entity].value
    return written


DISGUISED = _disguised()


def readable(where: dict[str, bytes]) -> list[str]:
    """Names of what says a value to a reader who resolves every form."""
    said = {name: read(data.decode("utf-8", "replace")) for name, data in where.items()}
    return [f"{name}: {v}" for name, text in said.items() for v in set(DISGUISED.values()) if read(v) in text]


def test_no_form_of_a_value_is_on_disk_or_said(data_dir: Path) -> None:
    with Spanloom(data_dir, sets=(*PORTS, *FAST)) as service:
        for number, text in enumerate(DISGUISED):
            service.post("/v1/traces", encode(planted_traces(number, text)))
            service.post("/v1/logs", encode_json(planted_logs(number, text)), "application/json")
            service.post("/v1/metrics", encode(planted_metrics(text)))
        assert leaks(files(data_dir), DISGUISED) == []
        wait_until(lambda: service.query("select count(*) from observations") == [[len(DISGUISED)]])
        assert readable(spoken(service)) == []
        assert service.terminate() == 0
    said = tables(data_dir)
    assert leaks(files(data_dir), DISGUISED) == []
    assert readable(said) == []
    assert all(marker in b"".join(said.values()) for marker in (b"[EMAIL", b"[CREDIT_CARD", b"[IBAN", b"[API_KEY"))
