"""Who is asked first: the order that neighbourhood makes, and the messages for places that cannot be.

Proves how places become an order, for rows and for dialects. Does not prove that the order of the shipped tables
is a good one: the captured payloads do.
"""

import pytest

from collector.errors import ConfigError
from collector.model.dialects import fact_tables, table_files
from collector.model.dialects.compiled_tables import Compiled, compiled
from collector.model.dialects.messages import content_tables
from collector.model.dialects.neighbours import Item, arrange, order_of_dialects


def item(name, before=None, after=None, part=""):
    table, said = name.split("/")
    return Item(table, said, f"{table}.yaml: {said}", before, after, part)


def order(*items):
    return [items[n].name for n in arrange(["a", "b", "c"], items)]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([item("b/1"), item("a/1"), item("a/2")], "a/1 a/2 b/1"),
        ([item("a/1"), item("b/1"), item("c/1", before="b")], "a/1 c/1 b/1"),
        ([item("a/1"), item("b/1"), item("c/1", after="a")], "a/1 c/1 b/1"),
        # What stands below a row in its file follows it.
        ([item("a/1", after="b"), item("a/2"), item("b/1")], "b/1 a/1 a/2"),
        ([item("a/1", after="b"), item("a/2"), item("b/1"), item("a/3", part="objects")], "a/3 b/1 a/1 a/2"),
        # A dialect that has nothing to say has a place all the same.
        ([item("a/1"), item("c/1"), item("a/2", before="b"), item("a/3", after="b")], "a/1 a/2 a/3 c/1"),
        # Beside one anchor the order is that of the dialects.
        ([item("c/1", after="a"), item("b/1", after="a"), item("a/1")], "a/1 b/1 c/1"),
        ([item("c/1", before="a"), item("b/1", before="a"), item("a/1")], "b/1 c/1 a/1"),
        # A row as anchor: between two that belong together, and one that itself stands elsewhere.
        ([item("a/1"), item("a/2"), item("b/1", after="a/1")], "a/1 b/1 a/2"),
        ([item("a/1", after="b"), item("b/1"), item("c/1", before="a/1")], "b/1 c/1 a/1"),
        ([item("a/1"), item("a/2", after="a"), item("b/1", before="a/2")], "a/1 b/1 a/2"),
    ],
)
def test_the_order_of_rows(items, expected):
    assert " ".join(order(*items)) == expected


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([item("a/1", before="bb")], "a.yaml: 1: before: there is no dialect 'bb' (did you mean 'b'?)"),
        (
            [item("a/key.one", after="b/key.too"), item("b/key.two")],
            "a.yaml: key.one: after: there is no row 'b/key.too' of the same field (did you mean 'b/key.two'?)",
        ),
        (
            [item("a/1", before="b/1"), item("b/1"), item("b/1")],
            "before: 2 rows are called 'b/1'; give the one meant an 'id'",
        ),
        ([item("a/1", before="b", after="c")], "a.yaml: 1: 'before' and 'after' at once"),
        (
            [item("a/1", before="b/1"), item("b/1", after="c/1"), item("c/1", after="a/1")],
            "in a circle: a.yaml: 1 (before b/1), b.yaml: 1 (after c/1), c.yaml: 1 (after a/1)",
        ),
        ([item("a/1", before="a/1")], "in a circle: a.yaml: 1 (before a/1)"),
        # The circle is closed by a row that only follows the one above it.
        (
            [item("a/1", after="b/1"), item("a/2"), item("b/1", after="a/2")],
            "in a circle: a.yaml: 1 (after b/1), b.yaml: 1 (after a/2)",
        ),
    ],
)
def test_places_that_cannot_be_are_named(items, said):
    with pytest.raises(ConfigError) as error:
        order(*items)
    assert said in str(error.value)


