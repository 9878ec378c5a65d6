"""Masks personal data and secrets in spans, log records and metric points, before anything is stored.

Every text a batch can carry is searched: attribute values of any type and keys, names, messages,
events, links, bodies, resource and scope, JSON in strings and JSON in that. Numeric columns, ids
and token counts are left alone. When a value cannot be searched it is replaced, never passed on.

Values are found in the forms in which a reader would read them: percent-encoded, as references of HTML, in escapes,
in quoted-printable, in look-alikes and digits of other scripts, glued to words. ``docs/pii-forms.md`` lists
them, and what passes.

What is found becomes, by the mode of its entity: ``redact`` a marker such as ``[EMAIL]``; ``mask`` as many asterisks;
``partial`` what is enough to recognise it, the last four characters or the domain of an address; ``hash`` a marker with
a digest under ``hash_key``, equal for equal values; with ``drop`` the whole value it stands in goes, a prompt as
much as a name. User and session ids that hold something become pseudonyms under ``hash_key``, or without one under a
key that is made in the data folder: a dry run without that folder makes others each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Self

import pyarrow as pa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from processors._pii.entities import Entity, Mode, writer
from processors._pii.identity import Pseudonyms, has_key, key_file
from processors._pii.keys import KeyRules
from processors._pii.many import MANY, is_installed
from processors._pii.masked.blobs import Base64, prefilter
from processors._pii.masked.column_masker import ColumnMasker
from processors._pii.masked.header_masker import HeaderCache, HeaderMasker
from processors._pii.masked.places import PlacesMasker
from processors._pii.masked.value_masker import Options, Tally, ValueMasker
from processors._pii.masking_engine import Engine
from processors._pii.patterns import Pattern, built_in, compiled, entity_defaults, marker, users
from processors._pii.recognized import presidio
from processors._pii.recognized.names import Names
from processors._pii.recognized.recognizers import Limits, Recognizer, Session, function_named
from spanloom import (
    Batch,
    BatchT,
    ComponentConfig,
    ConfigError,
    Duration,
    ProcessorFactory,
    Settings,
    Signal,
    Stage,
    suggest,
)

_SHORTEST_KEY = 16


def _mode(value: Any) -> Any:
    # YAML 1.1 habits: `off` and `on` are truth values to many tools that write YAML.
    return {True: "redact", False: "off"}.get(value, value) if isinstance(value, bool) else value


EntityMode = Annotated[Mode, BeforeValidator(_mode)]


class UserPattern(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")
    """What a match is called in markers and in the metric."""
    regex: str = Field(min_length=1)
    """RE2 expression; it sees texts with their escapes (``\\n``, ``\\u0040``) resolved."""
    mode: EntityMode = Mode.REDACT
    """How matches are treated."""
    replacement: str | None = None
    """Text instead of ``[NAME]`` in mode ``redact``."""

    @field_validator("regex")
    @classmethod
    def _is_usable(cls, regex: str) -> str:
        users(Entity("pattern", "PATTERN", Mode.REDACT), regex)
        return regex

    @field_validator("replacement")
    @classmethod
    def _keeps_json_valid(cls, replacement: str | None) -> str | None:
        if replacement is not None and re.search(r'["\\\x00-\x1f]', replacement):
            raise ValueError('it must hold no ", no backslash and no control character: texts are often JSON')
        return replacement

    @model_validator(mode="after")
    def _is_stable(self) -> Self:
        if self.replacement is not None and compiled(self.regex).search(self.replacement.encode()) is not None:
            raise ValueError("the replacement matches the regex, so masking twice would not be masking once")
        return self


class Presidio(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str = "en_core_web_lg"
    """spaCy model: an installed package or a folder. Nothing is ever downloaded."""
    language: str = "en"
    """Language of the model."""
    entities: tuple[str, ...] = ("PERSON", "LOCATION")
    """What to look for, as Presidio names it."""
    score_threshold: float = Field(default=0.5, ge=0, le=1)
    """Presidio's score from which on a find counts."""

    @model_validator(mode="after")
    def _is_installed(self) -> Self:
        reason = presidio.missing(self.model)
        if reason is not None:
            raise ValueError(reason)
        return self


class RecognizerConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    function: str | None = None
    """``module:function``, installed or in ``PYTHONPATH``. It is given a list of texts and returns for each, in
    order, a list of ``(start, end, entity)`` in characters. It is asked once per distinct text."""
    presidio: Presidio | None = None
    """Asks Presidio (``pip install 'spanloom[presidio]'``)."""
    modes: dict[str, EntityMode] = Field(default_factory=dict)
    """Mode per entity that it names, in lower case; the others are redacted."""
    batch_size: int = Field(default=64, ge=1)
    """Texts per call."""
    timeout: Duration = timedelta(seconds=10)
    """What one call may take. Texts for which there is no answer are replaced, and counted in
    ``spanloom_pii_failed_rows``; until a call that took too long has returned, that is every text."""

    @field_validator("function")
    @classmethod
    def _can_be_called(cls, function: str | None) -> str | None:
        if function is not None:
            function_named(function)
        return function

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.function is None) == (self.presidio is None):
            raise ValueError("it needs either function or presidio")
        return self


class Config(ComponentConfig):
    entities: dict[str, EntityMode] = Field(default_factory=dict)
    """Mode per entity: ``redact``, ``mask``, ``partial``, ``hash``, ``drop`` or ``off``. Unless named here,
    ``email``, ``credit_card``, ``iban``, ``us_ssn``, ``api_key``, ``jwt``, ``private_key``, ``url_credentials``,
    ``authorization`` and ``secret`` are redacted; all others, national ids among them, are off: the example
    with all entities names them."""
    mode: EntityMode = Mode.REDACT
    """Mode of the entities that are on and not named in ``entities``."""
    hash_key: SecretStr | None = None
    """Key of the mode ``hash`` and of pseudonyms, at least 16 characters. Without one, pseudonyms use a key
    made on first use and kept in the data folder; collectors that shall agree need the same key."""
    patterns: tuple[UserPattern, ...] = ()
    """Your own patterns. More than 30 are searched by Hyperscan where it is installed
    (``pip install 'spanloom[hyperscan]'``); RE2 is slow at hundreds."""
    recognizer: RecognizerConfig | None = None
    """Finds names, addresses and what else no pattern can tell. Costs what it costs: every text is read by it."""
    allow: tuple[str, ...] = ()
    """Exact values that are left alone, e.g. a support address or a test card."""
    allow_patterns: tuple[str, ...] = ()
    """RE2 expressions; a value that one matches in full is left alone."""
    blocked_key_patterns: tuple[str, ...] = ()
    """More attribute keys whose values are never kept, as RE2 expressions that match the whole key;
    ``authorization``, ``cookie``, ``password``, ``x-api-key`` and the like are built in."""
    keep_content: bool = True
    """False: drops prompts, completions, bodies and every other text attribute that is no known fact, and
    keeps the numbers."""
    base64: Base64 = Base64.KEEP
    """Base64 in texts: ``keep`` it as it is, ``search`` what is text inside (24 characters and more; masked, it
    is encoded again), or ``drop`` what has 128 characters and more. Attributes of bytes are always searched."""
    redact_all_types: bool = False
    """Also searches integer and double attributes, e.g. for card numbers."""

    @field_validator("entities")
    @classmethod
    def _are_known(cls, entities: dict[str, Mode]) -> dict[str, Mode]:
        unknown = sorted(entities.keys() - entity_defaults().keys())
        if unknown:
            named = ", ".join(f"{name}{suggest(name, entity_defaults())}" for name in unknown)
            raise ValueError(f"unknown entity {named}; there are: {', '.join(entity_defaults())}")
        return entities

    @field_validator("hash_key")
    @classmethod
    def _is_long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < _SHORTEST_KEY:
            raise ValueError(f"it needs at least {_SHORTEST_KEY} characters")
        return key

    @field_validator("allow_patterns", "blocked_key_patterns")
    @classmethod
    def _compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            compiled(pattern)
        return patterns

    @model_validator(mode="after")
    def _hashes_with_a_key(self) -> Self:
        named = self.recognizer.modes.values() if self.recognizer is not None else ()
        modes = [*self.entities.values(), *(p.mode for p in self.patterns), *named, self.mode]
        if Mode.HASH in modes and self.hash_key is None:
            raise ValueError("mode hash needs hash_key: without a key, a hash of an e-mail address can be guessed")
        return self


