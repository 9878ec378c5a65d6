"""``spanloom prices show`` and ``spanloom reprice``: what a model costs, and what stored calls cost today."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from collector.cli.client import ask_service
from collector.cli.options import DEFAULT_DATA_DIR, ConfigFiles, DataDir, Endpoint, Overrides, load_config
from collector.cli.output import Output, errors_explained, fail, note, print_table
from collector.component.processor import PriceList
from collector.config.plan import CollectorConfig
from collector.engine.repricing import COLUMNS, pricing_processors
from collector.errors import ConfigError
from collector.model.stored.as_json import json_rows
from collector.offline.reprice import reprice_offline
from collector.options.durations import parse_duration
from collector.service import running as service_file

prices = typer.Typer(help="Look at prices.", no_args_is_help=True)

_REPRICE_SECONDS = 3_600.0


@prices.command("show")
def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model as telemetry names it.")],
    provider: Annotated[str | None, typer.Option(help="Who sells it: openai, aws.bedrock, ...")] = None,
    tier: Annotated[str | None, typer.Option(help="Service tier: batch, flex, priority, ...")] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="ISO time of the call; default: now.")] = None,
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    output: Annotated[Output, typer.Option(help="How to print the table.")] = Output.TABLE,
) -> None:
    """Show what a model costs.

    Prices are those a pipeline of this configuration would use, your own ones included.
    """
    with errors_explained():
        checked = load_config(config, overrides, data_dir)
        moment = time.time_ns() if at is None else _moment(at, "--at")
        for processor in pricing_processors(checked, data_dir.absolute()):
            if not isinstance(processor, PriceList):
                continue
            table = processor.prices(model, provider=provider, tier=tier, unix_nano=moment)
            if table is not None:
                print_table(table.schema.names, json_rows(table), output)
                return
    fail(f"nobody has a price for the model {model!r}{f' of {provider}' if provider else ''}")


def reprice(
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Calls from this time on: 2026-11-01, 2026-11-01T12:00Z, or 7d (ago).")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report what would change.")] = False,
    config: ConfigFiles = None,
    overrides: Overrides = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    endpoint: Endpoint = None,
    output: Annotated[Output, typer.Option(help="How to print the report.")] = Output.TABLE,
) -> None:
    """Price stored calls again.

    Computed costs are worked out anew from the stored usage, with the prices that this configuration has now.
    Costs that came with the telemetry stay. A running service does it itself, with its own configuration.
    """
    with errors_explained():
        since_unix_nano = _moment(since, "--since")
        running = service_file.read(data_dir)
        address = endpoint or (service_file.reachable(running.endpoint) if running else None)
        if address:
            stores = _by_service(address, since_unix_nano, dry_run=dry_run)
        else:
            stores = _offline(load_config(config, overrides, data_dir), data_dir, since_unix_nano, dry_run=dry_run)
    rows = [[store, *change] for store, changes in stores.items() for change in changes]
    types = ["decimal" if "cost" in name or name == "difference" else "" for name in COLUMNS]
    print_table(["store", *COLUMNS], rows, output, types=["", *types])
    changed = sum(int(row[1 + COLUMNS.index("changed")]) for row in rows)
    note(f"{changed} rows {'would change' if dry_run else 'changed'}")


def _by_service(address: str, since_unix_nano: int, *, dry_run: bool) -> dict[str, Iterable[Sequence[Any]]]:
    body = {"since_unix_nano": since_unix_nano, "dry_run": dry_run}
    stores: dict[str, Iterable[Sequence[Any]]] = ask_service(
        address, "/api/v1/reprice", body, timeout_seconds=_REPRICE_SECONDS
    )["stores"]
    return stores


def _offline(
    config: CollectorConfig, data_dir: Path, since_unix_nano: int, *, dry_run: bool
) -> dict[str, Iterable[Sequence[Any]]]:
    if not data_dir.exists():
        raise ConfigError(f"--data-dir: there is no folder {data_dir}")
    reports = reprice_offline(config, data_dir.absolute(), since_unix_nano=since_unix_nano, dry_run=dry_run)
    if not reports:
        raise ConfigError("this configuration has no store (duckdb, parquet)")
    return {store: [change.as_row() for change in report] for store, report in reports.items()}


def _moment(text: str, option: str) -> int:
    """Unix nanoseconds of an ISO date or time (UTC if it names no zone), or of a duration ago."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            ago = parse_duration(text)
        except ValueError:
            raise ConfigError(f"{option}: {text!r} is neither a date, a time nor a duration such as 7d") from None
        return time.time_ns() - int(ago / timedelta(microseconds=1)) * 1_000
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1_000
