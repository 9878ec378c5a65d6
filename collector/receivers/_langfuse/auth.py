"""Who may use the Langfuse endpoints: key pairs by Basic authentication, public keys alone for scores.

On a loopback address any pair is taken, so that a laptop needs no set-up (web pages are kept out by
``collector.serving.access``). Elsewhere only configured pairs are.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass

import grpc
from starlette.types import Scope

from collector.component.receiver import Metadata, no_metadata
from collector.receivers._otlp.receiver_config import LangfuseConfig
from collector.receivers._shared.arriving import Refused
from collector.receivers._shared.status import Refusal
from collector.serving.access import is_loopback_host
from collector.serving.http_server import split_endpoint

_DEFAULT_PROJECT = "spanloom"
_OPEN = frozenset({"/health"})


@dataclass(frozen=True, slots=True)
class Access:
    """What an admitted client may do."""

    project: str
    may_send_spans: bool = True
    metadata: Metadata = no_metadata
    """The headers of its request."""


class Gate:
    """Decides who comes in. Raises ``Refused`` with the answer for those who do not."""

    def __init__(self, config: LangfuseConfig, endpoint: str) -> None:
        self._secrets = {key.public_key: key.secret_key.get_secret_value() for key in config.keys}
        self._loopback = is_loopback(endpoint)

    @property
    def is_closed(self) -> bool:
        """Nobody can come in: no keys, and not on loopback."""
        return not self._secrets and not self._loopback

    def admit(self, scope: Scope, path: str) -> Access:
        """``path``: what follows the prefix of the API."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if path in _OPEN:
            return Access(_DEFAULT_PROJECT)
        scheme, _, credentials = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() == "basic":
            return self._by_pair(credentials.strip())
        if scheme.lower() == "bearer":
            return self._by_public_key(credentials.strip())
        raise _refused(401, "No authorization header: send public and secret key by Basic authentication")

    def _by_pair(self, credentials: str) -> Access:
        try:
            public, colon, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise _refused(401, "Invalid credentials: Basic authentication is base64 of public:secret") from None
        if not colon or not public or not secret:
            raise _refused(401, "Invalid credentials: public and secret key are both needed")
        if not self._secrets and self._loopback:
            return Access(_DEFAULT_PROJECT)
        # Compared also when the public key is unknown: the time taken says nothing.
        known = self._secrets.get(public)
        if not hmac.compare_digest((known or "").encode(), secret.encode()) or known is None:
            raise _refused(401, self._why_not())
        return Access(public)

    def _by_public_key(self, public: str) -> Access:
        if public and (public in self._secrets or (not self._secrets and self._loopback)):
            return Access(_DEFAULT_PROJECT, may_send_spans=False)
        raise _refused(401, self._why_not())

    def _why_not(self) -> str:
        if self.is_closed:
            return "Invalid credentials: this receiver has no keys (protocols.http.langfuse.keys)"
        return "Invalid credentials: no such pair of keys"


def is_loopback(endpoint: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    return is_loopback_host(split_endpoint(endpoint)[0])


def _refused(status: int, message: str) -> Refused:
    return Refused(Refusal(grpc.StatusCode.UNAUTHENTICATED, status, message, "unauthenticated"))
