"""Who and where: trace name, user, session, metadata, tags, environment, release of single spans.

Proves which source wins, for one span at a time. Does not prove how values fill down a trace: assembly's tests do.
"""

import pytest

from tests.model.facts.facts_kit import LANGFUSE_3, LANGFUSE_5, LANGFUSE_JS, fact


def test_a_run_name_of_langsmith_is_the_trace_name_on_the_root_only():
    assert fact({"langsmith.trace.name": "my-run"})["trace_name"] == "my-run"
    assert fact({"langsmith.trace.name": "my-run"}, parent_span_id=9)["trace_name"] is None
    assert fact({"langfuse.trace.name": "t", "traceloop.workflow.name": "w"}, parent_span_id=9)["trace_name"] == "t"


@pytest.mark.parametrize(
    ("user", "attributes"),
    [
        ("a", {"langfuse.user.id": "a", "user.id": "b"}),
        ("b", {"langfuse.user.id": "", "user.id": "b"}),
        ("b", {"langfuse.user.id": "  ", "user.id": "b"}),
        ("b", {"langfuse.user.id": ["list"], "user.id": "b"}),
        ("42", {"user.id": 42}),
        ("u", {"ai.telemetry.metadata.userId": "u"}),
        ("u", {"ai.settings.context.userId": "u"}),
        ("u", {"traceloop.association.properties.user_id": "u"}),
        ("u", {"traceloop.association.properties.userId": "u"}),
        ("u", {"gen_ai.user": "u"}),
        ("u", {"gen_ai.request.user": "", "llm.user": "u"}),
        ("u", {"enduser.id": "u"}),
        ("u", {"mlflow.trace.user": '"u"'}),
        ("u", {"langsmith.metadata.user_id": "u"}),
        ("u", {"metadata": '{"user_id": "u", "n": 1}'}),
        ("7", {"metadata": '{"user_id": 7}'}),
        (None, {"metadata": '{"user_id": {"x": 1}}'}),
        (None, {"metadata": "{'user_id"}),
        ("u", {"metadata": {"user_id": "u"}}),
        ("u", {"lmnr.association.properties.user_id": "u"}),
        ("u", {"langwatch.user.id": "u"}),
        ("u", {"mastra.metadata.userId": "u"}),
    ],
)
def test_user(user, attributes):
    assert fact(attributes)["user_id"] == user


@pytest.mark.parametrize(
    ("session", "attributes"),
    [
        ("a", {"langfuse.session.id": "a", "session.id": "b", "gen_ai.conversation.id": "c"}),
        ("b", {"session.id": "b", "gen_ai.conversation.id": "c"}),
        ("conv-1", {"gen_ai.conversation.id": "conv-1", "traceloop.association.properties.session_id": "s"}),
        ("th", {"langsmith.metadata.thread_id": "th", "langsmith.metadata.session_id": "s"}),
        (None, {"langsmith.trace.session_name": "project"}),
        (None, {"mcp.session.id": "transport"}),
        ("s", {"metadata": '{"sessionId": "s"}'}),
        ("x", {"ai.telemetry.metadata.threadId": "x"}),
        ("s", {"ai.telemetry.metadata.threadId": "x", "ai.telemetry.metadata.sessionId": "s"}),
    ],
)
def test_session(session, attributes):
    assert fact(attributes)["session_id"] == session


@pytest.mark.parametrize(
    ("row", "value"),
    [(LANGFUSE_5, '"user-7"'), (LANGFUSE_3, "user-7"), (LANGFUSE_JS, "user-7")],
    ids=["python 5", "python 3", "javascript"],
)
def test_langfuse_metadata_is_read_in_the_encoding_of_its_sdk(row, value):
    found = fact(
        {
            "langfuse.observation.metadata.langfuse_user_id": value,
            "langfuse.trace.metadata.langfuse_session_id": value,
            "langfuse.observation.metadata.langfuse_tags": '["a","b"]',
        },
        **row,
    )
    assert (found["user_id"], found["session_id"]) == ("user-7", "user-7")
    assert found["tags"] == ["a", "b"]


def test_quotes_that_an_sdk_did_not_add_belong_to_the_value():
    key = "langfuse.observation.metadata.langfuse_user_id"
    assert fact({key: '"q"'}, **LANGFUSE_3)["user_id"] == '"q"'


@pytest.mark.parametrize(
    ("tags", "value"),
    [
        (["beta", "eu"], ["beta", "eu"]),
        (["beta", "eu"], '["beta", "eu"]'),
        (["beta", "eu"], "beta, eu"),
        (["beta"], "beta"),
        (["beta"], ["beta", "beta", ""]),
        (["1", "true"], [1, True]),
        (["a"], '"a"'),
        (None, ""),
        (None, "[]"),
        (None, []),
        (None, {"k": "v"}),
        (None, 5),
    ],
)
def test_tags_come_in_many_shapes(tags, value):
    found = fact({"langfuse.trace.tags": value})
    assert found["tags"] == tags
    assert found["tags_weak"] is False


def test_run_tags_of_a_langchain_step_are_weak():
    found = fact({"langfuse.observation.metadata.tags": '["seq:step:1"]'})
    assert (found["tags"], found["tags_weak"]) == (["seq:step:1"], True)
    found = fact({"langfuse.observation.metadata.tags": '["x"]', "langfuse.trace.tags": ["x"]})
    assert (found["tags"], found["tags_weak"]) == (["x"], False)


@pytest.mark.parametrize(
    ("environment", "attributes", "resource"),
    [
        ("staging", {"langfuse.environment": "Staging"}, {"langfuse.environment": "other"}),
        ("other", {"deployment.environment.name": "x"}, {"langfuse.environment": "other"}),
        ("prod", {}, {"deployment.environment.name": "prod", "deployment.environment": "old"}),
        ("old", {}, {"deployment.environment": "old"}),
        ("eu-west-1", {"gen_ai.environment": "EU West/1"}, {}),
        ("e" * 40, {"langfuse.environment": "e" * 50}, {}),
        (None, {"langfuse.environment": "!!"}, {}),
        (None, {}, {"env": "test"}),
    ],
)
def test_environment(environment, attributes, resource):
    assert fact(attributes, resource=resource)["environment"] == environment


def test_release_version_and_service_come_from_span_then_resource():
    resource = {"service.name": "shop", "service.version": "1.2", "langfuse.release": "r1"}
    found = fact({}, resource=resource)
    assert (found["service_name"], found["version"], found["release"]) == ("shop", "1.2", "r1")
    found = fact({"langfuse.version": "gen-v2", "langfuse.release": "r2"}, resource=resource)
    assert (found["version"], found["release"]) == ("gen-v2", "r2")
