"""What a span looks like in each dialect: the names its readers look for.

Proves names and values of single spans, also malformed ones. Does not prove the way back (``test_forward``).
"""

import json

import pytest
from hypothesis import given, settings, strategies as st

from collector.model import attributes
from collector.model.batch import Signal
from collector.model.codec.chosen import encode
from collector.model.forward.target_tables import TARGETS
from collector.model.forward.translate import translate
from collector.testing import builders
from tests.model.forward.forward_kit import decide, decided, forwarded

SYSTEM = {"role": "system", "parts": [{"type": "text", "content": "Be terse."}]}
USER = {"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]}
CALL = {
    "role": "assistant",
    "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}],
    "finish_reason": "tool_call",
}
ANSWER = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "22 degrees"}]}
TOOL = {"type": "function", "name": "weather", "description": "The weather", "parameters": {"type": "object"}}

TRACELOOP = [
    {
        "span_id": 1,
        "span_name": "ask.workflow",
        "attributes": {
            "traceloop.span.kind": "workflow",
            "traceloop.entity.name": "ask",
            "traceloop.entity.input": '{"args": []}',
            "traceloop.association.properties.user_id": "u1",
            "traceloop.entity.path": "ask",
            "gen_ai.usage.input_tokens": 40,
        },
    },
    {
        "span_id": 2,
        "parent_span_id": 1,
        "span_name": "openai.chat",
        "attributes": {
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.request.temperature": 0.5,
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "Weather in Paris?",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "22 degrees",
            "gen_ai.usage.prompt_tokens": 40,
            "gen_ai.usage.completion_tokens": 5,
            "gen_ai.usage.cache_read_input_tokens": 10,
        },
    },
]
"""A workflow that repeats the tokens of its call, as OpenLLMetry writes it."""

EXPECTED = {
    "semconv": {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.usage.input_tokens": 40,
        "gen_ai.usage.cache_read.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.input.messages": json.dumps([USER], separators=(",", ":")),
        "user.id": "u1",
    },
    "openinference": {
        "openinference.span.kind": "LLM",
        "llm.provider": "openai",
        "llm.model_name": "gpt-4o",
        "llm.invocation_parameters": '{"temperature":0.5}',
        "llm.token_count.prompt": 40,
        "llm.token_count.prompt_details.cache_read": 10,
        "llm.token_count.completion": 5,
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "Weather in Paris?",
        "input.mime_type": "application/json",
        "user.id": "u1",
    },
    "langfuse": {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": "gpt-4o",
        "langfuse.observation.model.parameters": '{"temperature":0.5}',
        "langfuse.observation.usage_details": '{"input":30,"input_cached_tokens":10,"output":5}',
        "langfuse.observation.input": '[{"role":"user","content":"Weather in Paris?"}]',
        "langfuse.observation.output": '{"role":"assistant","content":"22 degrees"}',
        "langfuse.trace.name": "ask",
        "user.id": "u1",
    },
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_call_has_the_names_of_the_target(target):
    _, call = forwarded(TRACELOOP, target)
    assert {key: call.get(key) for key in EXPECTED[target]} == EXPECTED[target]


@pytest.mark.parametrize("target", TARGETS)
def test_wrappers_carry_no_numbers_and_old_names_are_gone(target):
    wrapper, call = forwarded(TRACELOOP, target)
    assert not [key for key in wrapper if "usage" in key or "token" in key or "cost" in key]
    assert not [key for key in call if key.startswith(("gen_ai.prompt", "gen_ai.completion", "llm.request.type"))]
    assert wrapper["traceloop.entity.path"] == "ask", "what nobody reads stays"
    assert wrapper[f"spanloom.forwarded.{target}"] == "traceloop"


def test_langfuse_is_told_that_the_outer_span_of_a_call_costs_nothing():
    """Where no usage is given, Langfuse tokenises the text, and the call would count twice."""
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 40}
    outer, inner = forwarded(
        [{"span_id": 1, "attributes": call}, {"span_id": 2, "parent_span_id": 1, "attributes": call}], "langfuse"
    )
    assert outer["langfuse.observation.usage_details"] == outer["langfuse.observation.cost_details"] == '{"total":0}'
    assert inner["langfuse.observation.usage_details"] == '{"input":40}'
    assert "langfuse.observation.cost_details" not in inner


def test_langfuse_gets_the_offered_tools_with_the_messages():
    (span,) = forwarded(
        [
            {
                "attributes": {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "gpt-4o",
                    "gen_ai.input.messages": json.dumps([SYSTEM, USER, CALL, ANSWER]),
                    "gen_ai.tool.definitions": json.dumps([TOOL]),
                }
            }
        ],
        "langfuse",
    )
    sent = json.loads(span["langfuse.observation.input"])
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "tool"]
    function = {"name": "weather", "arguments": '{"city":"Paris"}'}
    assert sent["messages"][2]["tool_calls"] == [{"id": "c1", "type": "function", "function": function}]
    assert sent["messages"][3] == {"role": "tool", "tool_call_id": "c1", "content": "22 degrees"}
    assert sent["tools"][0]["function"]["name"] == "weather"
    assert "spanloom.input" not in span


