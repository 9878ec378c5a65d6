"""What people read of stored traces in a terminal: trees, chats, tables.

Proves what `trace`, `session` and tables print, for rows made by the real pipeline and a store at rest. Does not prove
how a running service answers: the query endpoint has tests of its own.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from collector.cli import asking, cells, output
from collector.cli.app import app
from collector.errors import RetryableError
from collector.offline.trace_tree import tree
from tests.cli import stored_kit
from tests.cli.stored_kit import call as model_call, text


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPANLOOM_DATA_DIR", raising=False)


def call(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return stored_kit.store(tmp_path / "spanloom-data")


def test_a_trace_is_a_tree_with_times_tokens_cost_and_model(stored: Path) -> None:
    lines = call("trace", "01").stdout.splitlines()
    assert lines[0] == "trace 01" + "0" * 30 + "  invoke_agent helper"
    assert "4s, 4 spans, 2,200 tokens, $0.00042, session s-1, user u-1" in lines[1]
    assert [line.split() for line in lines[3:]] == [
        ["name", "type", "start", "duration", "tokens", "cost", "model"],
        ["invoke_agent", "helper", "agent", "+0µs", "4s"],
        ["├─", "chat", "gpt-4o-mini", "generation", "+500ms", "1s", "1100", "$0.00021", "gpt-4o-mini"],
        ["├─", "weather", "tool", "+1.5s", "250ms"],
        ["└─", "chat", "gpt-4o-mini", "generation", "+2s", "1s", "1100", "$0.00021", "gpt-4o-mini"],
    ]


def test_a_trace_says_what_failed(stored: Path) -> None:
    printed = call("trace", "03" + "0" * 30).stdout
    assert "1 failed" in printed
    assert printed.splitlines()[-1].endswith("rate limit")


def test_a_trace_as_json_has_exact_values_and_depths(stored: Path) -> None:
    document = json.loads(call("trace", "01", "--output", "json").stdout)
    assert (document["total_cost"], document["total_tokens"], document["span_count"]) == ("0.000420000000", 2200, 4)
    assert [(row["name"], row["depth"]) for row in document["observations"]] == [
        ("invoke_agent helper", 0), ("chat gpt-4o-mini", 1), ("weather", 1), ("chat gpt-4o-mini", 1),
    ]  # fmt: skip


def test_a_trace_is_named_by_as_much_of_its_id_as_no_other_has(stored: Path) -> None:
    several = call("trace", "0")
    assert several.exit_code == 1
    assert "several traces have ids that begin with 0: 030000" in several.stderr
    assert "no stored trace has an id that begins with ff" in call("trace", "ff").stderr
    assert "'x' is no trace id" in call("trace", "x").stderr


def test_orphans_and_circles_stand_at_the_top() -> None:
    rows = [
        {"span_id": name, "parent_span_id": parent, "start_unix_nano": start}
        for name, parent, start in (("a", "b", 2), ("b", "a", 1), ("c", "gone", 3), ("d", "c", 4), ("e", "e", 5))
    ]
    found = [(node.row["span_id"], node.depth, node.is_orphan) for node in tree(rows)]
    assert found == [("c", 0, True), ("d", 1, False), ("b", 0, True), ("a", 1, False), ("e", 0, True)]


def test_a_session_is_a_chat_in_which_each_message_stands_once(stored: Path) -> None:
    printed = call("session", "s-1").stdout
    lines = [line for line in printed.splitlines() if line and not line.startswith(("--", "session"))]
    assert lines == [
        "system     Be brief.",
        "user       Weather in Paris?",
        'assistant  calls weather({"city": "Paris"})',
        "           -> 18 degrees",
        "   (3 earlier messages sent again)",
        "assistant  18 degrees.",
        "   (5 earlier messages sent again)",
        "user       yes",
        "assistant  Anything else?",
        "   (7 earlier messages sent again)",
        "user       yes",
        "failed     rate limit",
    ]
    assert printed.startswith("session s-1  (3 traces, 4,400 tokens, $0.00084, user u-1)\n")


def test_a_session_as_json_joins_calls_to_results(stored: Path) -> None:
    document = json.loads(call("session", "s", "--output", "json").stdout)
    assert document["session_id"] == "s-1"
    first, second, *_ = document["turns"]
    (answer,) = [message for message in first["messages"] if message["is_answer"]]
    assert answer["parts"][0]["result"] == "18 degrees"
    assert (second["folded"], [m["role"] for m in second["messages"]]) == (3, ["assistant"])


def test_long_texts_are_cut_unless_all_is_asked_for(tmp_path: Path) -> None:
    long = "word " * 400
    stored_kit.store(tmp_path / "spanloom-data", [model_call(1, 1, [text("user", long)], [text("assistant", "ok")])])
    assert "more characters: --full" in call("session", "s-1").stdout
    assert long.strip() in call("session", "s-1", "--full").stdout


def test_calls_that_send_only_what_is_new_lose_nothing(tmp_path: Path) -> None:
    yes, more = text("user", "yes"), text("user", "more")
    answer = [text("assistant", "done")]
    calls = [model_call(at, 1, [said], answer) for at, said in enumerate((yes, more, yes), start=1)]
    stored_kit.store(tmp_path / "spanloom-data", calls)
    printed = call("session", "s-1").stdout
    assert [line.split()[1] for line in printed.splitlines() if line.startswith("user ")] == ["yes", "more", "yes"]


def test_a_session_without_content_or_of_an_unknown_id_says_so(stored: Path, tmp_path: Path) -> None:
    assert "spanloom pii pseudonym" in call("session", "nobody").stderr
    assert "several sessions" not in call("session", "s").stderr
    stored_kit.store(tmp_path / "other", [stored_kit.span(1, 1, "work")])
    result = call("session", "s-1", "--data-dir", "other")
    assert (result.exit_code, "no content is stored of this session" in result.stderr) == (0, True)


def test_tables_show_money_and_times_readably_and_other_formats_exactly(stored: Path) -> None:
    sql = "SELECT total_cost, start_time, cost, '1.10' AS version FROM observations WHERE model IS NOT NULL LIMIT 1"
    table = call("query", sql).stdout.splitlines()[1]
    assert table.split("  ")[0] == "0.00021"
    assert "2025-11-24 16:01:00" in table
    assert table.endswith("1.10")
    assert "000000" not in table
    exact = json.loads(call("query", sql, "--output", "json").stdout)[0]
    assert exact["total_cost"] == "0.000210000000"
    assert exact["start_time"].endswith("000Z")


def test_vertical_prints_a_line_per_column(stored: Path) -> None:
    sql = "SELECT 'a' AS name, 0.50::DECIMAL(18, 12) AS total_cost, NULL AS gone, E'one\\ntwo' AS text"
    assert call("query", sql, "--output", "vertical").stdout.splitlines() == [
        "-- row 1 --",
        "      name: a",
        "total_cost: 0.5",
        "      gone:",
        "      text: one",
        "            two",
    ]


def test_one_long_cell_does_not_pad_the_others(stored: Path) -> None:
    sql = "SELECT unnest(['x', repeat('y', 300)]) AS long, 1 AS n"
    _, short, long = call("query", sql).stdout.splitlines()
    assert len(short) == 43
    assert len(long) == 303


def test_a_table_is_cut_to_the_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(output.sys.stdout, "isatty", lambda: True)
    output.print_table(["name", "n"], [["y" * 300 + "\x1b[31m", 1], ["z", 2]], output.Output.TABLE)
    printed = capsys.readouterr()
    lines = re.sub(r"\x1b\[\d*m", "", printed.out).splitlines()
    assert max(map(len, lines)) <= 60
    assert "│ z" in printed.out
    assert "…" in printed.out
    assert "--output vertical" in printed.err
    output.print_table([f"column_{n}" for n in range(30)], [["x" * 99] * 30], output.Output.TABLE)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 60


def test_a_stored_trace_is_explained_like_a_captured_one(stored: Path, tmp_path: Path) -> None:
    spans = [span for span in stored_kit.conversation() if span["traceId"].startswith("01")]
    (tmp_path / "in.json").write_text(json.dumps(stored_kit.request(spans)))
    captured = [json.loads(line) for line in call("explain", "in.json", "--output", "json").stdout.splitlines()]
    result = call("explain", "--trace", "01", "--output", "json")
    assert [json.loads(line) for line in result.stdout.splitlines()] == captured
    assert "from stored rows" in result.stderr
    assert "say what to explain" in call("explain").stderr


@pytest.mark.parametrize(
    ("nanoseconds", "shown"),
    [
        (None, ""), (0, "0µs"), (850_000, "850µs"), (2_500_000, "2ms"), (1_250_000_000, "1.25s"),
        (192_000_000_000, "3m 12s"), (7_260_000_000_000, "2h 1m"), (-5_000_000, "-5ms"),
    ],
)  # fmt: skip
def test_durations_are_short(nanoseconds: int | None, shown: str) -> None:
    assert cells.plain_duration(nanoseconds) == shown


def test_what_could_steer_a_terminal_is_not_printed(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07hello"
    stored_kit.store(tmp_path / "spanloom-data", [model_call(1, 1, [text("user", evil)], [text("assistant", evil)])])
    for arguments in (["session", "s-1"], ["trace", "01"], ["query", "SELECT input FROM observations"]):
        assert "\x1b" not in call(*arguments).stdout


def test_a_collector_that_answers_elsewhere_is_named(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(address: str, *_: Any, **__: Any) -> Any:
        if address != "localhost:4330":
            raise RetryableError(f"the service at {address} gave no answer")
        return {"columns": [], "rows": [], "truncated": False}

    monkeypatch.setattr(asking, "ask_service", answers)
    missing = call("query", "SELECT 1", "--data-dir", "elsewhere").stderr
    assert "there is no database at" in missing
    assert "a collector answers at localhost:4330, with another data folder: say --endpoint localhost:4330" in missing
    wrong = call("query", "SELECT 1", "--endpoint", "localhost:9").stderr
    assert (
        wrong
        == "error: the service at localhost:9 gave no answer; without --endpoint, what lies in spanloom-data is read\n"
    )
    assert (
        "a collector answers at localhost:4330"
        in call("query", "SELECT 1", "--endpoint", "localhost:9", "--data-dir", "elsewhere").stderr
    )
