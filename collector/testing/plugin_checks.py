"""Everything that must hold of a component of a plug-in, run over its factory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import ValidationError

from collector.component.base import ComponentConfig, ComponentId, Kind, Settings
from collector.component.exporter import ExporterFactory
from collector.component.extension import DecidedReader, ExtensionFactory
from collector.component.processor import ProcessorFactory, Stage
from collector.component.sampler import SamplerFactory
from collector.telemetry import Telemetry
from collector.testing.exports import export_batch
from collector.testing.laws import check_exporter, check_extension, check_processor
from collector.testing.strategies import batches


def check_component(kind: Kind, name: str, factory: Any, options: Mapping[str, Any], *, examples: int) -> list[str]:
    """What is wrong with a component; nothing when all is well.

    ``examples``: generated batches per signal of a processor. An exporter, and an extension that reads, is given two
    small ranges.
    """
    wanted = _FACTORIES[kind]
    if type(factory) not in wanted:
        named = " or ".join(one.__name__ for one in wanted)
        return [f"the entry point is a {type(factory).__name__}, expected a {named}"]
    if not issubclass(factory.config, ComponentConfig):
        return [f"{factory.config.__name__} does not extend spanloom.ComponentConfig: unknown options would pass"]
    try:
        config = factory.config(**options)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return [f"it needs options ({wrong}): give some with --options '{name}={{...}}'"]
    with tempfile.TemporaryDirectory(prefix="spanloom-plugin-") as folder:
        made = Settings(ComponentId(name), Telemetry(), structlog.stdlib.get_logger(name), Path(folder))
        if isinstance(factory, ExporterFactory):
            return _problems(lambda: check_exporter(lambda: factory.create(config, made), _RANGES))
        if isinstance(factory, ExtensionFactory):
            return _extension_problems(factory, config, made)
        if isinstance(factory, SamplerFactory):
            return _problems(lambda: factory.create(config, made))
        return _processor_problems(factory, config, made, examples)


_RANGES = (export_batch([{"span_name": "chat"}, {"span_name": "tool"}]), export_batch([{"span_name": "é"}], first=2))


_FACTORIES: Mapping[Kind, tuple[type, ...]] = {
    Kind.PROCESSOR: (ProcessorFactory, SamplerFactory),
    Kind.EXPORTER: (ExporterFactory,),
    Kind.EXTENSION: (ExtensionFactory,),
}


def _extension_problems(factory: ExtensionFactory, config: Any, made: Settings) -> list[str]:
    if factory.reads_decided and not isinstance(factory.create(config, made), DecidedReader):
        return ["its factory says that it reads decided data, but it has no read_decided"]
    ranges = _RANGES if factory.reads_decided else ()
    return _problems(lambda: check_extension(lambda: factory.create(config, made), ranges))


def _processor_problems(factory: ProcessorFactory, config: Any, made: Settings, examples: int) -> list[str]:
    processor: Any = factory.create(config, made)
    found = []
    for signal in sorted(factory.signals):

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None,
                  phases=[Phase.generate, Phase.shrink], print_blob=False)  # fmt: skip
        @given(batch=batches(signal, facts=factory.stage is not Stage.MASK))
        def keeps_the_laws(batch: Any) -> None:
            check_processor(processor, [batch])

        found += [f"{signal}: {problem}" for problem in _problems(keeps_the_laws)]
    return found


def _problems(check: Callable[[], object]) -> list[str]:
    try:
        check()
    except Exception as error:
        return [f"{type(error).__name__}: {error}" if not isinstance(error, AssertionError) else str(error)]
    return []
