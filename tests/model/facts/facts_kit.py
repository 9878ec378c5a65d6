"""The facts of one span, and scopes of SDKs by which they differ."""

from collector.model.facts import resolve
from collector.testing.builders import spans

LANGFUSE_5 = {"scope": ("langfuse-sdk", "5.0.4"), "resource": {"telemetry.sdk.language": "python"}}
LANGFUSE_3 = {"scope": ("langfuse-sdk", "3.15.0"), "resource": {"telemetry.sdk.language": "python"}}
LANGFUSE_JS = {"scope": ("langfuse-sdk", "5.11.1"), "resource": {"telemetry.sdk.language": "nodejs"}}


def fact(attributes=None, **row):
    """All facts of one span."""
    return resolve.resolve(spans([{"attributes": attributes or {}, **row}])).record_batch.to_pylist()[0]
