"""Scopes of products, and the shortest chat."""

LIVEKIT = {"scope": ("livekit-agents", "1.3.0")}
GENKIT = {"scope": ("genkit-tracer", "v1")}
CLAUDE = {"scope": ("com.anthropic.claude_code.tracing", "2.1.0")}
MASTRA = {"scope": ("@mastra/otel-exporter", "1.71.0")}
CHAT = [{"role": "user", "content": "hi"}]
HI = [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
YO = [{"role": "assistant", "parts": [{"type": "text", "content": "yo"}]}]
