"""Precision and recall on labelled texts, at or above those of Presidio's pattern recognizers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.processors.pii_kit import engine, found

_FIXTURES = Path(__file__).parents[1] / "fixtures" / "pii"

# (precision, recall) of presidio-analyzer 2.2.366 without NLP, threshold 0.4, on the same documents.
PRESIDIO = {"email": (1.0, 1.0), "credit_card": (1.0, 0.911), "iban": (1.0, 0.918), "us_ssn": (0.983, 1.0)}


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (_FIXTURES / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def scores() -> dict[str, Counter[str]]:
    detector = engine()
    counts: dict[str, Counter[str]] = {entity: Counter() for entity in PRESIDIO}
    for document in _lines("docs.jsonl"):
        hits = found(detector, document["text"])
        for entity, count in counts.items():
            labelled = [(s, e) for name, s, e in document["spans"] if name == entity]
            mine = [(s, e) for name, s, e in hits if name == entity]
            count["labelled"] += len(labelled)
            count["recalled"] += sum(any(s < y and x < e for x, y in mine) for s, e in labelled)
            count["found"] += len(mine)
            count["right"] += sum(any(s < y and x < e for s, e in labelled) for x, y in mine)
    return counts


@pytest.mark.parametrize("entity", PRESIDIO)
def test_finds_at_least_what_presidio_finds(scores: dict[str, Counter[str]], entity: str) -> None:
    count = scores[entity]
    precision, recall = PRESIDIO[entity]
    assert count["labelled"] >= 45
    assert count["right"] / count["found"] >= precision
    assert count["recalled"] / count["labelled"] >= recall


def test_recall_of_cards_and_ibans_stays_where_it_is(scores: dict[str, Counter[str]]) -> None:
    # 10 of 348 cards have 12 digits, which any order number has too.
    assert scores["credit_card"]["recalled"] >= 338
    assert scores["iban"]["recalled"] == 49


def test_the_cheap_pass_selects_every_text_that_holds_something() -> None:
    detector = engine(opt_in=True)
    texts = [d["text"] for d in _lines("docs.jsonl")] + [c["text"] for c in _lines("cases.jsonl")]
    selected = set(detector.candidates(pa.array(texts)).tolist())
    missed = [text for i, text in enumerate(texts) if i not in selected and found(detector, text)]
    assert missed == []


@pytest.mark.parametrize(
    ("entity", "unfound", "wrong"),
    [
        ("credit_card", 0, 0),
        ("iban", 0, 0),
        ("us_ssn", 2, 0),  # "078051121" and "078-051121 07805-1121" say nothing without a word beside them
        ("email", 8, 30),  # quoted local parts; addresses whose form is right and which RFC 5321 rules out
    ],
)
def test_other_peoples_cases(entity: str, unfound: int, wrong: int) -> None:
    detector = engine()
    misses: list[str] = []
    surplus: list[str] = []
    for case in (c for c in _lines("cases.jsonl") if c["entity"] == entity):
        mine = [(s, e) for name, s, e in found(detector, case["text"]) if name == entity]
        if not all(any(s < y and x < e for x, y in mine) for s, e in case["spans"]):
            misses.append(case["text"])
        whole = [(s, e) for s, e in mine if case["kind"] == "search" or (s, e) == (0, len(case["text"]))]
        if not case["spans"] and whole:
            surplus.append(case["text"])
    assert len(misses) <= unfound, misses
    assert len(surplus) <= wrong, surplus
