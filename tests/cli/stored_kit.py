"""A conversation as an application sends it, and a store of it that no service uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from collector.config.load import load
from collector.model.batch import Signal
from collector.model.codec.chosen import prepare_json
from collector.offline.dry_run import dry_run

SECOND = 10**9
START = 1_764_000_000 * SECOND
SYSTEM = {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]}
CALL = {
    "role": "assistant",
    "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}],
}
RESULT = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "18 degrees"}]}


def text(role: str, said: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": said}]}


def attributes(**given: Any) -> list[dict[str, Any]]:
    found = []
    for key, value in given.items():
        kind = "intValue" if isinstance(value, int) else "stringValue"
        said = value if isinstance(value, str | int) else json.dumps(value)
        found.append({"key": key.replace("__", "."), "value": {kind: said}})
    return found


def span(trace: int, number: int, name: str, *, parent: int = 0, at: float = 0, lasts: float = 1, **given: Any) -> Any:
    status = {"code": 2, "message": given.pop("failed")} if "failed" in given else {}
    begin = START + int((trace * 60 + at) * SECOND)
    return {
        "traceId": f"{trace:x}".rjust(2, "0") + "0" * 30,
        "spanId": f"{trace:02x}{number:014x}",
        "parentSpanId": f"{trace:02x}{parent:014x}" if parent else "",
        "name": name,
        "kind": 3,
        "startTimeUnixNano": str(begin),
        "endTimeUnixNano": str(begin + int(lasts * SECOND)),
        "status": status,
        "attributes": attributes(gen_ai__conversation__id="s-1", user__id="u-1", **given),
    }


def call(trace: int, number: int, sent: list[Any], answer: list[Any], **more: Any) -> Any:
    return span(
        trace,
        number,
        "chat gpt-4o-mini",
        gen_ai__operation__name="chat",
        gen_ai__provider__name="openai",
        gen_ai__request__model="gpt-4o-mini",
        gen_ai__usage__input_tokens=1000,
        gen_ai__usage__output_tokens=100,
        gen_ai__input__messages=sent,
        gen_ai__output__messages=answer,
        **more,
    )


def conversation() -> list[Any]:
    """Two traces: a question answered with a tool's help, and "yes" twice."""
    asked = [SYSTEM, text("user", "Weather in Paris?")]
    answered = [*asked, CALL, RESULT]
    told = text("assistant", "18 degrees.")
    again = [*answered, told, text("user", "yes")]
    return [
        span(
            1, 1, "invoke_agent helper", lasts=4,
            gen_ai__operation__name="invoke_agent", gen_ai__agent__name="helper",
        ),
        call(1, 2, asked, [CALL], parent=1, at=0.5),
        span(
            1, 3, "execute_tool weather", parent=1, at=1.5, lasts=0.25,
            gen_ai__operation__name="execute_tool", gen_ai__tool__name="weather", gen_ai__tool__call__id="c1",
        ),
        call(1, 4, answered, [told], parent=1, at=2),
        call(2, 1, again, [text("assistant", "Anything else?")]),
        call(3, 1, [*again, text("assistant", "Anything else?"), text("user", "yes")], [], failed="rate limit"),
    ]  # fmt: skip


def request(spans: list[Any]) -> dict[str, Any]:
    resource = {"attributes": attributes(service__name="shop")}
    scope = {"name": "opentelemetry.instrumentation.openai_v2"}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": spans}]}]}


def store(folder: Path, spans: list[Any] | None = None) -> Path:
    """Writes a DuckDB file with the rows that a service would store."""
    folder.mkdir(parents=True, exist_ok=True)
    config = load([], environ={}, data_dir=folder)
    body = prepare_json(Signal.TRACES, json.dumps(request(spans or conversation())).encode())
    rows = pa.concat_tables(dry_run(config, [(Signal.TRACES, body)]))
    with duckdb.connect(str(folder / "spanloom.duckdb")) as connection:
        connection.register("rows", rows)
        connection.execute("CREATE TABLE observations AS FROM rows")
    return folder
