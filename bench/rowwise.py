"""What a processor as a function of one span costs beside one that works on columns: both cut long span names.

python bench/rowwise.py [--spans 8192] [--runs 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import pyarrow.compute as pc

from collector.model.batch import SpanBatch
from collector.testing.builders import spans
from spanloom import Span, rowwise

_ATTRIBUTES = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 1_000,
    "gen_ai.request.temperature": 0.5,
    "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "'
    + "How are you? " * 40
    + '"}]}]',
}


def _on_columns(batch: SpanBatch) -> SpanBatch:
    return batch.with_columns({"span_name": pc.utf8_slice_codeunits(batch.column("span_name"), 0, 12)})


def _on_spans(span: Span) -> Span:
    span.name = span.name[:12]
    return span


def _seconds(process: Callable[[SpanBatch], SpanBatch], batch: SpanBatch, runs: int) -> float:
    """Median of some runs, after one that warms up."""
    taken = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        process(batch)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def main() -> None:
    """Prints µs per span of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=8_192)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    row = {"span_name": "chat gpt-4o-mini", "attributes": _ATTRIBUTES, "resource": {"service.name": "shop"}}
    batch = spans([row] * args.spans, facts=True)
    columns = _seconds(_on_columns, batch, args.runs) / args.spans
    rows = _seconds(rowwise(_on_spans).process, batch, args.runs) / args.spans
    print(f"columns {columns * 1e6:.3f} µs/span, rows {rows * 1e6:.1f} µs/span, ratio {rows / columns:.0f}")


if __name__ == "__main__":
    main()
