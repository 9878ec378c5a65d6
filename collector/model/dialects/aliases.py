"""Dialects: which attribute keys mean what, as tables (YAML) with a typed loader.

``key_class`` is what a masker asks; ``compiled`` is what ``collector.model.facts.resolve`` runs on.
"""

from __future__ import annotations

import functools
import re
from typing import Literal

from collector.model.dialects import fact_tables
from collector.model.dialects.rules import Compiled, compiled

__all__ = ["Compiled", "KeyClass", "compiled", "finish_reason", "key_class", "known_keys", "provider"]

KeyClass = Literal["content", "identity", "fact"]

_IDENTITY_FIELDS = frozenset({"user_id", "session_id"})
_CONTENT_FIELDS = frozenset({"name", "trace_name", "tags", "agent_name", "tool_name", "prompt_name"})


@functools.lru_cache(maxsize=16_384)
def key_class(key: str) -> KeyClass:
    """How the values of an attribute key are to be treated.

    ``identity``: names a user or a session. ``fact``: numbers, enums, model names, ids; a masker may
    skip values that look like one. ``content``: everything else, unknown keys included.
    """
    identity, fact = _patterns()
    if identity.match(key):
        return "identity"
    return "fact" if fact.match(key) else "content"


@functools.cache
def known_keys() -> frozenset[str]:
    """Every key the tables name; ``*`` at the end makes a prefix, elsewhere it is an index."""
    files = fact_tables.files()
    lists = (key for f in files for key in (*f.usage_keys, *f.cost_keys, *f.fact_keys, *f.identity_keys))
    return frozenset(
        [
            *lists,
            *(o.key for f in files for o in _objects(f)),
            *(key for f in files for row in f.rows for key in _keys(row)),
            *(key for f in files for carrier in f.scores for key in carrier.keys),
        ]
    )


@functools.cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Matchers of the identity keys and of the fact keys."""
    files = fact_tables.files()
    rows = [row for f in files for row in f.rows if row.const is None and row.source.json_key is None]
    identity = {key for row in rows if row.field in _IDENTITY_FIELDS for key in _keys(row)}
    content = {key for row in rows if row.field in _CONTENT_FIELDS for key in _keys(row)}
    facts = {key for row in rows for key in _keys(row)} - content
    objects = {o.key for f in files for o in _objects(f) if o.path is None}
    return (
        fact_tables.matcher(sorted(identity.union(*(f.identity_keys for f in files)))),
        fact_tables.matcher(sorted(facts.union(objects, *(f.fact_keys for f in files)))),
    )


def _objects(file: fact_tables.File) -> tuple[fact_tables.UsageObject | fact_tables.CostObject, ...]:
    return (*file.usage_objects, *file.cost_objects)


def _keys(row: fact_tables.Row) -> tuple[str, ...]:
    source = row.source
    return tuple(key for key in (source.key, source.json_key, source.resource, *source.join) if key)


@functools.lru_cache(maxsize=4_096)
def provider(text: str) -> str | None:
    """The canonical name of a model provider; none for names of frameworks and for nothing."""
    lists = fact_tables.aliases()
    folded = text.strip().strip('"').casefold()
    if not folded or folded in lists.not_providers:
        return None
    if folded in lists.providers:
        return lists.providers[folded]
    # "openai.chat", "anthropic.messages": the AI SDK appends the kind of model.
    parts = folded.split(".")
    for length in range(len(parts) - 1, 0, -1):
        head = ".".join(parts[:length])
        if head in lists.providers:
            return lists.providers[head]
    kinds = {kind.casefold() for kind in lists.provider_suffixes}
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
    return fact_tables.aliases().finish_reasons.get(folded, folded)


@functools.cache
def _model_patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), name) for pattern, name in fact_tables.aliases().models]


@functools.cache
def _server_patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), name) for pattern, name in fact_tables.aliases().servers]
