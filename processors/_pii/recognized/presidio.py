"""Asks Presidio's analyzer for names and addresses; only imported when it is configured."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from processors._pii.recognized.recognizers import Function, Span

INSTALL = "install it with: pip install 'spanloom[presidio]'"


def missing(model: str) -> str | None:
    """Why Presidio cannot be used with this spaCy model; None: it can."""
    if importlib.util.find_spec("presidio_analyzer") is None:
        return f"Presidio is not installed; {INSTALL}"
    # Presidio would download a model that is not there, at any time and from anywhere.
    if importlib.util.find_spec(model.replace("-", "_")) is None and not Path(model).is_dir():
        return f"the spaCy model {model!r} is neither an installed package nor a folder"
    return None


def function(*, language: str, model: str, entities: Sequence[str], score_threshold: float) -> Function:
    """A function that finds ``entities`` with Presidio. The model is loaded here, which takes seconds."""
    from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine  # noqa: PLC0415 - optional
    from presidio_analyzer.nlp_engine import NlpEngineProvider  # noqa: PLC0415

    configuration = {"nlp_engine_name": "spacy", "models": [{"lang_code": language, "model_name": model}]}
    engine = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    analyzer = BatchAnalyzerEngine(AnalyzerEngine(nlp_engine=engine, supported_languages=[language]))

    def find(texts: Sequence[str]) -> list[list[Span]]:
        results: list[list[Any]] = analyzer.analyze_iterator(
            texts, language=language, entities=list(entities), score_threshold=score_threshold
        )
        return [[(r.start, r.end, r.entity_type) for r in found] for found in results]

    return find
