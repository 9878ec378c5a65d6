"""What the tests of the pii processor share."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import structlog

from collector.model import attributes
from collector.model.batch import SpanBatch
from collector.telemetry import Telemetry
from collector.testing.builders import spans
from processors._pii.entities import Entity, Mode, writer
from processors._pii.masking_engine import Engine
from processors._pii.patterns import built_in, entity_defaults, marker
from processors.pii import Config, Pii
from spanloom import ComponentId, Settings

CARD = "4111" + "1111" * 3
EMAIL = "anna.schmidt@" + "example.org"
IBAN = "DE89" + "370400440532013000"
SSN = "536-90-" + "4399"
OPENAI_KEY = "sk-" + "proj-" + "aB3dE5gH7j" * 4
AWS_KEY = "AKIA" + "IOSFODNN7" + "EXAMPLE"
PASSWORD = "hunter2-is-" + "not-safe"


def processor(folder: Path | None = None, **options: Any) -> Pii:
    """A processor of its own."""
    folder = folder or Path(tempfile.mkdtemp())
    return Pii(Config(**options), Settings(ComponentId("pii"), Telemetry(), structlog.get_logger(), folder))


def engine(*only: str, opt_in: bool = False) -> Engine:
    """The detection alone: the entities named, all default ones, or all there are."""
    entities = {
        name: Entity(name, marker(name), Mode.REDACT)
        for name, default in entity_defaults().items()
        if name in only or (not only and (default or opt_in))
    }
    return Engine(built_in(entities), writer(b""))


def found(detector: Engine, text: str) -> list[tuple[str, int, int]]:
    """(entity, start, end) of everything found, in characters."""
    raw = text.encode()
    return [(f.entity.name, len(raw[: f.start].decode()), len(raw[: f.end].decode())) for f in detector.find(raw)]


def mask_text(masker: Pii, text: str, key: str = "x") -> Any:
    """One attribute's value after masking."""
    return mask_attributes(masker, {key: text}).get(key)


def mask_attributes(masker: Pii, values: dict[str, Any]) -> dict[str, Any]:
    batch: SpanBatch = masker.process(spans([{"attributes": values}]))
    return attributes.to_dicts(batch.column("attributes"))[0]


def counted(masker: Pii) -> Counter[str]:
    """Values masked so far, by entity."""
    samples = masker._masked.collect()[0].samples
    return Counter({s.labels["entity"]: int(s.value) for s in samples if s.name.endswith("_total") and s.value})


def failed(masker: Pii) -> int:
    samples = masker._failed.collect()[0].samples
    return int(sum(s.value for s in samples if s.name.endswith("_total")))
