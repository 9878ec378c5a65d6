"""Decoding and encoding are exact inverses: by property, and on captured payloads.

Proves it in both encodings, by property and on captures. Does not prove speed or memory.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from collector.model import schema
from collector.model.batch import BATCH_OF, Batch, Signal
from collector.model.codec.chosen import NAME, decode, encode, encode_json, split_encode
from collector.model.codec.otlp_json import to_protobuf
from collector.testing.equivalence import assert_equivalent, canonical
from collector.testing.otlp_strategies import requests

FIXTURES = Path(__file__).parents[2] / "fixtures" / "otlp"

signals = pytest.mark.parametrize("signal", list(Signal))
some = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def captured(signal: Signal) -> list[bytes]:
    """Every captured request of a signal, JSON ones translated."""
    binary = [path.read_bytes() for path in sorted(FIXTURES.rglob(f"*.{signal}.binpb"))]
    text = [to_protobuf(signal, path.read_bytes()) for path in sorted(FIXTURES.rglob(f"*.{signal}.json"))]
    return binary + text


def decoded(signal: Signal, *bodies: bytes) -> list[Batch]:
    result = decode(signal, bodies)
    assert not result.failed
    assert not any(count for count, _ in result.rejected)
    for batch in result.batches:
        batch.record_batch.validate(full=True)
    return result.batches


def test_the_codec_says_its_name():
    assert NAME == "reference"


@signals
@some
@given(data=st.data())
def test_any_request_survives_both_encodings(signal, data):
    body = data.draw(requests(signal))
    batches = decoded(signal, body)
    assert_equivalent(signal, [body], [encode(batch) for batch in batches])
    assert_equivalent(signal, [body], [to_protobuf(signal, encode_json(batch)) for batch in batches])


@signals
@some
@given(data=st.data())
def test_a_group_decodes_to_what_its_requests_decode_to(signal, data):
    bodies = data.draw(st.lists(requests(signal), min_size=2, max_size=3))
    result = decode(signal, bodies)
    assert_equivalent(signal, bodies, [encode(batch) for batch in result.batches])
    assert result.accepted.tolist() == [int(decode(signal, [body]).accepted[0]) for body in bodies]


@signals
@some
@given(data=st.data())
def test_slices_filters_and_joined_batches_encode(signal, data):
    bodies = data.draw(st.lists(requests(signal), min_size=1, max_size=3))
    batches = [batch for body in bodies for batch in decoded(signal, body)]
    if not batches:
        return
    joined = type(batches[0]).concat(batches)
    assert_equivalent(signal, bodies, [encode(joined)])
    cut = data.draw(st.integers(0, joined.num_rows))
    assert_equivalent(signal, bodies, [encode(joined.slice(0, cut)), encode(joined.slice(cut))])
    keep = np.arange(joined.num_rows) % 2 == 0
    assert_equivalent(signal, bodies, [encode(joined.filter(keep)), encode(joined.filter(~keep))])
    assert_equivalent(signal, bodies, [encode(joined.take(np.arange(joined.num_rows)[::-1].copy()))])


@signals
def test_captured_payloads_survive_both_encodings(signal):
    bodies = captured(signal)
    assert len(bodies) > 50
    for body in bodies:
        batches = decoded(signal, body)
        assert_equivalent(signal, [body], [encode(batch) for batch in batches])
        assert_equivalent(signal, [body], [to_protobuf(signal, encode_json(batch)) for batch in batches])


@signals
def test_captured_payloads_survive_as_one_group_through_ipc(signal):
    bodies = captured(signal)
    batches = [type(batch).from_ipc(batch.to_ipc()) for batch in decoded(signal, *bodies)]
    assert_equivalent(signal, bodies, [encode(batch) for batch in batches])


@signals
def test_no_rows_make_an_empty_request(signal):
    known = schema.WIRE if signal is Signal.TRACES else BATCH_OF[signal].schema
    nothing = BATCH_OF[signal](pa.RecordBatch.from_pylist([], schema=known))
    assert encode(nothing) == b""
    assert encode_json(nothing) == b"{}"
    assert list(split_encode(nothing, 10)) == []


@signals
def test_an_empty_request_and_empty_envelopes_make_no_batch(signal):
    for body in (b"", b"\x0a\x00", b"\x0a\x02\x12\x00"):
        result = decode(signal, [body])
        assert (result.batches, result.accepted.tolist(), result.rejected, result.failed) == ([], [0], [(0, "")], {})


@signals
def test_requests_are_split_to_a_size(signal):
    bodies = captured(signal)
    batch = decoded(signal, *bodies)[0]
    parts = list(split_encode(batch, 20_000))
    assert_equivalent(signal, bodies, parts)
    assert all(len(part) <= 20_000 or len(canonical(signal, [part])) == 1 for part in parts)
    assert len(parts) < batch.num_rows


@signals
def test_equal_resources_and_keys_are_stored_once_per_group(signal):
    body = captured(signal)[0]
    batch = decoded(signal, *[body] * 5)[0]
    once = decoded(signal, body)[0]
    for name in ("resource", "scope"):
        assert len(batch.column(name).dictionary) == len(once.column(name).dictionary)
    keys = batch.column("attributes").values.field("key")
    assert len(keys.dictionary) == len(set(keys.dictionary.to_pylist()))
