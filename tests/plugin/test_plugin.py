"""A third party's package, built and installed as one, found by its entry points and used.

Proves build, install, discovery and a running service with it. Does not prove packages built against another version
of Spanloom.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from collector.cli.plugins import PluginKind, write_package
from collector.errors import ConfigError
from collector.model.codec.chosen import encode
from collector.testing import builders
from tests.e2e.running import PORTS, Spanloom, wait_until

ACME = Path(__file__).parent / "spanloom-acme"
CONFIG = """
receivers: {{otlp: {{protocols: {{http: {{}}, grpc: {{}}}}}}}}
processors: {{pii: {{}}, acme_redirect: {{models: {{prod: gpt-4o-mini}}}}, acme_region: {{region: us}}, cost: {{}}}}
exporters: {{acme_lines: {{path: {path}}}}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [pii, acme_redirect, acme_region, cost], exporters: [acme_lines]}}
"""


WATCHED = """
receivers: {{otlp: {{protocols: {{http: {{}}, grpc: {{}}}}}}}}
processors: {{pii: {{}}}}
exporters: {{acme_lines: {{path: {path}}}}}
extensions: {{acme_watch: {{path: {ranges}, closed: {closed}}}}}
service:
  extensions: [acme_watch]
  pipelines:
    traces: {{receivers: [otlp], processors: [pii], exporters: [acme_lines]}}
"""


def install(package: Path, into: Path) -> Path:
    """A folder for PYTHONPATH that holds the package as pip would install it."""
    source, target = into / "source", into / "installed"
    shutil.copytree(package, source)
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)], cwd=source, check=True)
    (wheel,) = into.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(ACME, tmp_path_factory.mktemp("acme"))


def spanloom(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from collector.cli.app import main; main()", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=100, check=False)


def test_its_components_are_listed_with_their_package(installed: Path) -> None:
    listed = json.loads(spanloom(installed, "components", "--output", "json").stdout)
    mine = {row["type"]: row for row in listed if row["distribution"] == "spanloom-acme 1.2.3"}
    assert {name: row["kind"] for name, row in mine.items()} == {
        "acme_region": "processor", "acme_redirect": "processor", "acme_lines": "exporter",
        "acme_watch": "extension",
    }  # fmt: skip


def test_the_laws_hold_for_it_and_a_missing_option_is_named(installed: Path, tmp_path: Path) -> None:
    without = spanloom(installed, "plugins", "test", "spanloom-acme", "--examples", "5")
    assert without.returncode == 1
    assert "acme_lines={...}" in without.stdout
    assert "processor acme_region: ok" in without.stdout
    options = [
        "acme_redirect={models: {a: b}}",
        f"acme_lines={{path: {tmp_path / 'out.jsonl'}}}",
        f"acme_watch={{path: {tmp_path / 'ranges.jsonl'}, closed: {tmp_path / 'closed'}}}",
    ]
    given = [part for option in options for part in ("--options", option)]
    done = spanloom(installed, "plugins", "test", "spanloom-acme", "--examples", "5", *given)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_options_are_checked_like_those_of_built_in_components(installed: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG.format(path="x").replace("{region: us", "{regoin: us"))
    done = spanloom(installed, "validate", "-c", str(file))
    assert done.returncode == 1
    assert "processors.acme_region.regoin" in done.stderr


def test_a_service_runs_it(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(installed))
    file, out = tmp_path / "config.yaml", tmp_path / "out.jsonl"
    file.write_text(CONFIG.format(path=out))
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "prod", "gen_ai.provider.name": "openai"}
    spans = [
        {"span_name": "chat", "attributes": {**call, "gen_ai.usage.input_tokens": 1000}},
        {"span_name": "secret", "attributes": {"acme.internal": True}},
    ]
    with Spanloom(tmp_path / "data", config=[file], sets=PORTS) as service:
        service.post("/v1/traces", encode(builders.spans(spans)))
        wait_until(lambda: out.exists() and out.read_text().endswith("\n"))
        assert service.terminate() == 0
    (row,) = map(json.loads, out.read_text().splitlines())
    assert row == {
        "name": "us: chat", "span_name": "us: chat", "model": "gpt-4o-mini", "total_cost": "0.000150000000",
    }  # fmt: skip


def test_an_extension_reads_on_where_it_was_after_a_kill(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(installed))
    ranges, closed, file = tmp_path / "ranges.jsonl", tmp_path / "closed", tmp_path / "config.yaml"
    file.write_text(WATCHED.format(path=tmp_path / "out.jsonl", ranges=ranges, closed=closed))

    def read() -> list[str]:
        found = ranges.read_text().splitlines() if ranges.exists() else []
        return [name for line in found for name in json.loads(line)["names"]]

    def send(service: Spanloom, *names: str) -> None:
        for name in names:
            service.post("/v1/traces", encode(builders.spans([{"span_name": name, "trace_id": ord(name)}])))

    with Spanloom(tmp_path / "data", config=[file], sets=PORTS) as service:
        send(service, "a", "b")
        wait_until(lambda: read() == ["a", "b"])
        assert service.metric("spanloom_acme_watch_ranges_total", extension="acme_watch") >= 1
        wait_until(lambda: service.metric("otelcol_exporter_queue_size", exporter="extension:acme_watch") == 0)
        closed.touch()
        send(service, "c", "d", "e")
        wait_until(lambda: "reason" in json.loads(service.get("/readyz")))
        assert json.loads(service.get("/readyz"))["reason"] == "extension acme_watch: closed"
        wait_until(lambda: service.metric("otelcol_exporter_sent_spans_total", exporter="acme_lines") == 5)
        service.kill()
    assert read() == ["a", "b"]
    closed.unlink()
    with Spanloom(tmp_path / "data", config=[file], sets=PORTS) as service:
        send(service, "f")
        wait_until(lambda: "f" in read())
        assert service.terminate() == 0
    assert read() == ["a", "b", "c", "d", "e", "f"]
    bounds = [(line["first"], line["last"]) for line in map(json.loads, ranges.read_text().splitlines())]
    assert all(last < first for (_, last), (first, _) in itertools.pairwise(bounds))


@pytest.mark.parametrize("kind", PluginKind)
def test_a_new_package_is_complete(kind: PluginKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "mine"
    write_package("my_own", kind, package)
    installed = install(package, tmp_path / "build")
    readme = (package / "README.md").read_text(encoding="utf-8")
    assert f"{'A' if kind is PluginKind.PROCESSOR else 'An'} {kind.value} for Spanloom" in readme
    (said,) = re.findall(r"^spanloom (plugins test .*)$", readme, re.MULTILINE)
    tested = spanloom(installed, *shlex.split(said), "--examples", "5")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert spanloom(installed, "validate", "-c", str(package / "config.yaml")).returncode == 0
    own = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider", str(package)],
        env={**os.environ, "PYTHONPATH": str(installed)}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert own.returncode == 0, own.stdout


@pytest.mark.parametrize("name", ["", "My", "2nd", "my-own", "class", "a" * 50, "../x"])
def test_a_name_that_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no name for a component"):
        write_package(name, PluginKind.PROCESSOR, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file/mine: cannot be written: Not a directory"):
        write_package("mine", PluginKind.PROCESSOR, tmp_path / "file" / "mine")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(ConfigError, match="not empty"):
        write_package("my_own", PluginKind.PROCESSOR, tmp_path)
