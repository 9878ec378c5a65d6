"""Prices stored calls again where no service runs."""

from __future__ import annotations

from pathlib import Path

import structlog

from collector.component.base import Settings
from collector.component.exporter import ExporterFactory, Repriceable
from collector.config.plan import CollectorConfig
from collector.engine.repricing import ModelChange, Repricing, pricing_processors
from collector.telemetry import Telemetry


def reprice_offline(
    config: CollectorConfig, data_dir: Path, *, since_unix_nano: int, dry_run: bool
) -> dict[str, list[ModelChange]]:
    """Opens the stores of a configuration that no service uses, prices what they hold again, and closes them."""
    reports = {}
    for id_ in dict.fromkeys(id_ for pipeline in config.pipelines for id_ in pipeline.exporters):
        component = config.exporters[id_]
        assert isinstance(component.factory, ExporterFactory)
        if not component.factory.stores:
            continue
        store = component.factory.create(
            component.config, Settings(id_, Telemetry(), structlog.get_logger(str(id_)), data_dir)
        )
        if isinstance(store, Repriceable):
            pricing = Repricing(pricing_processors(config, data_dir))
            store.start()
            try:
                store.reprice(pricing, since_unix_nano=since_unix_nano, dry_run=dry_run)
            finally:
                store.shutdown()
            reports[str(id_)] = pricing.report()
    return reports
