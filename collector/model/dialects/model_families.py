"""The family of a model: one name for all its dated names and spellings, by the rules of ``model_families.yaml``."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from collector.model.dialects.row_base import Strict
from collector.model.dialects.table_files import load

LONGEST = 256
"""Characters of a name; a longer one is no model's, and is its own family as it is."""


class FamilyRule(Strict):
    """What is rewritten in a name."""

    about: str
    pattern: str
    """Regular expression, searched in the folded name."""
    becomes: str = ""
    source: str
    """Where the spelling is documented."""
    examples: Mapping[str, str]
    """Name → family, by all rules together."""


class FamilyRules(Strict):
    """The rules of ``model_families.yaml``, in their order."""

    rules: tuple[FamilyRule, ...]


@functools.cache
def rules() -> tuple[FamilyRule, ...]:
    """The rules, checked. Raises ``ConfigError``."""
    return load(FamilyRules, "model_families.yaml").rules


@functools.lru_cache(maxsize=4_096)
def model_family(model: str) -> str:
    """``gpt-4o-mini`` for ``azure/gpt-4o-mini-2024-07-18``: lower case, and its own family."""
    name = " ".join(model.split()).casefold()
    before = ""
    while len(name) <= LONGEST and name != before:
        before = name
        for pattern, becomes in _patterns():
            name = pattern.sub(becomes, name)
    return name


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(rule.pattern), rule.becomes) for rule in rules())
