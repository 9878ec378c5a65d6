"""Which web pages and host names may reach a server: one rule for all ports and paths.

A browser sends what any web page asks it to, also to this machine. Two headers say so: ``Origin`` names the page, and
``Host`` the name it used (a page can let its own name point to 127.0.0.1: DNS rebinding). Programs send no ``Origin``,
and on loopback a ``Host`` of loopback. Who is not a browser is kept out by keys and networks, not by this.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_DRAIN_SECONDS = 2
_OWN_PAGES = frozenset({"none", "same-origin"})


@dataclass(frozen=True)
class Access:
    """What a server answers to besides its own pages and the names of loopback."""

    allowed_hosts: tuple[str, ...] = ()
    """Further host names; ``*`` stands for any text."""

    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may send; ``*`` stands for any text."""

    guarded: str | None = None
    """Beginning of the paths whose host name must be known on every address. Other paths are only held to that
    where the server listens on loopback: elsewhere its names are not known to it."""

    hosts_option: str = "allowed_hosts"
    """How the configuration calls ``allowed_hosts``."""

    origins_option: str | None = None
    """How the configuration calls ``allowed_origins``; None: it has no such option."""


class Guard:
    """An ASGI app in front of another: answers 421 to foreign hosts and 403 to foreign web pages."""

    def __init__(self, app: Any, access: Access, *, on_loopback: bool) -> None:
        self._app = app
        self._access = access
        self._on_loopback = on_loopback
        self._hosts = _patterns(name.lower() for name in access.allowed_hosts)
        self._origins = _patterns(access.allowed_origins)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await _refuse(receive, send, *refusal)

    def _refusal(self, scope: Any) -> tuple[int, str] | None:
        """Status and reason; None: may pass."""
        headers = scope["headers"]
        hosts = [value.decode("latin-1").lower() for name, value in headers if name == b"host"]
        known = all(is_loopback_host(host) or self._hosts.fullmatch(_name_of(host)) for host in hosts)
        if not known and (self._on_loopback or self._is_guarded(scope["path"])):
            return 421, f"the host name {hosts[0]!r} is not one of this server ({self._access.hosts_option})"
        origin, site = _value(headers, b"origin"), _value(headers, b"sec-fetch-site")
        if origin is None and (site is None or site in _OWN_PAGES):
            return None
        if origin is not None and self._origins.fullmatch(origin):
            return None
        if _is_question(scope["method"], headers):
            return None
        own = known and len(hosts) == 1 and (origin is None or urlsplit(origin).netloc.lower() == hosts[0])
        if own and (site is None or site in _OWN_PAGES):
            return None
        option = f" ({self._access.origins_option})" if self._access.origins_option else ""
        return 403, f"requests from the web page {origin or 'of another site'!r} are not allowed{option}"

    def _is_guarded(self, path: str) -> bool:
        return self._access.guarded is not None and path.startswith(self._access.guarded)


def is_loopback_host(host: str) -> bool:
    """Whether a host, with a port or without, names this machine by loopback."""
    try:
        name = urlsplit(f"//{host}" if host.count(":") < 2 or host.startswith("[") else f"//[{host}]").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _patterns(texts: Iterable[str]) -> re.Pattern[str]:
    """Matches any of the texts; nothing when there are none."""
    return re.compile("|".join(re.escape(text).replace(r"\*", ".*") for text in texts) or r"(?!)")


def _value(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """Of a header sent several times, all: then it equals nothing that is allowed."""
    values = [value.decode("latin-1") for key, value in headers if key == name]
    return ", ".join(values) if values else None


def _is_question(method: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """A preflight, which does nothing; or a link that somebody follows, whose page cannot read the answer."""
    if method == "OPTIONS":
        return _value(headers, b"access-control-request-method") is not None
    mode, destination = _value(headers, b"sec-fetch-mode"), _value(headers, b"sec-fetch-dest")
    return method == "GET" and mode == "navigate" and destination == "document"


async def _refuse(receive: Any, send: Any, status: int, reason: str) -> None:
    # The three keys are those of the admin server, OTLP/JSON (PERMISSION_DENIED) and Langfuse.
    content = json.dumps({"error": reason, "code": 7, "message": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    headers.append((b"content-length", str(len(content)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": True})
    # Closed with bytes unread the connection is reset, and the client never sees the status.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while (await receive()).get("more_body"):
                pass
    await send({"type": "http.response.body", "body": b""})
