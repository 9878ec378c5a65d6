"""Which codec is in use, how another is forced, and what every codec offers.

Proves the choice. Does not prove that codecs decode and encode right: the other tests of this folder do, with the
codec in use.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from collector.errors import ConfigError
from collector.model.batch import Signal
from collector.model.codec import choice, chosen
from collector.model.codec.contract import Codec
from collector.testing.builders import logs, metrics, spans

BATCHES = {
    Signal.TRACES: spans([{"trace_id": 1, "span_id": n + 1, "attributes": {"n": n}} for n in range(3)]),
    Signal.LOGS: logs([{"body": "x"}]),
    Signal.METRICS: metrics([{"name": "up", "value_int": 1}]),
}


@pytest.fixture(params=chosen.available())
def codec(request: pytest.FixtureRequest) -> Codec:
    return chosen.codec(request.param)


def named(value: str) -> subprocess.CompletedProcess[str]:
    code = "import collector.cli.app; from collector.model.codec import chosen as c; print(c.NAME, c.decode.__module__)"
    environ = {**os.environ, "SPANLOOM_CODEC": value}
    return subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("value", ["", "reference"])
def test_the_environment_names_the_codec(value: str) -> None:
    assert named(value).stdout == "reference collector.model.codec.reference.decode\n"


def test_a_codec_that_is_not_there_is_refused_before_anything_is_decoded() -> None:
    said = "SPANLOOM_CODEC: 'referense' is no codec (did you mean 'reference'?); there is: reference"
    assert said in named("referense").stderr


def test_a_codec_that_is_not_there_is_told_in_one_line_of_the_command_line(tmp_path: Path) -> None:
    environ = {**os.environ, "SPANLOOM_CODEC": "kernal"}
    command = [sys.executable, "-m", "collector", "run", "--data-dir", str(tmp_path)]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("error: SPANLOOM_CODEC: 'kernal' is no codec")


def test_another_codec_is_refused_once_one_is_in_use() -> None:
    choice.choose(chosen.NAME)
    with pytest.raises(ConfigError, match="is in use already"):
        choice.choose("kernel" if chosen.NAME == "reference" else None)


def test_a_codec_that_is_not_installed_is_no_typing_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "_CODECS", {**chosen._CODECS, "kernel": "collector.model.no_such_package.kernel"})
    with pytest.raises(ConfigError, match="'kernel' is not part of this installation; there is: reference"):
        chosen.codec("kernel")


@pytest.mark.parametrize("signal", list(Signal))
def test_every_codec_decodes_mixed_groups(signal: Signal, codec: Codec) -> None:
    batch = BATCHES[signal]
    text = codec.encode_json(batch)
    prepared = codec.prepare_json(signal, text)
    for body in (codec.encode(batch), prepared):
        codec.check_framing(signal, body)

    group = codec.decode(signal, [codec.encode(batch), prepared])
    direct = codec.decode_json(signal, [b"{", text, b"[]", text])

    assert not group.failed
    assert group.accepted.tolist() == [batch.num_rows] * 2
    assert direct.accepted.tolist() == [0, batch.num_rows, 0, batch.num_rows]
    assert {at: str(error)[:20] for at, error in direct.failed.items()} == {
        0: "not JSON: Expecting ",
        2: "$: expected an objec",
    }
    assert [made.record_batch for made in group.batches] == [made.record_batch for made in direct.batches]
    assert [len(body) > 0 for body in codec.split_encode(batch, 1)] == [True] * batch.num_rows
