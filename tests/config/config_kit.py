"""The smallest configuration, and the problems found in others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collector.config.plan import CollectorConfig
from collector.errors import ConfigError

Load = Callable[..., CollectorConfig]
MINIMAL = """\
receivers:
  otlp: {protocols: {http: }}
processors:
  pii:
exporters:
  debug:
service:
  pipelines:
    traces: {receivers: [otlp], processors: [pii], exporters: [debug]}
"""


def problems(load_text: Load, *texts: str, **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(*texts, **more)
    return list(caught.value.problems)


def with_exporter(options: str) -> str:
    """``MINIMAL`` with another exporter, in line 7."""
    more = MINIMAL.replace("  debug:\n", f"  debug:\n  otlp_http: {options}\n")
    return more.replace("[debug]", "[debug, otlp_http]")
