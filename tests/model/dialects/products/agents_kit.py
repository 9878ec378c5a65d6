"""Scopes of agent frameworks, and plain messages."""

ADK = {"scope": ("gcp.vertex.agent", "2.13.0")}
STRANDS = {"scope": ("strands.telemetry.tracer", "1.62.0")}
AGENT_FRAMEWORK = {"scope": ("agent_framework", "1.23.0")}
TEXT = '[{"text": "hi"}]'


def message(role, text):
    return {"role": role, "parts": [{"type": "text", "content": text}]}


USAGE = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}
