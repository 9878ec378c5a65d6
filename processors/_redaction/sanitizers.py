"""The sanitizers of the Collector's redaction: known, checked, and only off.

URLs it cuts by what a trained model of words takes for a name, statements by a parser per database.
"""

from __future__ import annotations

from pydantic import Field, field_validator

from spanloom import ComponentConfig


class Sanitizer(ComponentConfig):
    enabled: bool = False
    """Only false."""

    attributes: tuple[str, ...] = ()
    """No effect."""

    @field_validator("enabled")
    @classmethod
    def _is_off(cls, enabled: bool) -> bool:
        if enabled:
            raise ValueError(
                "is not supported: mask what it is for by 'blocked_values', or rewrite the attribute in 'transform' "
                "(replace_all, or set with regexp_replace)"
            )
        return enabled


class UrlSanitizer(Sanitizer):
    sanitize_span_name: bool = True
    """No effect."""


class DbSanitizer(ComponentConfig):
    sql: Sanitizer = Field(default=Sanitizer())
    """Only off."""

    redis: Sanitizer = Field(default=Sanitizer())
    """Only off."""

    valkey: Sanitizer = Field(default=Sanitizer())
    """Only off."""

    memcached: Sanitizer = Field(default=Sanitizer())
    """Only off."""

    mongo: Sanitizer = Field(default=Sanitizer())
    """Only off."""

    opensearch: Sanitizer = Field(default=Sanitizer())
    """Only off."""

    es: Sanitizer = Field(default=Sanitizer())
    """Only off."""

    sanitize_span_name: bool = True
    """No effect."""
