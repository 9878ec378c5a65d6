"""Other names of one thing: providers, models and hosts that give a provider away, finish reasons."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from collector.model.dialects.row_base import Strict
from collector.model.dialects.table_files import load


class Aliases(Strict):
    """The lists of ``aliases.yaml``."""

    providers: Mapping[str, str]
    """Spelling → canonical provider."""
    not_providers: tuple[str, ...]
    """Names of frameworks found where a provider should be."""
    provider_suffixes: tuple[str, ...]
    """Kinds of model that may follow a provider's name after a dot."""
    models: tuple[tuple[str, str], ...]
    """(regular expression on the model name, provider), first match wins."""
    servers: tuple[tuple[str, str], ...]
    """(regular expression on the host, provider), first match wins."""
    finish_reasons: Mapping[str, str]


@functools.cache
def lists() -> Aliases:
    """The provider, model and finish-reason lists. Raises ``ConfigError``."""
    return load(Aliases, "aliases.yaml")


@functools.lru_cache(maxsize=4_096)
def provider(text: str) -> str | None:
    """The canonical name of a model provider; none for names of frameworks and for nothing."""
    known = lists()
    folded = text.strip().strip('"').casefold()
    if not folded or folded in known.not_providers:
        return None
    if folded in known.providers:
        return known.providers[folded]
    # "openai.chat", "anthropic.messages": the AI SDK appends the kind of model.
    parts = folded.split(".")
    for length in range(len(parts) - 1, 0, -1):
        head = ".".join(parts[:length])
        if head in known.providers:
            return known.providers[head]
    kinds = {kind.casefold() for kind in known.provider_suffixes}
    return ".".join(parts[:-1]) if len(parts) > 1 and parts[-1] in kinds else folded


@functools.lru_cache(maxsize=4_096)
def provider_of_model(model: str) -> str | None:
    """The provider a model's name gives away, or none."""
    for pattern, name in _model_patterns():
        if match := pattern.search(model.casefold()):
            return provider(match.expand(name))
    return None


@functools.lru_cache(maxsize=4_096)
def provider_of_server(host: str) -> str | None:
    """The provider behind an API host, or none."""
    for pattern, name in _server_patterns():
        if pattern.search(host.casefold()):
            return name
    return None


@functools.lru_cache(maxsize=1_024)
def finish_reason(text: str) -> str:
    """A finish reason in the semantic conventions' words; an unknown one in lower case."""
    folded = text.strip().casefold()
    folded = folded.removeprefix("finishreason.").removeprefix("finish_reason_")
    return lists().finish_reasons.get(folded, folded)


@functools.cache
def _model_patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), name) for pattern, name in lists().models]


@functools.cache
def _server_patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), name) for pattern, name in lists().servers]