def test_message_events_leave_once_their_content_is_on_the_span():
    event = {"name": "gen_ai.user.message", "attributes": {"content": "Weather in Paris?"}}
    other = {"name": "retry", "attributes": {"n": 1}}
    attributes_ = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    found = decided([{"attributes": attributes_, "events": [event, other]}])
    translated = translate(found.spans, found.observations, "semconv")
    assert [e["name"] for e in translated.column("events").to_pylist()[0]] == ["retry"]
    (span,) = attributes.to_dicts(translated.column("attributes"))
    assert json.loads(span["gen_ai.input.messages"]) == [USER]


def test_annotations_of_a_span_stay_its_scores():
    values = {"annotation.name": "helpful", "annotation.score": 0.5, "annotation.annotator_kind": "HUMAN"}
    marks = {f"annotations.0.{key}": value for key, value in values.items()}
    found = decided([{"attributes": {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", **marks}}])
    expected = found.scores.to_pylist()
    assert expected
    for target in TARGETS:
        body = encode(translate(found.spans, found.observations, target))
        (again,) = decide([(Signal.TRACES, body)])
        assert again.scores.to_pylist() == expected


SECRET = "anna.schmidt@example.org"


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_that_was_masked_comes_back(target):
    """Neither from the span's own attributes and events, nor from log records that hold its messages."""
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"I am {SECRET}"}]}])
    ids = {"trace_id": 1, "span_id": 1}
    attributes_ = {
        "gen_ai.operation.name": "chat",
        "gen_ai.output.messages": said,
        "langsmith.metadata": json.dumps({"mail": SECRET}),
        "user.id": SECRET,
        "note": SECRET,
    }
    event = {"name": "gen_ai.content.prompt", "attributes": {"gen_ai.prompt": SECRET}}
    record = {"event_name": "gen_ai.client.inference.operation.details", "attributes": {"gen_ai.input.messages": said}}
    requests = [
        (Signal.TRACES, encode(builders.spans([{**ids, "attributes": attributes_, "events": [event]}]))),
        (Signal.LOGS, encode(builders.logs([{**ids, **record}]))),
    ]
    (masked,), (plain,) = decide(requests, "pii, tail_sampling"), decide(requests)
    assert SECRET.encode() in encode(translate(plain.spans, plain.observations, target))
    sent = encode(translate(masked.spans, masked.observations, target))
    assert SECRET.encode() not in sent
    assert b"I am " in sent


TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT, lambda v: st.lists(v, max_size=2), max_leaves=4
)
PART = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "content": TEXT}),
    st.fixed_dictionaries({"type": st.just("reasoning"), "content": TEXT}),
    st.fixed_dictionaries(
        {"type": st.just("tool_call"), "name": TEXT},
        optional={"id": TEXT, "arguments": st.dictionaries(TEXT, JSON, max_size=2) | JSON},
    ),
    st.fixed_dictionaries({"type": st.just("tool_call_response"), "response": JSON}, optional={"id": TEXT}),
    st.fixed_dictionaries(
        {
            "type": st.just("blob"),
            "modality": st.sampled_from(["image", "audio", "document"]),
            "content": st.just("QUJD"),
        },
        optional={"mime_type": st.just("image/png")},
    ),
    st.fixed_dictionaries(
        {"type": st.just("uri"), "modality": st.just("image"), "uri": st.just("https://a.example/b")}
    ),
    st.fixed_dictionaries({"type": st.just("compaction"), "extra": JSON}),
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "critic"]), "parts": st.lists(PART, max_size=3)},
    optional={"name": TEXT, "finish_reason": st.sampled_from(["stop", "tool_call"])},
)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(MESSAGE, max_size=3), min_size=1, max_size=20))
def test_any_messages_are_read_as_they_were(target, conversations):
    rows = [
        {
            "span_id": number + 1,
            "attributes": {
                "gen_ai.operation.name": "chat",
                "gen_ai.input.messages": json.dumps(messages),
                "gen_ai.output.messages": json.dumps(messages[:1]),
            },
        }
        for number, messages in enumerate(conversations)
    ]
    before = decided(rows)
    (after,) = decide([(Signal.TRACES, encode(translate(before.spans, before.observations, target)))])
    for column in ("input", "output"):
        assert values(after, column) == values(before, column)


ODD = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "reasoning", "tool_call", "tool_call_response", "blob", "uri", "file"])},
    optional={
        key: JSON | st.sampled_from(["\ud800", "image", 10**400, {"a": "\ud800"}, float("nan")])
        for key in ("modality", "content", "uri", "mime_type", "file_id", "name", "arguments", "response", "id")
    },
)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({"role": st.just("user"), "parts": st.lists(ODD, min_size=1, max_size=3)}), max_size=2
    )
)
def test_malformed_parts_hold_nothing_up(target, messages):
    sound = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": "sound", "gen_ai.request.model": "m"}
    odd = sound | {"gen_ai.input.messages": json.dumps(messages)}
    before = decided([{"attributes": attributes_} for attributes_ in (sound, odd, sound)])
    (after,) = decide([(Signal.TRACES, encode(translate(before.spans, before.observations, target)))])
    assert values(after, "input") == values(before, "input")
    assert values(after, "request_model") == values(before, "request_model")


def values(found, column):
    """By span; JSON whatever the order of its members."""
    pairs = zip(found.observations["span_id"].to_pylist(), found.observations[column].to_pylist(), strict=True)
    return {key: json.dumps(json.loads(text), sort_keys=True) if is_json(text) else text for key, text in pairs}


def is_json(text):
    try:
        return text is not None and bool(json.loads(text))
    except ValueError:
        return False
