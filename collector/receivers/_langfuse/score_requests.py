"""Scores as Langfuse's clients send them, checked and turned into the log records that stores know them by.

See ``collector.model.scores.record`` for the record. Reference: Langfuse's public API, ``POST /api/public/scores``
and the event ``score-create`` of ``POST /api/public/ingestion``.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from collector.errors import InvalidDataError
from collector.model.facts.convert import iso_time
from collector.model.scores import record

SCOPE = "langfuse-api"
"""Instrumentation scope of the records."""

TRACE_ID_AS_SENT = "langfuse.trace_id"
OBSERVATION_ID_AS_SENT = "langfuse.observation_id"
"""Attributes that keep an id OTLP has no form for; the record carries what Langfuse's SDKs make of such a seed."""

_MAX_ID = 800
_MAX_TEXT_SCORE = 500
_HEX_TRACE = re.compile(r"[0-9a-fA-F]{32}")
_HEX_SPAN = re.compile(r"[0-9a-fA-F]{16}")
_CORRECTED = "output"


@dataclass(frozen=True, slots=True)
class Score:
    """One score. ``trace_id`` and ``span_id`` are bytes, empty where there is none."""

    id: str
    name: str
    value: float | None
    label: str | None
    data_type: str
    trace_id: bytes
    span_id: bytes
    time_unix_nano: int
    texts: Mapping[str, str] = field(default_factory=dict)
    """Further attributes of the record."""


def read_score(body: Any, *, default_time: str | None = None) -> Score:
    """The score in a JSON object.

    ``default_time``: ISO time of a score that says none itself. Raises ``InvalidDataError`` naming the field, without
    its value.
    """
    if not isinstance(body, Mapping):
        raise InvalidDataError("a score is an object")
    data_type = _data_type(body)
    value, label = _value(body, data_type)
    trace, observation = _id(body, "traceId"), _id(body, "observationId")
    if observation is not None and trace is None:
        raise InvalidDataError("observationId: needs traceId beside it")
    if trace is None and not _text(body, "sessionId") and not _text(body, "datasetRunId"):
        raise InvalidDataError("traceId: one of traceId, sessionId and datasetRunId is required")
    return Score(
        id=_id(body, "id") or str(uuid.uuid4()),
        name=_name(body, data_type),
        value=value,
        label=label,
        data_type=data_type,
        trace_id=otlp_id(trace, _HEX_TRACE, 16),
        span_id=otlp_id(observation, _HEX_SPAN, 8),
        time_unix_nano=_time(body, default_time),
        texts=_texts(body, trace, observation),
    )


def otlp_id(text: str | None, pattern: re.Pattern[str], width: int) -> bytes:
    """The id's bytes: hex as it is, a UUID without its dashes, else the first bytes of the text's SHA-256.

    The last is how Langfuse's SDKs make an id from a seed, so that such scores find their trace.
    """
    if text is None:
        return b""
    plain = text.replace("-", "") if width == 16 else text
    if pattern.fullmatch(plain) and int(plain, 16):
        return bytes.fromhex(plain)
    return hashlib.sha256(text.encode()).digest()[:width]


def _name(body: Mapping[str, Any], data_type: str) -> str:
    name = _text(body, "name")
    if data_type == "CORRECTION":
        if name not in {None, _CORRECTED}:
            raise InvalidDataError(f"name: of a CORRECTION it is {_CORRECTED!r}")
        return _CORRECTED
    if name is None:
        raise InvalidDataError("name: is required")
    return name


def _data_type(body: Mapping[str, Any]) -> str:
    given = _text(body, "dataType")
    if given is None:
        return "CATEGORICAL" if isinstance(body.get("value"), str) else "NUMERIC"
    if given not in record.DATA_TYPES:
        raise InvalidDataError(f"dataType: expected one of {', '.join(record.DATA_TYPES)}")
    return given


