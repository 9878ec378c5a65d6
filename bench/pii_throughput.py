"""How fast the pii processor masks realistic chat text: MB/s of text on one core.

Chat messages as JSON, some prose and code; one row in ten holds something to mask. Prints the cheap
pass alone, the whole processor, the share of rows that needed exact work, and for comparison one RE2
through Arrow over the same texts, which only detects: read the ratio, machines are noisy. With
`--patterns 200` it adds as many patterns of a user's, read by Hyperscan where that is installed. With
`--forms 0.5` half of the rows hold what makes a masker read them once more: percent-encoding, references,
escapes, quoted-printable, look-alikes.

    python bench/pii_throughput.py [--megabytes 32] [--share 0.1] [--forms 0] [--runs 5]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import structlog

from collector.model import attributes
from collector.model.batch import SpanBatch
from collector.telemetry import Telemetry
from collector.testing.builders import spans
from processors.pii import Config, Pii
from spanloom import ComponentId, Settings

_ROWS = 4_096

# What a detection pass alone would be: one alternation, no checks, no replacement.
_DETECTION = (
    r"[\w.+-]+@[\w-]+\.\w|\b[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{1,7}\b|[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3}"
    r"|[0-9]{3}-[0-9]{2}-[0-9]{4}|sk-[\w-]{20}|AKIA[A-Z0-9]{16}|gh[a-z]_\w{20}|eyJ[\w-]{8,}\.|://[^\s/:@]*:[^\s/@]+@"
)

_PROSE = (
    "Could you explain why the second query is slower than the first one?",
    "The index covers only the leading columns, so the planner falls back to a scan of 1,204,331 rows.",
    "Thanks - that makes sense. What would you change?",
    "I'd add a composite index on (tenant_id, created_at); see https://docs.example.com/indexes?v=3#composite.",
    "Order 2024-11-03T10:22:31Z took 1763697731.125 s, id 3f2c9a1e-7b44-4d0e-9c11-0a5b7e6d2f10.",
    "Here's the summary: revenue rose 4.25% to 12.75 M, churn fell to 0.0312, NPS is at 41.",
    "def total(rows):\n    return sum(r.amount * 1.25 for r in rows if r.id > 1024)\n",
    "@dataclass\nclass Order:\n    id: int\n    items: list[str] = field(default_factory=list)\n",
    "它是一个简单的例子，用来说明模型的回答。Das ist nur ein Beispiel für die Antwort des Modells.",
    "for (const [key, value] of Object.entries(map)) { console.log(`${key}: ${value}`); }\n",
)
_SENSITIVE = (
    "My address is anna.schmidt@example.org, please write me.",
    "Card 4111 1111 1111 1111, valid until 12/29.",
    "IBAN DE89 3704 0044 0532 0130 00 at the bank.",
    "SSN 536-90-4399 as discussed.",
    "export KEY=" + "sk-" + "proj-" + "a1B2c3D4e5" * 4,
    "postgres://app:" + "s3cr3tpw@db.internal:5432/app",
)


_FORMS = (
    "see https://docs.example.com/a%20b/c%2Fd?redirect=https%3A%2F%2Fy.example%2Fa%3Fb%3Dc",
    "<p>Terms &amp; conditions apply &mdash; it&#39;s as easy as that.&nbsp;</p>",
    r"re.sub(r'\x1b\[[0-9;]*m', '', line) and C:\x64\new",
    "Content-Transfer-Encoding: quoted-printable: Sch=C3=B6ne Gr=C3=BC=C3=9Fe aus M=\nannheim",
    "\u0661\u0662 \u0645\u0627\u0631\u0633 \u0662\u0660\u0662\u0664, x\u00b2, co\u00adop, \u0410\u0412C",
)


def _message(random_: random.Random, sensitive: bool, disguised: bool) -> str:
    parts = random_.choices(_PROSE, k=random_.randint(8, 24))
    if disguised:
        parts.insert(random_.randrange(len(parts)), random_.choice(_FORMS))
    if sensitive:
        parts.insert(random_.randrange(len(parts)), random_.choice(_SENSITIVE))
    half = len(parts) // 2
    messages = [
        {"role": "user", "content": " ".join(parts[:half])},
        {"role": "assistant", "content": "\n".join(parts[half:])},
    ]
    return json.dumps(messages, ensure_ascii=False) if random_.random() < 0.7 else "\n".join(parts)


def _batches(megabytes: float, share: float, forms: float = 0) -> list[SpanBatch]:
    random_ = random.Random(7)
    batches: list[SpanBatch] = []
    total = 0.0
    while total < megabytes * 1e6:
        texts = [
            _message(random_, random_.random() < share, bool(forms) and random_.random() < forms) for _ in range(_ROWS)
        ]
        total += sum(len(t.encode()) for t in texts)
        batches.append(
            spans(
                [
                    {"span_name": "chat", "attributes": {"gen_ai.request.model": "gpt-4o", "gen_ai.input.messages": t}}
                    for t in texts
                ]
            )
        )
    return batches


def _pattern(number: int) -> dict[str, str]:
    """Of the kind that rule sets for secrets have: a vendor's word, an assignment, a token."""
    regex = rf"(?i)vendor{number:03d}[0-9a-z_ .-]{{0,20}}(?:=|:|=>){{1,3}}['\" ]{{0,3}}[0-9a-z]{{32}}"
    return {"name": f"V{number}", "regex": regex}


def _best(run: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=32)
    parser.add_argument("--share", type=float, default=0.1, help="rows that hold something to mask")
    parser.add_argument("--forms", type=float, default=0, help="rows that hold an escape or a look-alike")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--patterns", type=int, default=0, help="patterns of a user's beside the built-in ones")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    batches = _batches(options.megabytes, options.share, options.forms)
    texts = [attributes.flatten(b.column("attributes")).texts for b in batches]
    size = sum(len(t.encode()) for column in texts for t in column.to_pylist()) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        config = Config.model_validate({"patterns": [_pattern(i) for i in range(options.patterns)]})
        pii = Pii(config, Settings(ComponentId("pii"), Telemetry(), structlog.get_logger(), Path(folder)))
        engine = pii._engine  # noqa: SLF001 - measures the parts as well as the whole
        hits = sum(len(engine.candidates(t)) for t in texts)
        cheap = _best(lambda: [engine.candidates(t) for t in texts], options.runs)
        detection = _best(lambda: [pc.match_substring_regex(t, _DETECTION) for t in texts], options.runs)
        whole = _best(lambda: [pii.process(b) for b in batches], options.runs)
    rows = sum(b.num_rows for b in batches)
    print(f"{size:.1f} MB of text, {rows} spans, {options.share:.0%} of them with something to mask,")
    print(f"{options.forms:.0%} with an escape or a look-alike")
    print(f"rows that needed exact work: {hits / rows:.1%}")
    print(f"cheap pass: {size / cheap:.0f} MB/s")
    print(f"whole processor: {size / whole:.0f} MB/s")
    print(f"one RE2 that only detects: {size / detection:.0f} MB/s; the processor takes {whole / detection:.1f} times")
    print("(bytes per CPU second; a busy neighbour core slows it down all the same)")


if __name__ == "__main__":
    main()