class Pii:
    """The processor: a pure function of a batch, and of the key of its pseudonyms."""

    def __init__(self, config: Config, settings: Settings) -> None:
        self._id = str(settings.id)
        self._masked = settings.telemetry.counter(
            "spanloom_pii_masked_values", "Values replaced, by entity.", ("processor", "entity")
        )
        self._failed = settings.telemetry.counter(
            "spanloom_pii_failed_rows", "Rows whose content was dropped because masking failed.", ("processor",)
        )
        entities = _entities(config)
        key = config.hash_key.get_secret_value().encode() if config.hash_key is not None else None
        self._write, self._allowed = writer(key or b""), _allowed(config)
        self._engine = Engine(_patterns(config, entities), self._write, self._allowed, prefilter(config.base64))
        if len(config.patterns) > MANY and not is_installed():
            settings.log.warning(
                "so many patterns are slow without Hyperscan",
                patterns=len(config.patterns),
                remedy="pip install 'spanloom[hyperscan]'",
            )
        self._recognizer = _recognizer(config.recognizer) if config.recognizer is not None else None
        self._name_modes = config.recognizer.modes if config.recognizer is not None else {}
        self._keys = KeyRules(config.blocked_key_patterns)
        self._own_key, self._data_dir = key, settings.data_dir
        self._pseudonyms = Pseudonyms((lambda: key) if key is not None else partial(key_file, settings.data_dir))
        self._options = Options(entities.get("secret"), config.keep_content, config.redact_all_types, config.base64)
        self._headers = HeaderCache()
        for name in [*entities, *(p.name for p in config.patterns)]:
            self._masked.labels(processor=self._id, entity=name)
        self._failed.labels(processor=self._id)

    def process(self, batch: BatchT) -> BatchT:
        """The batch with every value found replaced; the same columns where nothing was found."""
        names = self._names(batch)
        values = ValueMasker(self._engine, self._keys, self._pseudonyms, self._options, names)
        masked = ColumnMasker(values, HeaderMasker(values, self._headers)).batch(batch)
        self._count(values.tally)
        return masked

    def findings(self, batch: Batch) -> pa.Table:
        """What would be masked and where, without the values: see ``collector.component.factories.Finder``."""
        places = PlacesMasker(self._engine, self._keys, self._pseudonyms, self._options, self._names(batch))
        ColumnMasker(places, HeaderMasker(places, HeaderCache())).batch(batch)
        return places.table()

    def pseudonym(self, key: str, value: str) -> str:
        """See ``collector.component.processor.Pseudonymizer``."""
        pseudonyms = Pseudonyms(self._known_key)
        masked = ValueMasker(self._engine, self._keys, pseudonyms, self._options, None).identity(key, value.encode())
        return masked.decode("utf-8", "replace")

    def _known_key(self) -> bytes:
        """The key of pseudonyms that were stored."""
        if self._own_key is None and not has_key(self._data_dir):
            raise ConfigError(f"there is no key of pseudonyms in {self._data_dir}: none was ever stored")
        return self._own_key or key_file(self._data_dir)

    def _names(self, batch: Batch) -> Names | None:
        """What the recognizer has to say about all texts of a batch: it is asked about many at once."""
        if self._recognizer is None:
            return None
        names = Names(Session(self._recognizer), self._write, self._name_modes, self._allowed)
        values = ValueMasker(self._engine, self._keys, self._pseudonyms, self._options, names)
        ColumnMasker(values, HeaderMasker(values, HeaderCache())).batch(batch)
        names.session.ask()
        return names

    def _count(self, tally: Tally) -> None:
        for entity, count in tally.masked.items():
            self._masked.labels(processor=self._id, entity=entity).inc(count)
        if tally.failed:
            self._failed.labels(processor=self._id).inc(tally.failed)


def _recognizer(config: RecognizerConfig) -> Recognizer:
    limits = Limits(config.batch_size, config.timeout / timedelta(seconds=1))
    if config.function is not None:
        return Recognizer(function_named(config.function), limits)
    assert config.presidio is not None
    return Recognizer(presidio.function(**config.presidio.model_dump()), limits)


def _entities(config: Config) -> dict[str, Entity]:
    """The built-in entities that are on."""
    modes = {
        name: config.entities.get(name, config.mode if default else Mode.OFF)
        for name, default in entity_defaults().items()
    }
    return {name: Entity(name, marker(name), mode) for name, mode in modes.items() if mode is not Mode.OFF}


def _patterns(config: Config, entities: dict[str, Entity]) -> list[Pattern]:
    own = [
        users(Entity(p.name, p.name.upper(), p.mode, p.replacement), p.regex)
        for p in config.patterns
        if p.mode is not Mode.OFF
    ]
    return [*own, *built_in(entities)]


def _allowed(config: Config) -> Callable[[str], bool] | None:
    exact = frozenset(config.allow)
    patterns = [compiled(pattern) for pattern in config.allow_patterns]
    if not exact and not patterns:
        return None

    def is_allowed(value: str) -> bool:
        return value in exact or any(p.fullmatch(value.encode()) is not None for p in patterns)

    return is_allowed


def _create(config: Config, settings: Settings) -> Pii:
    return Pii(config, settings)


factory = ProcessorFactory(Config, _create, stage=Stage.MASK, signals=frozenset(Signal))
