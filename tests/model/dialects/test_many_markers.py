"""More sets of keys in conditions than one word of bits holds: rules still hold where they should, and only there.

Proves the words against a plain reading of each span. Does not prove how fast they are.
"""

import random

import pytest

from collector.model.dialects import table_files
from collector.model.dialects.compiled_tables import Compiled
from collector.model.dialects.fact_tables import File
from collector.model.facts import lookup, resolve
from collector.testing.builders import spans

SETS = 300
KEYS = [f"many.key.{n}" for n in range(40)]


def condition(chance):
    """Some keys that must be there, one of some others, none of yet others; two of these sets at least."""
    chosen = chance.sample(KEYS, 6)
    return {"has": chosen[:1], "any": chosen[1:4], "lacks": chosen[4:]}


def holds(when, keys):
    return set(when["has"]) <= keys and bool(keys & set(when["any"])) and not keys & set(when["lacks"])


def table(conditions):
    """A dialect that names the release by the first condition that holds."""
    rows = [
        {"field": "release", "from": {"span_name": True}, "const": f"release-{n}", "when": when}
        for n, when in enumerate(conditions)
    ]
    valued = {"field": "version", "from": {"span_name": True}, "const": "told", "when": {"has": ["many.text=yes*"]}}
    content = {"dialect": "many", "detect": [{"has": ["many.mark"]}], "rows": [*rows, valued]}
    return table_files.check(File, content, "many.yaml").model_copy(update={"table": "many"})


@pytest.fixture
def conditions(monkeypatch):
    chance = random.Random(9)
    made = [condition(chance) for _ in range(SETS)]
    tables = Compiled()
    for file in (*table_files.files(), table(made)):
        tables.add(file)
    tables.finish([*table_files.families(), "many"])
    assert tables.words >= SETS // 64
    monkeypatch.setattr(lookup, "compiled", lambda: tables)
    return made


def told(attributes):
    batch = resolve.resolve(spans([{"attributes": a} for a in attributes])).record_batch
    return batch.select(["release", "version", "dialect", "user_id"]).to_pylist()


def test_three_hundred_sets_of_keys_are_told_apart(conditions):
    chance = random.Random(10)
    sent = [set(chance.sample(KEYS, chance.randrange(0, 20))) for _ in range(2_000)]
    first = [next((n for n, when in enumerate(conditions) if holds(when, keys)), None) for keys in sent]
    assert len(set(first)) > 100
    found = told([dict.fromkeys(keys, "x") for keys in sent])
    assert [row["release"] for row in found] == [None if n is None else f"release-{n}" for n in first]


def test_values_detection_and_the_shipped_tables_work_beside_them(conditions):
    found = told([{"many.mark": 1, "many.text": "yes, it is"}, {"many.text": "no"}, {"langfuse.user.id": "u"}, {}])
    assert [row["version"] for row in found] == ["told", None, None, None]
    assert [row["dialect"] for row in found] == ["many", "otel", "langfuse", "otel"]
    assert [row["user_id"] for row in found] == [None, None, "u", None]
