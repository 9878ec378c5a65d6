"""Log lines: JSON when nobody watches, and never a secret.

Proves form, level and hiding of fields that sound secret. Does not prove that no code logs a secret under another
name.
"""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from collector.service import logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # Another test may have left logging in the belief that it still captures what pytest has taken back.
    logging.captureWarnings(capture=False)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_json_object_per_line_for_our_log_and_that_of_libraries() -> None:
    stream = io.StringIO()
    logs.configure("info", stream=stream)
    structlog.stdlib.get_logger("engine").info("ready", count=3, name="ünï")
    logging.getLogger("uvicorn.error").warning("bad request: %s", "x")
    ours, theirs = lines(stream)
    assert (ours["event"], ours["count"], ours["name"], ours["logger"], ours["level"]) == (
        "ready",
        3,
        "ünï",
        "engine",
        "info",
    )
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("bad request: x", "uvicorn.error", "warning")


def test_the_level_holds_for_everybody_and_chatty_libraries_stay_quiet() -> None:
    stream = io.StringIO()
    logs.configure("debug", stream=stream)
    logging.getLogger("httpx").info("GET http://u:p@host")
    logging.getLogger("x").debug("seen")
    logs.configure("error", stream=stream)
    logging.getLogger("x").warning("not seen")
    structlog.stdlib.get_logger("x").warning("not seen")
    assert [line["event"] for line in lines(stream)] == ["seen"]


def test_values_that_sound_secret_are_hidden() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    structlog.stdlib.get_logger("x").info("sending", api_key="hunter2", headers={"a": "hunter2"}, tokens=5)
    (line,) = lines(stream)
    assert "hunter2" not in stream.getvalue()
    assert line["tokens"] == 5


@pytest.mark.parametrize("pretty", [True, False])
def test_tracebacks_show_no_local_variables(pretty: bool) -> None:
    stream = io.StringIO()
    logs.configure(stream=stream, pretty=pretty)
    prompt = "what the user " + "said"
    try:
        len(prompt) / 0
    except ZeroDivisionError:
        structlog.stdlib.get_logger("x").exception("failed")
        logging.getLogger("y").exception("failed")
    assert "ZeroDivisionError" in stream.getvalue()
    assert "what the user said" not in stream.getvalue()


def test_people_get_text() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream, pretty=True)
    structlog.stdlib.get_logger("x").info("ready", count=3)
    assert "ready" in stream.getvalue()
    assert "count" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_warnings_become_log_lines() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", UserWarning, stacklevel=1)
    assert "careful" in lines(stream)[0]["event"]
