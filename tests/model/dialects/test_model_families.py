"""One family for all names of a model: the rules' own examples, laws over made-up names, and the whole price list.

Proves that what differs by more than a date, a place or a way of serving keeps families apart, over every name of the
price list that is installed. Does not prove that a maker calls two models of one family the same product.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import date

import pyarrow as pa
import pytest
from genai_prices.data import providers
from hypothesis import example, given, strategies as st

from collector.model.dialects import model_families
from collector.model.dialects.model_families import LONGEST, FamilyRule, model_family, rules
from collector.model.stored.observations import families

LISTED = [(provider.id, model.id) for provider in providers for model in provider.models]
NAMES = sorted({name for _, name in LISTED})
_DATE = re.compile(r"20\d{2}-?[01]\d-?[0-3]\d|[01]\d-20\d\d|(?<!\d)2[3-9][01]\d[0-3]\d(?!\d)")
_WORDS = re.compile(r"[a-z]+|\d+")
_SAYS_NO_PRODUCT = frozenset(
    {"latest", "free", "batch", "maas", "v", "global", "regional", "anthropic", "amazon", "ai", "deepseek", "meta",
     "mistral", "openai", "qwen", "zai", "moonshotai"}
)  # fmt: skip
"""Words that places, routers and makers add. Digits beside them are dates and revisions."""


@pytest.mark.parametrize(
    ("name", "family"), [pair for rule in rules() for pair in rule.examples.items()], ids=lambda text: text[-60:]
)
def test_examples_of_the_rules(name: str, family: str) -> None:
    assert model_family(name) == family


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.about[:40])
def test_without_a_rule_its_examples_fail(rule: FamilyRule, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rule.source.startswith("https://")
    others = [(re.compile(other.pattern), other.becomes) for other in rules() if other is not rule]
    monkeypatch.setattr(model_families, "_patterns", lambda: others)
    assert any(model_family.__wrapped__(name) != family for name, family in rule.examples.items())


_PARTS = st.sampled_from(
    ["gpt-4o", "claude-3.5-sonnet", "-2024-07-18", "-20241022", "-v2:0", "@001", "-latest", ":free", "models/", "us.",
     "anthropic.", "ft:", ":org::id", "-0125", "-preview", "-05-20", "-2507", "gemini-flash-1.5", "llama3-1-8b", "-",
     ":", "/", ".", "v3p1", "[1m]", "-maas", " ", "É", "databricks-", "-1024-", "gpt-35-turbo", ".ft-1"]
)  # fmt: skip


@given(st.one_of(st.lists(_PARTS, max_size=9).map("".join), st.text(max_size=40), st.sampled_from(NAMES)))
@example("-".join(["latest"] * 200))
def test_a_family_is_its_own_family_and_never_empty(name: str) -> None:
    family = model_family(name)
    assert model_family(family) == family
    assert bool(family) == bool(name.strip())
    assert family == family.casefold().strip()


@given(
    st.sampled_from([name for name in NAMES if re.search(r"[a-z0-9]$", name.casefold())]),
    st.dates(date(2023, 1, 1), date(2029, 12, 31)),
    st.sampled_from(["-%Y-%m-%d", "-%Y%m%d", "@%Y%m%d", "-latest", ":free"]),
)
def test_a_date_or_a_way_of_serving_changes_no_family(name: str, day: date, suffix: str) -> None:
    assert model_family(name + day.strftime(suffix)) == model_family(name)


def test_families_of_the_price_list_hold_no_date() -> None:
    assert [name for name in NAMES if _DATE.search(model_family(name))] == []


def test_names_of_one_provider_share_a_family_only_if_they_say_the_same_product() -> None:
    by_family: dict[tuple[str, str], set[str]] = defaultdict(set)
    for provider, name in LISTED:
        by_family[provider, model_family(name)].add(name)
    shared = {key: names for key, names in by_family.items() if len(names) > 1}
    assert len(shared) > 100
    assert {key: names for key, names in shared.items() if len({_product(name) for name in names}) > 1} == {}


def _product(name: str) -> tuple[str, ...]:
    """What tells a name's product, by other means than the rules: its words without dates, places and revisions."""
    name = name.casefold().rpartition("/")[2]
    name = re.sub(r"^ft:|[-.](ft-)?$", "", name)
    name = re.sub(
        r"-v\d:\d$|:\d$|-00\d$|-20\d\d-\d\d-\d\d|-\d\d-20\d\d|-\d\d-\d\d(?!\d)|-\d{8}|-\d{6}|-\d{4}(?=$|[-:])", "", name
    )
    name = re.sub(r"(?<=\d)p(?=\d)", ".", name)
    return tuple(sorted(word for word in _WORDS.findall(name) if word not in _SAYS_NO_PRODUCT))


def test_a_name_too_long_for_a_model_is_left_as_it_is() -> None:
    assert model_family("Models/" * LONGEST) == "models/" * LONGEST


def test_a_column_keeps_nulls_and_order() -> None:
    found = families(pa.array(["gpt-4o-mini-2024-07-18", None, "gpt-4o", "gpt-4o-mini"]))
    assert found.to_pylist() == ["gpt-4o-mini", None, "gpt-4o", "gpt-4o-mini"]
