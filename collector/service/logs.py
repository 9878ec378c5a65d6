"""The collector's own log lines: for people on a terminal, as JSON otherwise. Always on stderr.

Log calls carry names, counts and reasons: never content, never a secret. As a second line of defence
values under keys that sound like a secret are hidden, and tracebacks show no local variables.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from collector.config.secrets import HIDDEN, is_secret

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
"""As ``service.telemetry.logs.level`` names them."""

_CHATTY = ("httpx", "httpcore", "asyncio", "uvicorn", "urllib3")
"""Loggers that report every request or start, some with its URL."""


def configure(level: str = "info", *, stream: TextIO | None = None, pretty: bool | None = None) -> None:
    """Sets up structlog and the standard library's logging, which libraries use, to write alike.

    ``pretty``: for people instead of JSON; None: if the stream is a terminal.
    """
    stream = stream or sys.stderr
    pretty = stream.isatty() if pretty is None else pretty
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_rendering(pretty, stream))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(LEVELS[level], logging.WARNING))
    logging.captureWarnings(capture=True)


def _rendering(pretty: bool, stream: TextIO) -> list[Processor]:
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if pretty:
        colors = "NO_COLOR" not in os.environ and stream.isatty()
        # Rich tracebacks would show local variables, which may hold content.
        renderer = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
        return [remove_meta, renderer]
    without_locals = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        remove_meta,
        structlog.processors.ExceptionRenderer(without_locals),
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]


def _hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        if key not in ("event", "logger", "level") and not key.startswith("_") and is_secret((key,)):
            event[key] = HIDDEN
    return event
