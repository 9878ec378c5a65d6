"""The configuration shown as a document, and its secrets.

Proves that no secret is shown in the document or a message, and that the document reads back the same. Does not prove
that components keep their secrets out of their own logs.
"""

from __future__ import annotations

from typing import Any

import pytest

from collector.component.registry import Registry
from collector.config.load import document
from tests.config.config_kit import Load, problems, with_exporter


def test_the_document_shows_references_and_hides_secrets(load_text: Load) -> None:
    text = with_exporter(
        "{endpoint: 'https://u:hunter2@host/${env:PATH_}', key: hunter3, "
        "headers: {a: hunter4, b: 'Basic ${env:B}', c: 'hunter6 ${C:-hunter7}'}, timeout: '${env:T:-5s}'}"
    )
    config = load_text(text, environ={"PATH_": "p", "B": "hunter5"})
    shown: Any = config.document
    assert shown["exporters"]["otlp_http"] == {
        "endpoint": "https://[REDACTED]@host/${env:PATH_}",
        "key": "[REDACTED]",
        "headers": {"a": "[REDACTED]", "b": "Basic ${env:B}", "c": "[REDACTED]${C:-[REDACTED]}"},
        "timeout": "${env:T:-5s}",
    }
    assert "hunter" not in str(shown)


def test_a_key_in_the_query_of_an_address_is_hidden(load_text: Load) -> None:
    config = load_text(with_exporter("{endpoint: 'https://h/x?a=1&api_key=hunter2&b=2', key: k}"))
    shown: Any = config.document
    assert shown["exporters"]["otlp_http"]["endpoint"] == "https://h/x?a=1&api_key=[REDACTED]&b=2"


def test_the_document_reads_back_as_the_same_configuration(registry: Registry) -> None:
    text = "yaml:x: {a: $$5, b: '$${env:X}', c: '${env:Y}', d: 1.10, e: [true, null]}"
    shown = document([text], environ={"Y": "1"}, registry=registry)
    again = document([f"yaml:{shown}".replace("None", "null")], environ={"Y": "1"}, registry=registry)
    assert again == shown == {"x": {"a": "$$5", "b": "$${env:X}", "c": "${env:Y}", "d": 1.1, "e": [True, None]}}


SECRET = "hunter22"


@pytest.mark.parametrize(
    "options",
    [
        "{endpoint: 'x ${env:S}'}",
        "{endpoint: a, key: ['${env:S}']}",
        "{endpoint: a, headers: '${env:S}'}",
        "{endpoint: a, timeout: '${env:S}'}",
        "{endpoint: a, sending_queue: {queue_size: '${env:S}'}}",
        "{endpoint: a, ratio: '${env:S}'}",
        f"{{endpoint: a, headers: {SECRET}}}",
        f"{{endpoint: a, headers: {{a: [{SECRET}]}}, timeout: 5}}",
        f"{{endpoint: 'http://u:{SECRET}@h x'}}",
        f"{{endpoint: a, password: {SECRET}}}",
        "'${env:S}'",
    ],
)
def test_no_message_shows_a_secret(load_text: Load, options: str) -> None:
    text = with_exporter(options)
    found = problems(load_text, text, environ={"S": SECRET})
    assert found
    assert SECRET not in "\n".join(found)
