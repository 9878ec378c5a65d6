"""TLS blocks of the configuration, as servers and clients use them (Collector ``configtls``)."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

import grpc
from pydantic import SecretStr, model_validator

from collector.component.base import ComponentConfig
from collector.errors import ConfigError

TlsVersion = Literal["1.2", "1.3"]

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class _KeyPair(ComponentConfig):
    cert_file: Path | None = None
    """PEM file of the certificate, intermediates after it."""

    cert_pem: str | None = None
    """The certificate itself, instead of a file."""

    key_file: Path | None = None
    """PEM file of the private key."""

    key_pem: SecretStr | None = None
    """The private key itself, instead of a file."""

    min_version: TlsVersion = "1.2"
    """Lowest version of TLS."""

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if self.cert_file and self.cert_pem:
            raise ValueError("give cert_file or cert_pem, not both")
        if self.key_file and self.key_pem:
            raise ValueError("give key_file or key_pem, not both")
        if bool(self.cert_file or self.cert_pem) != bool(self.key_file or self.key_pem):
            raise ValueError("a certificate and its key go together: cert_file (or cert_pem) and key_file (or key_pem)")
        return self

    def key_pair(self) -> tuple[bytes, bytes] | None:
        """(private key, certificate chain) as PEM, or None. Raises ``ConfigError`` when a file cannot be read."""
        if self.cert_file is None and self.cert_pem is None:
            return None
        key = self.key_pem.get_secret_value() if self.key_pem else None
        return pem(self.key_file, key, "key_file"), pem(self.cert_file, self.cert_pem, "cert_file")

    def _load_into(self, context: ssl.SSLContext) -> None:
        context.minimum_version = _VERSIONS[self.min_version]
        pair = self.key_pair()
        if pair is None:
            return
        if self.cert_file and self.key_file:
            _load_chain(context, self.cert_file, self.key_file)
            return
        # OpenSSL's loader only takes files: one in memory where possible, so that the key is on no disk.
        with _file_with(pair[0]) as key, _file_with(pair[1]) as cert:
            _load_chain(context, cert, key)


class TlsServerConfig(_KeyPair):
    """The Collector's ``tls`` block of a server."""

    client_ca_file: Path | None = None
    """PEM file of the authorities that clients' certificates must come from (mTLS)."""

    @model_validator(mode="after")
    def _has_certificate(self) -> Self:
        if self.cert_file is None and self.cert_pem is None:
            raise ValueError("a server needs a certificate: cert_file and key_file")
        return self

    def context(self) -> ssl.SSLContext:
        """For asyncio servers. Raises ``ConfigError`` when a file cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load_into(context)
        context.set_alpn_protocols(["http/1.1"])
        if self.client_ca_file:
            _load_authorities(context, self.client_ca_file, "client_ca_file")
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For gRPC servers, whose lowest version is always 1.2. Raises ``ConfigError``."""
        _refuse_min_version(self.min_version)
        pair = self.key_pair()
        assert pair is not None
        self.context()  # a key that does not fit its certificate: gRPC would only say so per handshake
        authorities = pem(self.client_ca_file, None, "client_ca_file") if self.client_ca_file else None
        return grpc.ssl_server_credentials(
            [pair], root_certificates=authorities, require_client_auth=authorities is not None
        )


class TlsClientConfig(_KeyPair):
    """The option ``tls`` of an exporter that sends: which servers to trust, and who we are."""

    insecure: bool = False
    """True: no TLS (gRPC; over HTTP the scheme of the endpoint decides)."""

    insecure_skip_verify: bool = False
    """True: any certificate of the server is accepted. Not for gRPC."""

    server_name_override: str | None = None
    """Name the server's certificate is checked against, instead of the endpoint's host."""

    ca_file: Path | None = None
    """PEM file of the authorities to trust; null: those of the system."""

    ca_pem: str | None = None
    """The authorities themselves, instead of a file."""

    include_system_ca_certs_pool: bool = False
    """True: trust the system's authorities besides ``ca_file``."""

    @model_validator(mode="after")
    def _one_authority(self) -> Self:
        if self.ca_file and self.ca_pem:
            raise ValueError("give ca_file or ca_pem, not both")
        return self

    def context(self) -> ssl.SSLContext:
        """For HTTP clients. Raises ``ConfigError`` when a file cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._load_into(context)
        own = self.ca_file or self.ca_pem
        if not own or self.include_system_ca_certs_pool:
            context.load_default_certs()
        if own:
            _load_authorities(context, self.ca_file, "ca_file", self.ca_pem)
        if self.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def grpc_credentials(self) -> grpc.ChannelCredentials:
        """For gRPC clients. Raises ``ConfigError``."""
        _refuse_min_version(self.min_version)
        if self.insecure_skip_verify:
            raise ConfigError("tls.insecure_skip_verify is not possible over gRPC: give ca_file instead")
        if self.include_system_ca_certs_pool and (self.ca_file or self.ca_pem):
            raise ConfigError("tls.include_system_ca_certs_pool is not possible over gRPC beside a ca_file")
        self.context()
        key, chain = self.key_pair() or (None, None)
        authorities = pem(self.ca_file, self.ca_pem, "ca_file") if self.ca_file or self.ca_pem else None
        return grpc.ssl_channel_credentials(authorities, key, chain)


def pem(path: Path | None, text: str | None, key: str) -> bytes:
    """The text, or the file's content. Raises ``ConfigError`` naming the key and the file."""
    if text is not None:
        return text.encode()
    assert path is not None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"tls.{key}: cannot read {path}: {error.strerror}") from None


def _load_chain(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    try:
        context.load_cert_chain(cert, key, password=lambda: "")  # never ask on the terminal
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls: the certificate and key cannot be used: {error}") from None


def _load_authorities(context: ssl.SSLContext, path: Path | None, key: str, text: str | None = None) -> None:
    data = pem(path, text, key)
    try:
        context.load_verify_locations(cadata=data.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise ConfigError(f"tls.{key}: no PEM certificates in {path or 'the text'}: {error}") from None


def _refuse_min_version(version: str) -> None:
    if version != "1.2":
        raise ConfigError("tls.min_version cannot be set for gRPC, which takes 1.2 and 1.3")


@contextlib.contextmanager
def _file_with(data: bytes) -> Iterator[Path]:
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("pem"), "wb", buffering=0) as file:
            file.write(data)
            yield Path(f"/proc/self/fd/{file.fileno()}")
        return
    with tempfile.NamedTemporaryFile() as named:  # made with mode 0600
        named.write(data)
        named.flush()
        yield Path(named.name)
