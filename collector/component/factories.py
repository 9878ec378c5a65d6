"""The contracts between the engine and its components.

Every component has the same shape: a frozen ``Config`` (what a user may set), and a factory found
by entry point (``spanloom.receivers``, ``.processors``, ``.exporters``, ``.connectors``, ``.extensions``).
What the engine passes in is called ``Settings``. Lifecycle: creating does no I/O; ``start`` returns
quickly; ``shutdown`` is safe to call twice or without a start. Extensions start first and stop last;
between them exporters start first and receivers stop first.
"""

from __future__ import annotations

from collector.component.connector import ConnectorFactory
from collector.component.exporter import ExporterFactory
from collector.component.extension import ExtensionFactory
from collector.component.processor import ProcessorFactory
from collector.component.receiver import ReceiverFactory
from collector.component.sampler import SamplerFactory

AnyFactory = ReceiverFactory | ProcessorFactory | SamplerFactory | ExporterFactory | ConnectorFactory | ExtensionFactory
