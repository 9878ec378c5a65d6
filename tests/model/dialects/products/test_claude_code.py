"""Claude Code: what each rule of the mapping makes of its spans.

Proves a turn with its counts, tools and log records. Does not prove Claude Code's metrics, which are stored as they
come.
"""

# ruff: noqa: E501 - a table reads best with one case per line

import pytest

from tests.model.dialects.observed import content, observed, one
from tests.model.dialects.products.products_kit import CLAUDE


def test_claude_code_counts_exclude_the_cache():
    attributes = {
        "span.type": "claude_code.llm_request",
        "model": "claude-opus-5",
        "input_tokens": 5000,
        "output_tokens": 12,
        "cache_read_tokens": 100,
        "cache_creation_tokens": 10,
    }
    row = one(attributes)
    assert row["usage"] == {"input": 5000, "input_cache_read": 100, "input_cache_write": 10, "output": 12}
    assert (row["input_tokens"], row["total_tokens"]) == (5110, 5122)


def test_claude_code_counts_as_text():
    row = one(
        {
            "span.type": "claude_code.llm_request",
            "input_tokens": "5000",
            "output_tokens": "12",
            "cache_read_tokens": "100",
        },
        **CLAUDE,
    )
    assert row["usage"] == {"input": 5000, "input_cache_read": 100, "output": 12}


CLAUDE_TURN = [
    {
        **CLAUDE,
        "span_name": "claude_code.interaction",
        "attributes": {"span.type": "interaction", "user_prompt": "fix it", "session.id": "s", "user.id": "u"},
    },
    {
        **CLAUDE,
        "parent_span_id": 1,
        "span_name": "claude_code.llm_request",
        "attributes": {
            "span.type": "llm_request",
            "model": "claude-opus-5",
            "gen_ai.system": "anthropic",
            "input_tokens": 2,
            "output_tokens": 12,
            "cache_read_tokens": 84562,
            "new_context": "c",
            "response.model_output": "ok",
            "ttft_ms": 250,
            "stop_reason": "tool_use",
            "request_id": "req_1",
        },
    },
    {
        **CLAUDE,
        "parent_span_id": 1,
        "span_name": "claude_code.tool",
        "attributes": {
            "span.type": "tool",
            "tool_name": "Bash",
            "tool_use_id": "t1",
            "tool_input": '{"command": "ls"}',
        },
        "events": [{"name": "tool.output", "attributes": {"output": "README.md"}}],
    },
]


def test_claude_code_turns():
    rows = observed(CLAUDE_TURN)
    assert [(row["type"], row["usage_scope"]) for row in rows] == [
        ("agent", None),
        ("generation", "counted"),
        ("tool", None),
    ]
    assert [content(row["input"]) for row in rows] == ["fix it", "c", {"command": "ls"}]
    assert [row["output"] for row in rows] == [None, "ok", "README.md"]
    assert rows[1]["time_to_first_token_ns"] == 250_000_000
    assert rows[1]["finish_reasons"] == ["tool_call"]
    assert (rows[2]["tool_name"], rows[2]["name"], rows[2]["tool_call_id"]) == ("Bash", "Bash", "t1")
    assert {(row["user_id"], row["session_id"]) for row in rows} == {("u", "s")}


CLAUDE_2_1 = {
    "gen_ai.usage.input_tokens": 3105, "gen_ai.usage.cache_read.input_tokens": 2048, "gen_ai.usage.cache_write.input_tokens": 1024,
    "gen_ai.usage.output_tokens": 27, "input_tokens": 33, "output_tokens": 27, "cache_read_tokens": 2048, "cache_creation_tokens": 1024,
}  # fmt: skip


def test_claude_code_counts_beside_those_of_the_conventions():
    row = one({"span.type": "llm_request", "gen_ai.operation.name": "chat", **CLAUDE_2_1}, **CLAUDE)
    assert row["usage"] == {"input": 33, "input_cache_read": 2048, "input_cache_write": 1024, "output": 27}


@pytest.mark.parametrize("kind", ["tool.execution", "tool.blocked_on_user", "hook"])
def test_claude_code_has_one_tool_per_call(kind):
    assert one({"span.type": kind, "gen_ai.tool.call.id": "t1"}, **CLAUDE)["type"] == "span"


@pytest.mark.parametrize(
    ("attributes", "given", "got"),
    [
        ({"full_command": "ls -l"}, "ls -l", None),
        ({"tool_input": '[TOOL INPUT: Bash]\n{"command": "ls"}', "full_command": "ls"}, {"command": "ls"}, None),
        ({"new_context": '[TOOL RESULT: Bash]\n{"stdout": "a"}'}, None, {"stdout": "a"}),
        ({"tool_input": "[TOOL INPUT"}, "[TOOL INPUT", None),
    ],
)
def test_claude_code_tool_content(attributes, given, got):
    row = one({"span.type": "tool", "tool_name": "Bash", **attributes}, **CLAUDE)
    assert (content(row["input"]), content(row["output"])) == (given, got)


def test_claude_code_ends_a_turn_with_a_log_record():
    turn = {**CLAUDE, "attributes": {"span.type": "interaction", "user_prompt": "hi"}}
    said = [
        {"trace_id": 1, "span_id": 1, "attributes": {"event.name": "assistant_response", "response": text}}
        for text in ["Let me look.", "It rains."]
    ]
    (row,) = observed([turn], logs=said)
    assert row["output"] == "It rains."


def test_claude_code_redacted_content_is_kept_as_it_came():
    row = one({"span.type": "claude_code.interaction", "user_prompt": "<REDACTED>"})
    assert row["input"] == "<REDACTED>"
