"""Names and addresses by a function of the user's or Presidio: asked once, in batches, and never trusted to work.

Proves batching, order, modes and that every failure drops the text. Does not prove that a model finds names: that is
the model's.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from collector.model import attributes
from collector.testing.builders import logs, resource, spans
from collector.testing.laws import check_processor, same_rows
from processors.pii import Config, Pii
from tests.processors._pii.pii_kit import EMAIL, counted, failed, mask_attributes, mask_text, processor

ANNA = "Anna Schmidt"
_FIND = re.compile(rf"(?P<person>{ANNA}|Rubija)|(?P<street>\w+straße \d+)")

asked: list[list[str]] = []
release = threading.Event()


def names(texts: Sequence[str]) -> list[list[tuple[int, int, str]]]:
    asked.append(list(texts))
    if any("boom" in text for text in texts):
        raise RuntimeError(f"cannot read {texts}")
    return [[(*m.span(), m.lastgroup or "") for m in _FIND.finditer(text)] for text in texts]


def hangs(texts: Sequence[str]) -> list[list[tuple[int, int, str]]]:
    if any("slow" in text for text in texts):
        release.wait(30)
    return [[] for _ in texts]


def too_few(texts: Sequence[str]) -> list[list[tuple[int, int, str]]]:
    return [[]] * (len(texts) - 1)


def outside(texts: Sequence[str]) -> list[list[tuple[int, int, str]]]:
    return [[(0, len(text) + 1, "person")] for text in texts]


no_function = 7


def _masker(function: str = "names", **options: Any) -> Pii:
    recognizer = {"function": f"{__name__}:{function}", **options.pop("recognizer", {})}
    return processor(recognizer=recognizer, **options)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    sys.modules.setdefault(__name__, sys.modules[_forget.__module__])
    asked.clear()
    release.clear()
    yield
    release.set()


def test_finds_names_in_every_carrier() -> None:
    said = f"I am {ANNA}, Hauptstraße 7"
    message = json.dumps([{"role": "user", "content": f'"{said}"\n'}])
    batch = spans(
        [
            {
                "span_name": f"chat {ANNA}",
                "status_message": said,
                "attributes": {
                    "text": said,
                    "json": message,
                    "twice": json.dumps({"a": message}),
                    "list": [said],
                    "map": {"k": said},
                    "user.id": ANNA,
                    "gen_ai.request.model": "Rubija",
                    "n": 1,
                },
                "events": [{"name": "e", "attributes": {"body": said}}],
                "resource": resource({"service.name": ANNA}),
            }
        ]
    )
    masked = _masker().process(batch)
    (values,) = attributes.to_dicts(masked.column("attributes"))
    expected = "I am [PERSON], [STREET]"
    assert values["text"] == expected
    assert json.loads(values["json"])[0]["content"] == f'"{expected}"\n'
    assert json.loads(json.loads(values["twice"])["a"])[0]["content"] == f'"{expected}"\n'
    assert (values["list"], values["map"]) == ([expected], {"k": expected})
    assert values["user.id"].startswith("user-")
    assert (values["gen_ai.request.model"], values["n"]) == ("Rubija", 1)
    assert masked.column("status_message").to_pylist() == [expected]
    assert ANNA not in str(masked.column("events").to_pylist())
    # Who emitted a span is no content of a call.
    assert masked.column("resource").dictionary.equals(batch.column("resource").dictionary)


def test_bodies_of_log_records_are_read_too() -> None:
    masked = _masker().process(logs([{"body": f"hi {ANNA}"}, {"body": {"m": [f"hi {ANNA}"]}}]))
    assert ANNA not in str(masked.column("body_text").to_pylist())


def test_each_distinct_text_is_asked_about_once_in_batches() -> None:
    masker = _masker(recognizer={"batch_size": 10})
    rows = [
        {"attributes": {"a": f"text no. {i % 25}", "b": json.dumps(["shared", f"text no. {i % 25}"])}}
        for i in range(100)
    ]
    masker.process(spans(rows))
    texts = [text for call in asked for text in call]
    assert len(texts) == len(set(texts))
    assert {"shared", "text no. 0", "text no. 24"} <= set(texts)
    assert all(len(call) <= 10 for call in asked)
    asked.clear()
    masker.process(spans([*rows, {"attributes": {"a": "new"}}]))
    again = [text for call in asked for text in call]
    assert "new" in again
    assert "shared" not in again


def test_patterns_come_first_so_that_the_function_sees_no_secrets() -> None:
    assert mask_text(_masker(), f"{ANNA} <{EMAIL}>") == "[PERSON] <[EMAIL]>"
    assert all(EMAIL not in text for call in asked for text in call)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("mask", "************ lives"), ("off", f"{ANNA} lives"), ("drop", None), ("partial", "********midt lives")],
)
def test_entities_have_modes(mode: str, expected: str | None) -> None:
    masker = _masker(recognizer={"modes": {"person": mode}})
    assert mask_text(masker, f"{ANNA} lives") == expected


def test_allowed_values_win_and_finds_are_counted() -> None:
    masker = _masker(allow=["Rubija"])
    assert mask_text(masker, f"Rubija and {ANNA}") == "Rubija and [PERSON]"
    assert counted(masker)["person"] == 1


def test_a_text_that_makes_it_fail_is_dropped_and_nothing_else() -> None:
    masker = _masker()
    values = {"a": f"boom {ANNA}", "b": f"so {ANNA}", "gen_ai.usage.input_tokens": 5}
    masked = mask_attributes(masker, values)
    assert masked == {"a": "[MASKING_FAILED]", "b": "so [PERSON]", "gen_ai.usage.input_tokens": 5}
    assert failed(masker) == 1
    # Keys are no content: a model and numbers survive whatever happens to texts.
    assert all("gen_ai.usage.input_tokens" not in call for call in asked)


@pytest.mark.parametrize("function", ["too_few", "outside"])
def test_an_answer_that_cannot_be_right_drops_the_texts(function: str) -> None:
    masker = _masker(function)
    assert mask_attributes(masker, {"a": ANNA, "n": 1}) == {"a": "[MASKING_FAILED]", "n": 1}
    assert failed(masker) == 2  # and the span's name


def test_a_call_that_takes_too_long_drops_texts_until_it_has_returned() -> None:
    masker = _masker("hangs", recognizer={"timeout": "50ms", "batch_size": 1})
    assert mask_attributes(masker, {"a": "slow", "n": 1}) == {"a": "[MASKING_FAILED]", "n": 1}
    assert mask_text(masker, "other") == "[MASKING_FAILED]"
    stuck = masker._recognizer._stuck  # type: ignore[union-attr]
    assert stuck is not None
    release.set()
    stuck.join()
    assert mask_text(masker, "third") == "third"


def test_what_a_function_raises_is_never_said(capfd: pytest.CaptureFixture[str]) -> None:
    mask_text(_masker(), f"boom {ANNA}")
    assert ANNA not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("recognizer", "reason"),
    [
        ({}, "either function or presidio"),
        ({"function": "nowhere"}, "not of the form module:function"),
        ({"function": "no_such_module_at_all:f"}, "cannot be imported: ModuleNotFoundError"),
        ({"function": f"{__name__}:missing"}, "there is no function 'missing'"),
        ({"function": f"{__name__}:no_function"}, "there is no function 'no_function'"),
        ({"function": f"{__name__}:names", "modes": {"person": "hash"}}, "needs hash_key"),
        ({"function": f"{__name__}:names", "batch_size": 0}, "greater than or equal to 1"),
    ],
)
def test_refuses_at_start_what_cannot_work(recognizer: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(reason)):
        Config(recognizer=recognizer)  # type: ignore[arg-type]


@pytest.mark.skipif(importlib.util.find_spec("presidio_analyzer") is not None, reason="it is installed here")
def test_presidio_that_is_not_installed_is_said_at_start() -> None:
    with pytest.raises(ValidationError, match=r"not installed; install it with: pip install 'spanloom\[presidio\]'"):
        Config(recognizer={"presidio": {}})  # type: ignore[arg-type]


@pytest.mark.skipif(importlib.util.find_spec("presidio_analyzer") is None, reason="pip install 'spanloom[presidio]'")
@pytest.mark.filterwarnings("ignore")
def test_presidio_finds_names_with_a_model(tmp_path: Path) -> None:
    import spacy

    with pytest.raises(ValidationError, match="neither an installed package nor a folder"):
        Config(recognizer={"presidio": {"model": "no_such_model"}})  # type: ignore[arg-type]
    model = spacy.blank("en")
    model.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": ANNA}])  # type: ignore[attr-defined]
    model.to_disk(tmp_path / "model")
    masker = processor(recognizer={"presidio": {"model": str(tmp_path / "model")}, "timeout": "5m"})
    assert mask_text(masker, f"I am {ANNA}.") == "I am [PERSON]."


_TEXTS = st.recursive(
    st.one_of(st.text(max_size=8), st.builds("{}{}{}".format, st.text(max_size=4), st.just(ANNA), st.text(max_size=4))),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


@settings(deadline=None)
@given(_TEXTS)
def test_json_stays_json_and_no_name_is_left(value: Any) -> None:
    masker = _masker()
    text = json.dumps({"v": value, "inner": json.dumps([value])})
    masked = mask_text(masker, text)
    assert ANNA not in json.dumps(json.loads(masked)["v"]).replace("\\", "") or ANNA in json.dumps(_keys(value))
    assert mask_text(masker, masked) == masked


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for inner in value.values() for key in _keys(inner))]
    return [key for inner in value for key in _keys(inner)] if isinstance(value, list) else []


def test_keeps_the_laws_of_processors() -> None:
    batch = spans([{"span_name": ANNA, "attributes": {"a": f"I am {ANNA}", "n": i}} for i in range(4)])
    masker = _masker()
    check_processor(masker, [batch])
    once = masker.process(batch)
    assert same_rows(masker.process(once), once)
