"""How the values of an attribute key are to be treated: what a masker asks."""

from __future__ import annotations

import re
from typing import Literal

from collector.model.dialects.fact_tables import CostObject, File, Row, UsageObject
from collector.model.dialects.kept import kept
from collector.model.dialects.table_files import files, matcher

KeyClass = Literal["content", "identity", "fact"]

_IDENTITY_FIELDS = frozenset({"user_id", "session_id"})
_CONTENT_FIELDS = frozenset({"name", "trace_name", "tags", "agent_name", "tool_name", "prompt_name"})


@kept(16_384)
def key_class(key: str) -> KeyClass:
    """How the values of an attribute key are to be treated.

    ``identity``: names a user or a session. ``fact``: numbers, enums, model names, ids; a masker may
    skip values that look like one. ``content``: everything else, unknown keys included.
    """
    identity, fact = _patterns()
    if identity.match(key):
        return "identity"
    return "fact" if fact.match(key) else "content"


@kept()
def known_keys() -> frozenset[str]:
    """Every key the tables name; ``*`` at the end makes a prefix, elsewhere it is an index."""
    lists = (key for f in files() for key in (*f.usage_keys, *f.cost_keys, *f.fact_keys, *f.identity_keys))
    return frozenset(
        [
            *lists,
            *(o.key for f in files() for o in _objects(f)),
            *(key for f in files() for row in f.rows for key in _keys(row)),
            *(key for f in files() for carrier in f.scores for key in carrier.keys),
        ]
    )


@kept()
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Matchers of the identity keys and of the fact keys."""
    rows = [row for f in files() for row in f.rows if row.const is None and row.source.json_key is None]
    identity = {key for row in rows if row.field in _IDENTITY_FIELDS for key in _keys(row)}
    content = {key for row in rows if row.field in _CONTENT_FIELDS for key in _keys(row)}
    facts = {key for row in rows for key in _keys(row)} - content
    objects = {o.key for f in files() for o in _objects(f) if o.path is None}
    return (
        matcher(sorted(identity.union(*(f.identity_keys for f in files())))),
        matcher(sorted(facts.union(objects, *(f.fact_keys for f in files())))),
    )


def _objects(file: File) -> tuple[UsageObject | CostObject, ...]:
    return (*file.usage_objects, *file.cost_objects)


def _keys(row: Row) -> tuple[str, ...]:
    source = row.source
    return tuple(key for key in (source.key, source.json_key, source.resource, *source.join) if key)
