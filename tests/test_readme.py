"""What the README tells a newcomer to do works, word for word; only ports and folders are the test's.

Proves commands, links and the quickstart's row. Does not prove what the README claims beside them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.e2e.running import PORTS, Spanloom, wait_until

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SPANLOOM = [sys.executable, "-c", "from collector.cli.app import main; main()"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands(*prefixes: str) -> list[list[str]]:
    """The arguments of every command line of the README that begins so, comments left out."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [line for line in words if line and line[0] in prefixes]


def environment() -> dict[str, str]:
    return dict(argument.split("=", 1) for _, argument in commands("export"))


def spanloom(arguments: list[str], data_dir: Path) -> str:
    """What a command prints when it is run as the README has it."""
    done = subprocess.run(
        [*SPANLOOM, *arguments, "--data-dir", str(data_dir)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_quickstart_gives_a_masked_and_priced_row(tmp_path: Path) -> None:
    (application,) = blocks("python")
    *_, quickstart = queries = [arguments for _, *arguments in commands(".venv/bin/spanloom")]
    with Spanloom(tmp_path, sets=PORTS) as service:
        environ = os.environ | environment()
        assert environ["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://localhost:4318"
        environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = service.http
        subprocess.run([sys.executable, "-c", application], env=environ, timeout=60, check=True)
        wait_until(lambda: service.query("select count(*) from observations") == [[1]])
        while_running = [spanloom(arguments, tmp_path) for arguments in queries]
        ((user, service_name),) = service.query("select user_id, service_name from observations")
        assert service.terminate() == 0
    assert [spanloom(arguments, tmp_path) for arguments in queries] == while_running
    said = spanloom(quickstart, tmp_path)
    assert "0.000210" not in said
    for word in ("chat gpt-4o-mini", "1000", "0.00021", "[EMAIL]"):
        assert word in said
    assert "jane" not in said
    assert re.fullmatch(r"user-[0-9a-f]{16}", user)
    assert service_name == environment()["OTEL_SERVICE_NAME"]


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = [target for _, target in commands("make")]
    assert named == ["run", "test"]
    assert set(named) <= set(targets)


def test_every_command_named_exists() -> None:
    done = subprocess.run([*SPANLOOM, "--help"], capture_output=True, text=True, timeout=60, check=True)
    named = {name for _, name, *_ in commands("spanloom", ".venv/bin/spanloom")}
    assert {"validate", "dry-run", "query"} <= named
    assert [name for name in named if not re.search(rf"^\W*{name}\b", done.stdout, re.MULTILINE)] == []


def test_every_file_linked_to_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
