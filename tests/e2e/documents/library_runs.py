"""Programs of ``docs/libraries.md`` run word for word: only the address of Spanloom is another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from collector.pages import libraries
from collector.pages.libraries import Library
from tests.deploy.tools import ROOT

DATA = libraries.read(ROOT / "docs")
TOOLS = ROOT / ".ci" / "tools"
ADDRESS = "http://localhost:4318"


def interpreter(library: Library, folder: Path) -> list[str]:
    """The command that runs a program of its language, with the packages of this folder."""
    if library.language == "javascript":
        return ["node"]
    return [sys.executable] if library.tools == "test" else [str(folder / "bin" / "python")]


def started(
    library: Library, command: list[str], folder: Path, *, service: str, api: str, name: str
) -> subprocess.Popen[str]:
    """The program, running. ``folder``: where it is written; ``name``: the service it says it is."""
    program = DATA.program(library).replace(ADDRESS, service)
    if "httpPort: 4318" in program:
        program = program.replace("httpPort: 4318", f"httpPort: {service.rpartition(':')[2]}")
    suffix = "py" if library.language == "python" else "mjs" if library.module else "cjs"
    file = folder / f"{name}.{suffix}"
    file.write_text(program)
    mine = {key: value.replace(ADDRESS, service) for key, value in library.env.items()}
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "LANGFUSE_", "PYTHON"))}
    environ = kept | mine | _provider(api) | {"OTEL_SERVICE_NAME": name}
    return subprocess.Popen(
        [*command, str(file)], env=environ, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _provider(api: str) -> dict[str, str]:
    """The variables by which the providers' own clients find the mock. ``api`` ends in ``/v1``."""
    base = api.removesuffix("/v1")
    return {
        "OPENAI_BASE_URL": api, "OPENAI_API_BASE": api, "OPENAI_API_KEY": "sk-none",
        "ANTHROPIC_BASE_URL": base, "ANTHROPIC_API_KEY": "sk-none",
        "GOOGLE_GEMINI_BASE_URL": base, "GEMINI_API_KEY": "none",
    }  # fmt: skip
