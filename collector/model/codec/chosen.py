"""The codec in use: what everybody imports decoding and encoding from.

``choice`` says which: ``SPANLOOM_CODEC`` names another than the default one. A new codec is a module with the names
of ``contract.Codec`` and one line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from collector.errors import ConfigError, suggest
from collector.model.codec.choice import VARIABLE, wanted
from collector.model.codec.contract import Codec, Decoded

__all__ = [
    "NAME",
    "Decoded",
    "available",
    "check_framing",
    "codec",
    "decode",
    "decode_json",
    "encode",
    "encode_json",
    "prepare_json",
    "split_encode",
]

_CODECS: Mapping[str, str] = {
    "reference": "collector.model.codec.reference.reference_codec",
    "kernel": "collector.model.codec.kernel.kernel_codec",
}
"""Name → module. The kernel is compiled: not every installation has it."""


def available() -> list[str]:
    """The names of the codecs of this installation."""
    return [name for name, module in _CODECS.items() if _is_there(module)]


def codec(name: str) -> Codec:
    """A codec by its name, whichever is in use. Raises ``ConfigError`` when it is not there."""
    names = available()
    if name not in names:
        why = "is not part of this installation" if name in _CODECS else f"is no codec{suggest(name, names)}"
        raise ConfigError(f"{VARIABLE}: {name!r} {why}; there is: {', '.join(names)}")
    return cast("Codec", import_module(_CODECS[name]))


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its package
        return False


_codec = codec(wanted())

NAME = _codec.NAME
"""Which codec this is, for ``/metrics``."""

check_framing = _codec.check_framing
decode = _codec.decode
decode_json = _codec.decode_json
prepare_json = _codec.prepare_json
encode = _codec.encode
encode_json = _codec.encode_json
split_encode = _codec.split_encode
