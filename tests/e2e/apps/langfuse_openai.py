"""An application that uses Langfuse's SDK and its drop-in for the OpenAI client."""

from langfuse import get_client, propagate_attributes
from langfuse.openai import openai

from tests.e2e.apps import calls

langfuse = get_client()
with (
    langfuse.start_as_current_observation(name="ask"),
    propagate_attributes(user_id="user-7", session_id="session-42"),
):
    calls.make_calls(calls.make_client(openai.OpenAI))
langfuse.shutdown()
