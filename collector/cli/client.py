"""How commands ask a running service, and send it telemetry."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Mapping
from typing import Any

from collector.errors import PermanentError, RetryableError

_BUSY = {429, 502, 503, 504}
_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between tries, where the server does not say how long to wait."""
_LONGEST_WAIT = 30.0
_SEND_SECONDS = 60.0


def ask_service(address: str, path: str, body: Mapping[str, Any], *, timeout_seconds: float) -> Any:
    """The JSON document that the admin server answers to a POST.

    Raises ``RetryableError`` when nobody listens there, ``PermanentError`` with what the service says is wrong.
    """
    import httpx  # noqa: PLC0415 - only needed when a service runs

    url = address if "://" in address else f"http://{address}"
    try:
        # A proxy from the environment must not see what is asked of this machine.
        with httpx.Client(trust_env=False, timeout=timeout_seconds) as client:
            response = client.post(f"{url.rstrip('/')}{path}", json=body)
        document = response.json()
    except httpx.ConnectError as error:
        raise RetryableError(f"the service at {address} gave no answer: {error}") from None
    except (httpx.HTTPError, httpx.InvalidURL, json.JSONDecodeError) as error:
        raise PermanentError(f"the service at {address} gave no answer: {error}") from None
    if response.status_code != 200:
        raise PermanentError(str(document.get("error", f"the service answered {response.status_code}")))
    return document


def send_otlp(endpoint: str, signal: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Sends one protobuf request over OTLP/HTTP; how many of its items the server rejected.

    Waits and tries again while the server is busy. Raises ``RetryableError`` when it stays so or nobody listens,
    ``PermanentError`` when it refuses the request.
    """
    import httpx  # noqa: PLC0415 - as above

    url = f"{(endpoint if '://' in endpoint else f'http://{endpoint}').rstrip('/')}/v1/{signal}"
    sent = {"content-type": "application/x-protobuf", "content-encoding": "gzip", **headers}
    content = gzip.compress(body, 4)
    for wait in (*_WAITS, None):
        try:
            with httpx.Client(trust_env=False, timeout=_SEND_SECONDS) as client:
                response = client.post(url, content=content, headers=sent)
        except httpx.HTTPError as error:
            raise RetryableError(f"{endpoint} gave no answer: {error or type(error).__name__}") from None
        except httpx.InvalidURL as error:
            raise PermanentError(f"--endpoint {endpoint!r}: {error}") from None
        if response.is_success:
            return _rejected(response.content)
        if response.status_code not in _BUSY:
            raise PermanentError(f"{url} answered {response.status_code}")
        if wait is not None:
            asked = response.headers.get("retry-after", "")
            time.sleep(min(float(asked), _LONGEST_WAIT) if asked.isdecimal() else wait)
    raise RetryableError(f"{url} is busy: it answered {response.status_code} {len(_WAITS) + 1} times")


def _rejected(content: bytes) -> int:
    """The field has one number for all signals."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - as above
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415
        ExportTraceServiceResponse,
    )

    try:
        return ExportTraceServiceResponse.FromString(content).partial_success.rejected_spans
    except DecodeError:
        return 0
