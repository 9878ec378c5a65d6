"""An application that uses nothing but Langfuse's SDK, in a form that the major versions 3, 4 and 5 all understand.

Run by an interpreter that has the version to be tried: it must not import anything of this project.
"""

import contextlib
import importlib.metadata
import json
import sys

import langfuse
from langfuse.media import LangfuseMedia

client = langfuse.get_client()
major = int(importlib.metadata.version("langfuse").partition(".")[0])
said = {"version": major, "auth_check": client.auth_check()}
whole_trace = {"user_id": "user-7", "session_id": "session-42", "tags": ["beta"], "metadata": {"tier": "pro"}}
picture = LangfuseMedia(content_bytes=b"\x89PNG not really", content_type="image/png")
with contextlib.ExitStack() as stack:
    root = stack.enter_context(client.start_as_current_observation(name="ask", as_type="agent"))
    if major == 3:
        client.update_current_trace(**whole_trace)
    else:
        stack.enter_context(langfuse.propagate_attributes(**whole_trace))
    with client.start_as_current_observation(name="answer", as_type="generation", model="gpt-4o-mini") as call:
        call.update(
            input=[{"role": "user", "content": "Mail jane.roe@example.com"}, {"role": "user", "content": picture}],
            output="done",
            usage_details={"input": 100, "input_cached_tokens": 900, "output": 20},
        )
        client.score_current_span(name="quality", value=0.9, comment="from jane.roe@example.com")
    client.score_current_trace(name="verdict", value="good", data_type="CATEGORICAL")
    said |= {"trace": root.trace_id, "observation": call.id}
client.create_score(name="passed", value=1, data_type="BOOLEAN", trace_id=root.trace_id, score_id=f"passed-{major}")
client.flush()
with contextlib.suppress(Exception):
    client.get_prompt("greeting", max_retries=0)
    said["prompt"] = "found"
client.shutdown()
json.dump(said, sys.stdout)