def _value(body: Mapping[str, Any], data_type: str) -> tuple[float | None, str | None]:
    """(number, text) of the value."""
    value = body.get("value")
    if value is None:
        raise InvalidDataError("value: is required")
    if data_type in {"NUMERIC", "BOOLEAN"}:
        number = _number(value, data_type)
        if data_type == "BOOLEAN" and number not in {0.0, 1.0}:
            raise InvalidDataError("value: of a BOOLEAN it is 0 or 1")
        return number, None
    if not isinstance(value, str):
        raise InvalidDataError(f"value: of a {data_type} it is a text")
    if data_type == "TEXT" and not 1 <= len(value) <= _MAX_TEXT_SCORE:
        raise InvalidDataError(f"value: of a TEXT it has 1 to {_MAX_TEXT_SCORE} characters")
    return None, value


def _number(value: Any, data_type: str) -> float:
    if isinstance(value, bool) and data_type == "NUMERIC":
        raise InvalidDataError("value: of a NUMERIC it is a number")
    if not isinstance(value, int | float):
        raise InvalidDataError(f"value: of a {data_type} it is a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidDataError("value: must be finite")
    return number


def _text(body: Mapping[str, Any], key: str) -> str | None:
    value = body.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidDataError(f"{key}: must be a text")
    return _utf8(value)


def _id(body: Mapping[str, Any], key: str) -> str | None:
    text = _text(body, key)
    if text is not None and len(text) > _MAX_ID:
        raise InvalidDataError(f"{key}: longer than {_MAX_ID} characters")
    return text


def _time(body: Mapping[str, Any], default: str | None) -> int:
    given = _text(body, "timestamp")
    found = iso_time(given) if given is not None else None
    if given is not None and (found is None or found < 0):
        raise InvalidDataError("timestamp: is no ISO 8601 time")
    if found is None and default is not None:
        found = iso_time(default)
    return found if found is not None and found >= 0 else time.time_ns()


def _texts(body: Mapping[str, Any], trace: str | None, observation: str | None) -> dict[str, str]:
    source = _text(body, "source")
    if source is not None and source not in record.SOURCES:
        raise InvalidDataError(f"source: expected one of {', '.join(record.SOURCES)}")
    metadata = body.get("metadata")
    found = {
        record.SOURCE: source or "API",
        record.COMMENT: _text(body, "comment"),
        record.SESSION_ID: _text(body, "sessionId"),
        record.ENVIRONMENT: _text(body, "environment"),
        record.CONFIG_ID: _text(body, "configId"),
        record.QUEUE_ID: _text(body, "queueId"),
        record.DATASET_RUN_ID: _text(body, "datasetRunId"),
        record.METADATA: None if metadata is None else json.dumps(metadata, ensure_ascii=False),
        TRACE_ID_AS_SENT: None if trace is None or _HEX_TRACE.fullmatch(trace) else trace,
        OBSERVATION_ID_AS_SENT: None if observation is None or _HEX_SPAN.fullmatch(observation) else observation,
    }
    return {key: text for key, text in found.items() if text is not None}


def request_of(found: Iterable[Score]) -> bytes:
    """A serialised ExportLogsServiceRequest that holds these scores."""
    records = [_record(score) for score in found]
    scope = ScopeLogs(scope=InstrumentationScope(name=SCOPE), log_records=records)
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[scope])]).SerializeToString()


def _record(score: Score) -> LogRecord:
    texts = {record.NAME: score.name, record.ID: score.id, record.DATA_TYPE: score.data_type, **score.texts}
    if score.label is not None:
        texts[record.LABEL] = score.label
    attributes = [KeyValue(key=key, value=AnyValue(string_value=_utf8(text))) for key, text in texts.items()]
    if score.value is not None:
        attributes.append(KeyValue(key=record.VALUE, value=AnyValue(double_value=score.value)))
    return LogRecord(
        time_unix_nano=score.time_unix_nano,
        observed_time_unix_nano=time.time_ns(),
        event_name=record.EVENT_NAME,
        attributes=attributes,
        trace_id=score.trace_id,
        span_id=score.span_id,
    )


def _utf8(text: str) -> str:
    """The text with lone surrogates, which JSON can say and UTF-8 cannot, replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
