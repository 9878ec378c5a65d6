"""The calls every instrumented application makes: one session of one user, in one trace each."""

from __future__ import annotations

import contextlib
import os

import openai

QUESTION = "What is OpenTelemetry? Tell jane.roe@example.com"
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def make_client(client: type[openai.OpenAI]) -> openai.OpenAI:
    return client(base_url=os.environ["MOCK_OPENAI"], api_key="test", max_retries=0)


def make_calls(client: openai.OpenAI) -> None:
    """A chat, a tool loop, a stream, an embedding, and a call that is refused."""
    chat = client.chat.completions.create
    chat(model="gpt-4o-mini", messages=[{"role": "user", "content": QUESTION}], temperature=0.5)
    asked = [{"role": "user", "content": "Weather in Paris?"}]
    answer = chat(model="gpt-4o-mini", messages=asked, tools=[TOOL]).choices[0].message
    result = {"role": "tool", "tool_call_id": answer.tool_calls[0].id, "content": "18 degrees"}
    chat(model="gpt-4o-mini", messages=[*asked, answer.model_dump(exclude_none=True), result], tools=[TOOL])
    for _ in chat(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "And slowly?"}], stream=True,
        stream_options={"include_usage": True},
    ):  # fmt: skip
        pass
    client.embeddings.create(model="text-embedding-3-small", input="some words")
    with contextlib.suppress(openai.RateLimitError):
        chat(model="gpt-4o-limited", messages=[{"role": "user", "content": "Too much?"}])
