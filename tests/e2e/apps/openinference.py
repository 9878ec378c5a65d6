"""An application instrumented with OpenInference's instrumentation of the OpenAI client."""

import openai
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor

from tests.e2e.apps import calls
from tests.e2e.apps.providers import providers

with providers() as (tracers, _, _):
    OpenAIInstrumentor().instrument(tracer_provider=tracers)
    with (
        using_attributes(session_id="session-42", user_id="user-7"),
        tracers.get_tracer("app").start_as_current_span("ask"),
    ):
        calls.make_calls(calls.make_client(openai.OpenAI))
