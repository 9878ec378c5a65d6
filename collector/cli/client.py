"""How commands ask a running service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from collector.errors import PermanentError, RetryableError


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
