"""An application instrumented with OpenTelemetry's own instrumentation of the OpenAI client."""

import openai
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

from tests.e2e.apps import calls
from tests.e2e.apps.providers import providers

with providers() as (tracers, loggers, meters):
    OpenAIInstrumentor().instrument(tracer_provider=tracers, logger_provider=loggers, meter_provider=meters)
    with tracers.get_tracer("app").start_as_current_span("ask") as root:
        root.set_attributes({"user.id": "user-7", "session.id": "session-42"})
        calls.make_calls(calls.make_client(openai.OpenAI))
