"""``spanloom capture``: receive OTLP and write it to files, masked; ``spanloom replay`` sends such files again."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from collector.cli.announce import env_block
from collector.cli.client import send_otlp
from collector.cli.options import CapturedSignal, Captures, Overrides, load_config, read_captures
from collector.cli.output import errors_explained, note, print_json, print_line
from collector.errors import CollectorError, ConfigError, PermanentError
from collector.model.batch import Signal

_OWNER_ONLY = 0o700


class Format(StrEnum):
    """Formats of captured requests."""

    JSON = "json"
    PROTO = "proto"


class Report(StrEnum):
    """How it is told what was done."""

    TEXT = "text"
    JSON = "json"


def capture(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", file_okay=False, help="Folder of the files; made if need be.")
    ],
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="Write personal data and secrets as they come. Mind who reads the files.")
    ] = False,
    format_: Annotated[Format, typer.Option("--format", help="Lines of JSON, or protobuf.")] = Format.JSON,
    overrides: Overrides = None,
    output: Annotated[Report, typer.Option(help="How to report what was written.")] = Report.TEXT,
) -> None:
    """Receive OTLP on localhost and write it to files, until Ctrl-C.

    One file per signal: traces, logs and metrics; what is there already stays, new requests follow. Personal data is
    masked unless --unmasked says otherwise. dry-run, explain and replay take the files. Nothing is stored elsewhere.

    Other ports: --set receivers.otlp.protocols.http.endpoint=localhost:5318
    """
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    with errors_explained():
        from collector.service import logs, service  # noqa: PLC0415 - the service imports everything

        _make(out)
        with tempfile.TemporaryDirectory(prefix="spanloom-capture-") as scratch:
            document = _document(out.absolute(), format_, unmasked=unmasked)
            checked = load_config([f"yaml:{json.dumps(document)}"], overrides, Path(scratch))
            logs.configure("warn")
            if unmasked:
                note("personal data and secrets are written as they come", kind="warning")

            def announce(addresses: Mapping[str, Mapping[str, str]]) -> None:
                for receiver, protocols in addresses.items():
                    for protocol, address in protocols.items() if receiver != "admin" else ():
                        note(f"receiving {protocol} on {address}, writing to {out}; Ctrl-C ends it")
                for name, value in env_block(checked, addresses).items():
                    note(f"export {name}={value}")

            code = service.run(checked, data_dir=Path(scratch), announce=announce)
    _report(out, output)
    raise typer.Exit(code)


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True, mode=_OWNER_ONLY)
    except OSError as error:
        raise ConfigError(f"--out: {out} cannot be made: {error.strerror}") from None


def _document(out: Path, format_: Format, *, unmasked: bool) -> dict[str, Any]:
    """A configuration that receives on the default ports and writes a file per signal."""
    protocols = {"grpc": {"endpoint": "localhost:4317"}, "http": {"endpoint": "localhost:4318"}}
    options = {"format": format_.value, "append": True, "flush_interval": "200ms"}
    return {
        "receivers": {"otlp": {"protocols": protocols}},
        "processors": {} if unmasked else {"pii": {}},
        "exporters": {f"file/{s.value}": {"path": str(_file(out, s, format_)), **options} for s in Signal},
        "service": {
            "admin": {"endpoint": "localhost:0"},
            "pipelines": {
                s.value: {
                    "receivers": ["otlp"],
                    "processors": [] if unmasked else ["pii"],
                    "exporters": [f"file/{s.value}"],
                }
                for s in Signal
            },
        },
    }


def _file(out: Path, signal: Signal, format_: Format) -> Path:
    return out / f"{signal.value}{'.jsonl' if format_ is Format.JSON else '.binpb'}"


def _report(out: Path, output: Report) -> None:
    """What lies in the folder now; files of signals that never came are taken away."""
    written = []
    for path in sorted(_file(out, signal, format_) for signal in Signal for format_ in Format):
        if not path.exists():
            continue
        if path.stat().st_size:
            written.append({"file": str(path), "bytes": path.stat().st_size})
        else:
            path.unlink()
    if output is Report.JSON:
        print_json({"files": written})
        return
    for file in written:
        print_line(f"{file['file']}  {file['bytes']:,} bytes")
    if not written:
        note("nothing was received")


def replay(
    inputs: Captures,
    endpoint: Annotated[
        str, typer.Option(metavar="URL", help="Whom to send to; /v1/traces and the like are appended.")
    ] = "http://localhost:4318",
    signal: CapturedSignal = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="NAME=VALUE", help="Sent with each request; may repeat.")
    ] = None,
    output: Annotated[Report, typer.Option(help="How to report what was sent.")] = Report.TEXT,
) -> None:
    """Send captured files again, over OTLP/HTTP: to a collector or any backend.

    Requests go out one after the other, as they are. One that is refused for good ends it, with its file and line.
    """
    with errors_explained():
        headers = dict(map(_header, header or ()))
        names, requests = read_captures(inputs, signal)
        if not requests:
            raise PermanentError(f"{', '.join(map(str, inputs))}: no requests in it")
        sent = size = rejected = 0
        with _progress(len(requests)) as advance:
            for name, (of, body) in zip(names, requests, strict=True):
                try:
                    rejected += send_otlp(endpoint, of.value, body, headers)
                except CollectorError as error:
                    raise PermanentError(f"{name}: {error}; {sent} of {len(requests)} requests were sent") from None
                sent, size = sent + 1, size + len(body)
                advance()
    if output is Report.JSON:
        print_json({"requests": sent, "bytes": size, "rejected_items": rejected, "endpoint": endpoint})
    else:
        print_line(f"{sent} requests ({size:,} bytes) sent to {endpoint}")
    if rejected:
        note(f"{rejected} items were rejected there", kind="warning")
        raise typer.Exit(1)


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--header {text!r}: expected NAME=VALUE")
    return name.strip(), value


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr where that is a terminal; gives what moves it on."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 - only needed on a terminal
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sending", total=total)
        yield lambda: bar.advance(task)
