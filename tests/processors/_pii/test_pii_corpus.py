"""Precision and recall on labelled texts, at or above those of Presidio's pattern recognizers.

Proves it on the corpora kept here. Does not prove the same figures on other texts or languages.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from processors._pii import identifiers
from processors._pii.masking_engine import Engine
from processors._pii.patterns import entity_defaults
from tests.processors._pii.pii_kit import engine, found

_FIXTURES = Path(__file__).parents[2] / "fixtures" / "pii"

DEFAULTS = {entity for entity, default in entity_defaults().items() if default}
WITHOUT_CASES = {
    *("api_key", "jwt", "private_key", "url_credentials", "authorization", "secret"),  # test_pii_entities.py has some
    *("be_national", "br_cnpj", "br_cpf", "ch_ahv", "cn_resident_id", "fr_nir", "mx_curp", "nl_bsn", "no_fnr"),
}

# (precision, recall) of presidio-analyzer 2.2.366 without NLP, threshold 0.4, on the same documents.
PRESIDIO = {
    "email": (1.0, 1.0),
    "credit_card": (1.0, 0.911),
    "iban": (1.0, 0.918),
    "us_ssn": (0.983, 1.0),
    "ip_address": (1.0, 1.0),
    "phone": (0.733, 0.601),
}
# Not measured by others on these documents.
OURS = {"url": (1.0, 1.0), "us_driver_license": (1.0, 0.94)}
EXPECTED = {**PRESIDIO, **OURS}

# (precision, recall) of Presidio's recognizers on their own tests: at any score, and at 0.4.
PRESIDIO_OWN_TESTS = (0.993, 0.834)


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (_FIXTURES / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def scores() -> dict[str, Counter[str]]:
    detectors = [engine(), *(engine(entity) for entity in EXPECTED.keys() - DEFAULTS)]
    counts: dict[str, Counter[str]] = {entity: Counter() for entity in EXPECTED}
    for document in _lines("docs.jsonl"):
        hits = [hit for detector in detectors for hit in found(detector, document["text"])]
        for entity, count in counts.items():
            labelled = [(s, e) for name, s, e in document["spans"] if name == entity]
            mine = [(s, e) for name, s, e in hits if name == entity]
            count["labelled"] += len(labelled)
            count["recalled"] += sum(any(s < y and x < e for x, y in mine) for s, e in labelled)
            count["found"] += len(mine)
            count["right"] += sum(any(s < y and x < e for s, e in labelled) for x, y in mine)
    return counts


@pytest.mark.parametrize("entity", EXPECTED)
def test_finds_at_least_what_presidio_finds(scores: dict[str, Counter[str]], entity: str) -> None:
    count = scores[entity]
    precision, recall = EXPECTED[entity]
    assert count["labelled"] >= 18
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


# Of other people's cases: values that are not found, and texts in which something is that should not be.
# Every entity that is not named has neither.
EXCEPTIONS = {
    "us_ssn": (3, 0),  # "078051121" and "078-051121 07805-1121" say nothing without a word beside them
    "email": (8, 30),  # quoted local parts; addresses whose form is right and which RFC 5321 rules out
    "ip_address": (9, 0),  # "::" alone; "192.168.1.1.1"; glued to a word
    "url": (3, 17),  # without a scheme; most of RFC 3986's finer points: what looks like a URL is treated as one
    "phone": (5, 1),  # glued to a word or another number
    "fi_hetu": (1, 0),  # glued to a word
    "se_personnummer": (1, 0),  # glued to a word
    "in_pan": (3, 0),  # no kind of holder at the fourth place; "A1111DFSFS"
    "in_voter": (1, 0),  # in a sentence without a word that says what it is
    "it_driver_license": (2, 0),  # two in a sentence that says nothing
    "it_identity_card": (1, 0),  # two in a line
    "it_fiscal_code": (2, 0),  # its checksum is wrong
    "it_vat": (2, 0),  # two in a line; an underscore inside
    "kr_passport": (2, 0),  # two in a sentence that says nothing
    "kr_rrn": (0, 1),  # born in the 19th century, and its check digit is right
    "sg_nric": (4, 0),  # no such series; wrong checksum
    "us_bank_account": (1, 0),  # digits alone
    "us_driver_license": (6, 0),  # digits alone
    "us_passport": (1, 0),  # digits alone
    "za_id": (1, 0),  # "Permanent resident number ... is on file."
}


@functools.cache
def _case_counts() -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for case in _lines("cases.jsonl"):
        count = counts.setdefault(case["entity"], Counter())
        mine = [(s, e) for name, s, e in found(_only(case["entity"]), case["text"]) if name == case["entity"]]
        recalled = sum(any(s < y and x < e for x, y in mine) for s, e in case["spans"])
        right = sum(any(s < y and x < e for s, e in case["spans"]) for x, y in mine)
        whole = [(s, e) for s, e in mine if case["kind"] == "search" or (s, e) == (0, len(case["text"]))]
        wrong = len(mine) - right if case["spans"] else len(whole)
        count.update(cases=1, unfound=len(case["spans"]) - recalled, recalled=recalled, right=right, wrong=wrong)
    return counts


@functools.cache
def _only(entity: str) -> Engine:
    return engine(entity)


@pytest.mark.parametrize("entity", sorted(entity_defaults()))
def test_other_peoples_cases(entity: str) -> None:
    count = _case_counts().get(entity)
    if count is None:
        assert entity in WITHOUT_CASES
        return
    unfound, wrong = EXCEPTIONS.get(entity, (0, 0))
    assert count["unfound"] <= unfound, count
    assert count["wrong"] <= wrong, count


def test_identifiers_are_found_at_least_as_well_as_presidio_does() -> None:
    total = sum((count for entity, count in _case_counts().items() if entity in identifiers.data()), Counter())
    precision, recall = PRESIDIO_OWN_TESTS
    assert total["cases"] > 500
    assert total["right"] / (total["right"] + total["wrong"]) >= precision
    assert total["recalled"] / (total["recalled"] + total["unfound"]) >= recall
