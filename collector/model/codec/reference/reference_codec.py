"""The reference codec, on protobuf's own runtime: what every other one must agree with."""

from __future__ import annotations

from collections.abc import Sequence

from collector.errors import InvalidDataError
from collector.model.batch import Signal
from collector.model.codec.contract import Decoded
from collector.model.codec.otlp_json import to_protobuf as prepare_json
from collector.model.codec.reference.decode import decode
from collector.model.codec.reference.encode import encode, encode_json, split_encode
from collector.model.codec.wire import check_framing

__all__ = ["NAME", "check_framing", "decode", "decode_json", "encode", "encode_json", "prepare_json", "split_encode"]

NAME = "reference"


def decode_json(signal: Signal, bodies: Sequence[bytes]) -> Decoded:
    """See ``contract.Codec``: by way of protobuf."""
    failed: dict[int, InvalidDataError] = {}
    prepared = []
    for index, body in enumerate(bodies):
        try:
            prepared.append(prepare_json(signal, body))
        except InvalidDataError as error:
            failed[index] = error
            prepared.append(b"")  # a request without anything in it
    decoded = decode(signal, prepared)
    decoded.failed.update(failed)
    return decoded