def dialect(table, before=None, after=None):
    return Item(table, "", f"{table}.yaml", before, after)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([], "a b"),
        ([dialect("z"), dialect("c")], "a c z b"),
        ([dialect("c", before="a"), dialect("d", before="a")], "c d a b"),
        ([dialect("c", after="a"), dialect("d", after="a")], "a c d b"),
        ([dialect("c", after="d"), dialect("d", before="a")], "d c a b"),
    ],
)
def test_the_order_of_dialects(more, expected):
    given = [dialect("a"), dialect("b"), *more]
    assert " ".join(order_of_dialects(["a", "*", "b"], given)) == expected


@pytest.mark.parametrize(
    ("listed", "more", "said"),
    [
        (["a", "*", "bee"], [], "order.yaml: there is no dialect 'bee'"),
        (["a", "b"], [], "order.yaml: each dialect stands once, and '*' where the others are"),
        (["a", "*", "b", "a"], [], "order.yaml: each dialect stands once"),
        (["a", "*", "b", "c"], [dialect("c", after="a")], "c.yaml: 'before' and 'after' are for dialects that order"),
        (["a", "*", "b"], [dialect("cc", after="aa")], "cc.yaml: after: there is no dialect 'aa' (did you mean 'a'?)"),
        (["a", "*", "b"], [dialect("c", after="c")], "c.yaml: after: there is no dialect 'c'"),
        (
            ["a", "*", "b"],
            [dialect("c", after="d"), dialect("d", before="c")],
            "dialects stand beside one another in a circle: c.yaml (after d), d.yaml (before c)",
        ),
    ],
)
def test_a_place_of_a_dialect_that_cannot_be_is_named(listed, more, said):
    with pytest.raises(ConfigError) as error:
        order_of_dialects(listed, [dialect("a"), dialect("b"), *more])
    assert said in str(error.value)


def file(**content):
    return table_files.check(fact_tables.File, content, "mine.yaml").model_copy(update={"table": "mine"})


def test_a_wrong_place_of_a_fact_names_file_row_and_key():
    wrong = {"field": "user_id", "before": "otel_genai/usr.id", "from": {"key": "mine.user"}}
    tables = Compiled()
    for known in (*table_files.files(), file(rows=[{"field": "type", "from": {"key": "t"}, "const": "tool"}, wrong])):
        tables.add(known)
    with pytest.raises(ConfigError) as error:
        tables.finish([*table_files.families(), "mine"])
    assert "mine.yaml: rows.1 (user_id): before: there is no row 'otel_genai/usr.id' of the same field" in str(
        error.value
    )
    assert "(did you mean 'otel_genai/user.id'?)" in str(error.value)


def test_a_wrong_place_of_content_names_file_row_and_key():
    wrong = {"content": "input", "after": "openinferense", "from": {"key": "mine.in"}, "shape": "value"}
    files = [*table_files.files(), file(content=[wrong])]
    with pytest.raises(ConfigError) as error:
        list(content_tables.ordered(files, [*table_files.families(), "mine"]))
    said = "mine.yaml: content.0 (input): after: there is no dialect 'openinferense' (did you mean 'openinference'?)"
    assert said in str(error.value)


def test_ranks_count_from_one_and_money_is_counted_together():
    tables = compiled()
    for name, rules in tables.by_field.items():
        ranks = [rule.rank for rule in rules]
        assert ranks == sorted(set(ranks)), name
        assert name.startswith("cost_") or ranks == list(range(1, len(ranks) + 1)), name
    money = [rule.rank for name, rules in tables.by_field.items() if name.startswith("cost_") for rule in rules]
    assert sorted(money) == list(range(1, len(money) + 1))


def test_the_parts_of_a_bill_share_a_number_and_other_bills_have_others():
    bills = {(rule.table, rule.source.key or rule.source.json_key): rule.report for rule in compiled().rules}
    assert bills["litellm", "litellm.cost.total"] == bills["litellm", "litellm.cost.input"]
    assert bills["litellm", "litellm.cost.total"] != bills["litellm", "gen_ai.cost.input_cost"]
    assert bills["langsmith", "langsmith.usage_metadata"] != bills["langsmith", "langsmith.metadata.usage_metadata"]
    assert bills["openinference", "llm.cost.total"] == bills["openinference", "llm.cost.prompt"]
