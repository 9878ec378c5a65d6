"""The codec in use: what the engine and exporters import decoding and encoding from.

The one there is stands on protobuf's own runtime. Another of the same behaviour would be chosen here
and nowhere else.
"""

from collector.model.codec.contract import Decoded
from collector.model.codec.reference.decode import check_framing, decode
from collector.model.codec.reference.encode import encode, encode_json, split_encode

__all__ = ["NAME", "Decoded", "check_framing", "decode", "encode", "encode_json", "split_encode"]

NAME = "reference"
"""Which codec this is, for ``/metrics``."""
