"""What forwarding in another dialect costs: time per span on one core, and its ratio to ``original``.

Runs over captured OTLP files, decided over whole traces. ``original`` is encoding the spans as they
came; a target is its content, the translation and encoding what comes of it.

    python bench/forward_dialects.py tests/fixtures/otlp [--runs 5]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from collector.component.exporter import DecidedSpans
from collector.config.load import load
from collector.model.batch import Signal
from collector.model.codec.chosen import encode
from collector.model.forward.target_tables import TARGETS
from collector.model.forward.translate import translate
from collector.model.stored import observations
from collector.offline.captures import read_capture
from collector.offline.dry_run import decided_spans

_CONFIG = """
receivers: {otlp: {protocols: {http: {}}}}
processors: {tail_sampling: {policies: [{name: all, type: always_sample}]}}
exporters: {debug: {}}
service: {pipelines: {traces: {receivers: [otlp], processors: [tail_sampling], exporters: [debug]}}}
"""


def _decided(folder: Path) -> list[DecidedSpans]:
    files = sorted(folder.rglob("*.traces.binpb")) + sorted(folder.rglob("*.traces.json"))
    body = b"".join(request for file in files for _, request in read_capture(file))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "config.yaml")
        path.write_text(_CONFIG)
        config = load([path], overrides=[], environ={}, data_dir=Path(scratch))
        return list(decided_spans(config, [(Signal.TRACES, body)], data_dir=Path(scratch), clock=time.time_ns))


def _best(runs: int, work: Callable[[], int]) -> tuple[float, int]:
    """Seconds of the fastest run, and what it returned."""
    found = []
    for _ in range(runs):
        begin = time.process_time()
        nbytes = work()
        found.append((time.process_time() - begin, nbytes))
    return min(found)


def _forwarded(decided: list[DecidedSpans], dialect: str) -> int:
    if dialect == "original":
        return sum(len(encode(part.spans)) for part in decided)
    return sum(len(encode(translate(part.spans, part.observations, dialect))) for part in decided)


def main() -> None:
    """Prints a line per dialect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="captured files, *.traces.binpb and *.traces.json")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    decided = _decided(options.folder)
    rows = sum(part.spans.num_rows for part in decided)
    made, _ = _best(options.runs, lambda: sum(observations.observations(p.spans, p.decided).num_rows for p in decided))
    plain, _ = _best(options.runs, lambda: _forwarded(decided, "original"))
    print(f"{rows} spans; content {made / rows * 1e6:.0f} µs per span, made once for all exporters")
    print("dialect          µs/span   ratio  with content  bytes/span")
    for dialect in ("original", *TARGETS):
        spent, nbytes = _best(options.runs, lambda dialect=dialect: _forwarded(decided, dialect))  # type: ignore[misc]
        whole = spent if dialect == "original" else spent + made
        print(
            f"{dialect:15} {spent / rows * 1e6:8.0f} {spent / plain:7.1f} {whole / plain:13.1f} {nbytes / rows:11.0f}"
        )


if __name__ == "__main__":
    main()
