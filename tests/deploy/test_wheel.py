"""The wheel, built from what the image copies, installed for itself and run as the image runs it.

Proves that the wheel is complete, needs nothing undeclared, and runs the image's configuration. Does not prove the
same on other platforms or Python versions than this one.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.deploy import dockerfile
from tests.deploy.tools import ROOT, call, done

PACKAGES = ("collector", "processors", "exporters")
SETS = (
    "receivers.otlp.protocols.grpc.endpoint=localhost:0",
    "receivers.otlp.protocols.http.endpoint=localhost:0",
    "service.admin.endpoint=localhost:0",
    "processors.tail_sampling.decision_wait_after_root_received=100ms",
)
TRACE = {
    "resourceSpans": [
        {
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "5b8efff798038103d269b633813fc60c",
                            "spanId": "eee19b7ec3c1b174",
                            "name": "chat gpt-4o-mini",
                            "startTimeUnixNano": str(time.time_ns() - 10**9),
                            "endTimeUnixNano": str(time.time_ns()),
                            "attributes": [
                                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                                {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
                                {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o-mini"}},
                                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1000"}},
                                {"key": "note", "value": {"stringValue": "write to jane@example.com"}},
                            ],
                        }
                    ]
                }
            ]
        }
    ]
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built without network, from nothing but the files the Dockerfile copies."""
    source = tmp_path_factory.mktemp("source")
    for name in dockerfile.copied():
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.parent == ROOT:
            shutil.copy(path, source / name)
    out = tmp_path_factory.mktemp("dist")
    result = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=source, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A fresh environment with the wheel; its dependencies are those of the environment the tests run in."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    done(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel)
    site = Path(done(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # Folders added this way come after the environment's own, and .pth files in them (editable installs) do not count.
    theirs = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "dependencies.pth").write_text("\n".join(sorted(theirs)) + "\n", encoding="utf-8")
    return home


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel):
    expected = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == expected | {"spanloom.py"}


class Running:
    """``spanloom run`` of the installed wheel in an empty folder, with nothing of this repository in sight."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.data, self.cwd, self.user_home = folder / "data", folder / "cwd", folder / "home"
        for path in (self.cwd, self.user_home):
            path.mkdir()
        config = folder / "config.yaml"
        shutil.copy(ROOT / "deploy" / "docker" / "config.yaml", config)
        sets = [part for value in SETS for part in ("--set", value)]
        self.environ = {
            "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.user_home),
            "SPANLOOM_DATA_DIR": str(self.data),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONSAFEPATH": "1",
        }
        self.spanloom = str(home / "bin" / "spanloom")
        self.process = subprocess.Popen(
            [self.spanloom, "run", "-c", str(config), *sets],
            cwd=self.cwd, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.endpoints = self._endpoints()

    def _endpoints(self) -> dict[str, dict[str, str]]:
        assert self.process.stdout is not None
        log = []
        for line in self.process.stdout:
            log.append(line)
            if line.startswith("{") and (found := json.loads(line).get("endpoints")):
                return found
        raise AssertionError("did not start:\n" + "".join(log))

    def command(self, *arguments: str) -> str:
        result = subprocess.run(
            [self.spanloom, *arguments], cwd=self.cwd, env=self.environ, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.fixture
def running(installed, tmp_path) -> Iterator[Running]:
    service = Running(installed, tmp_path)
    yield service
    if service.process.poll() is None:
        service.process.kill()
        service.process.communicate()


def send(service: Running, request: dict) -> None:
    url = f"http://{service.endpoints['otlp']['http']}/v1/traces"
    body = json.dumps(request).encode()
    with urllib.request.urlopen(
        urllib.request.Request(url, body, {"content-type": "application/json"}), timeout=30
    ) as reply:
        assert reply.status == 200


def rows(service: Running, sql: str) -> list[dict]:
    return json.loads(service.command("query", sql, "--output", "json"))


def healthy(service: Running) -> subprocess.CompletedProcess[str]:
    """The HEALTHCHECK of the image, asking the port this service has."""
    (check,) = dockerfile.values("HEALTHCHECK")
    python, *arguments = json.loads(check.partition("CMD ")[2])
    port = service.endpoints["admin"]["http"].rpartition(":")[2]
    code, changes = re.subn(r"localhost:4330", f"localhost:{port}", arguments[-1])
    assert changes == 1
    return call(Path(service.spanloom).with_name(python), *arguments[:-1], code)


def test_the_installed_wheel_stores_and_writes_nothing_outside_its_data(running, installed):
    before = files_of(installed)
    send(running, TRACE)
    deadline = time.monotonic() + 30
    sql = "select model, input_tokens, attributes from observations"
    while not (found := rows(running, sql)):
        assert time.monotonic() < deadline
    assert [(row["model"], row["input_tokens"]) for row in found] == [("gpt-4o-mini", 1000)]
    assert "jane@example.com" not in json.dumps(found)
    assert healthy(running).returncode == 0
    assert running.stop() == 0
    assert healthy(running).returncode != 0
    assert files_of(installed) == before
    assert files_of(running.cwd) == files_of(running.user_home) == set()
    assert "spanloom.duckdb" in files_of(running.data)


def test_every_library_that_is_imported_is_declared(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    declared = {
        canonical(match[1])
        for match in re.finditer(r"^Requires-Dist: ([\w.-]+)(?!.*extra ==).*$", metadata, flags=re.MULTILINE)
    }
    # What only an extra brings is imported where somebody asked for it.
    extras = {
        canonical(name) for name in re.findall(r"^Requires-Dist: ([\w.-]+).*extra == '(?!test)", metadata, re.MULTILINE)
    }
    owners = packages_distributions()
    undeclared = {
        f"{path.relative_to(ROOT)}: {module}"
        for path, module in imported()
        if not declared & {canonical(owner) for owner in owners.get(module, [])} and canonical(module) not in extras
    }
    assert undeclared == set()


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> Iterator[tuple[Path, str]]:
    """Top-level names of other people's modules; those of the test kit are the business of who uses it."""
    own = {*PACKAGES, "spanloom", *sys.stdlib_module_names}
    for path in [*(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")), ROOT / "spanloom.py"]:
        if path.is_relative_to(ROOT / "collector" / "testing"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            yield from ((path, top) for name in names if (top := name.partition(".")[0]) not in own)
