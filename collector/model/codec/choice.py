"""Which codec ``chosen`` takes: said by whoever starts the program, before anything is decoded."""

from __future__ import annotations

import sys

from collector.errors import ConfigError

VARIABLE = "SPANLOOM_CODEC"
"""The environment variable by which the command line and the tests are told."""

DEFAULT = "reference"
_CHOSEN = "collector.model.codec.chosen"
_wanted = DEFAULT


def choose(name: str | None) -> None:
    """Names the codec; nothing names the default one. Raises ``ConfigError`` once another is in use."""
    global _wanted  # noqa: PLW0603 - one per process, as the modules that are bound to it
    if _CHOSEN in sys.modules and (name or DEFAULT) != _wanted:
        raise ConfigError(f"{VARIABLE}: the codec {_wanted!r} is in use already")
    _wanted = name or DEFAULT


def wanted() -> str:
    """The name that was said last."""
    return _wanted
