"""The dialect tables: typed rows read from the YAML files of this package, checked at load.

A file is one dialect (or one shared list). A *row* says: this field can come from there, under these
conditions, converted so. ``rank`` orders all rows of a field over all files; the lowest that yields
a value wins. Two rows of one field never share a rank, so the files can be read in any order.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML

from collector.errors import ConfigError

TextField = Literal[
    "name",
    "trace_name",
    "error_type",
    "environment",
    "release",
    "version",
    "user_id",
    "session_id",
    "provider",
    "request_model",
    "response_model",
    "model",
    "service_tier",
    "response_id",
    "agent_name",
    "tool_name",
    "tool_call_id",
    "prompt_name",
    "prompt_version",
    "type",
    "level",
    "usual_level",
    "role",
    "cache_hit",
    "currency",
]
ListField = Literal["tags", "finish_reasons"]
TimeField = Literal["completion_start_unix_nano"]
CountField = Literal[
    "input_total",
    "output_total",
    "total",
    "cache_read",
    "cache_write",
    "cache_write_5m",
    "cache_write_1h",
    "reasoning",
    "input_audio",
    "input_image",
    "input_audio_cached",
    "input_image_cached",
    "output_audio",
    "output_image",
]
MoneyField = Literal[
    "cost_total",
    "cost_input",
    "cost_output",
    "cost_cache_read",
    "cost_cache_write",
    "cost_reasoning",
]
_M = TypeVar("_M", bound=BaseModel)
FieldName = TextField | ListField | TimeField | CountField | MoneyField

COUNT_FIELDS: tuple[CountField, ...] = get_args(CountField)
MONEY_FIELDS: tuple[MoneyField, ...] = get_args(MoneyField)

Convert = Literal[
    "text",
    "json_unwrap",
    "said",
    "provider",
    "provider_of_model",
    "provider_of_server",
    "environment",
    "observation_type",
    "list",
    "finish_reasons",
    "count",
    "money",
    "iso_time",
    "seconds_after_start",
    "millis_after_start",
]

ObservationType = Literal[
    "span", "event", "generation", "agent", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail"
]
TYPES: tuple[str, ...] = get_args(ObservationType)
LEVELS = ("DEBUG", "DEFAULT", "WARNING", "ERROR")
ROLES = ("other", "call", "wrapper", "never", "native", "placeholder")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class When(_Strict):
    """Conditions on the context of a span; all that are given must hold."""

    scope: Texts = ()
    """Names of instrumentation scopes; a trailing ``*`` makes a prefix. One must match."""
    not_scope: Texts = ()
    version: str | None = None
    """Bounds on the scope's version, e.g. ``">=4"`` or ``">=2, <3.1"``. No version: no match."""
    language: str | None = None
    """``telemetry.sdk.language`` of the resource."""
    sdk: str | None = None
    """``telemetry.sdk.name`` of the resource."""
    has: Texts = ()
    """Keys (or prefixes with ``*``) that must all be on the span; ``KEY=TEXT`` (or a prefix of the text with
    ``*``) asks for the attribute's value too, in the case it is written in."""
    any: Texts = ()
    """Keys, prefixes or ``KEY=TEXT`` of which one must be on the span."""
    lacks: Texts = ()
    """Keys, prefixes or ``KEY=TEXT`` of which none may be on the span."""
    root: bool = False
    """The span has no parent."""
    served: bool = False
    """The span is the server's side of a request (kind SERVER) whose sender is in the trace: it has a parent."""
    type: tuple[ObservationType, ...] = ()
    """Types of observation, as resolved from the ``type`` rows; not allowed on those themselves."""


class Source(_Strict):
    """Where a value comes from: exactly one of these."""

    key: str | None = None
    """A span attribute. ``*`` stands for one numeric index; the lowest index is asked first."""
    resource: str | None = None
    """A resource attribute."""
    json_key: str | None = Field(None, alias="json")
    """A span attribute that holds a JSON object (or the Python text of one); needs ``path``."""
    path: str | None = None
    """Dotted path inside the JSON object."""
    join: tuple[str, ...] = ()
    """Several attributes, all present, joined by ``:``."""
    field: TextField | None = None
    """The value another field resolved to; that field is resolved before."""
    span_name: bool = False
    """The span's own name; with ``values`` only (keys may end in ``*``)."""
    event: str | None = None
    """An attribute of the span's last ``exception`` event."""
    event_time: Texts = ()
    """The time of the first span event with one of these names."""

    @model_validator(mode="after")
    def _one_source(self) -> Source:
        given = [self.key, self.resource, self.json_key, self.join, self.field, self.span_name, self.event]
        if sum(bool(g) for g in [*given, self.event_time]) != 1:
            raise ValueError("a source names exactly one of key, resource, json, join, field, span_name, event")
        if bool(self.path) != bool(self.json_key):
            raise ValueError("'json' and 'path' go together")
        return self


class Row(_Strict):
    """One way to fill one field."""

    field: FieldName
    rank: int = Field(ge=0)
    source: Source = Field(alias="from")
    when: When = When()
    convert: Convert = "text"
    values: Mapping[str, str] | None = None
    """Only these texts count (case-folded), and this is what they mean. For ``type`` the meaning
    may be ``type/subtype``."""
    const: str | None = None
    """The value if the source is there at all, whatever it holds."""
    weak: bool = False
    """Tags: only if no span of the trace says more."""

    @model_validator(mode="after")
    def _fits(self) -> Row:
        field = self.field
        default = {"count": COUNT_FIELDS, "money": MONEY_FIELDS}
        for convert, fields in default.items():
            if (field in fields) != (self.convert == convert):
                raise ValueError(f"{field}: convert {self.convert!r} does not fit")
        meanings = [*(self.values or {}).values(), *([self.const] if self.const else [])]
        closed = {"type": TYPES, "level": LEVELS, "usual_level": LEVELS, "role": ROLES}.get(field)
        if closed is not None:
            if not meanings and self.convert != "observation_type":
                raise ValueError(f"{field}: needs 'values' or 'const'")
            for meaning in meanings:
                if meaning.split("/")[0] not in closed:
                    raise ValueError(f"{field}: {meaning!r} is none of {', '.join(closed)}")
        if field == "type" and self.when.type:
            raise ValueError("type: a condition on the type itself")
        return self


class UsageObject(_Strict):
    """A JSON object of token counts; its keys are those of ``usage_objects.yaml``."""

    key: str
    rank: int = Field(ge=0)
    path: str | None = None
    """Dotted path of the object inside the JSON; none: the whole."""
    explicit: bool = False
    """The object is all there is to say: other counts of the span are not asked."""
    when: When = When()


class CostObject(_Strict):
    """A JSON object of costs by bucket, in USD."""

    key: str
    rank: int = Field(ge=0)
    path: str | None = None
    when: When = When()


class Inclusion(_Strict):
    """Whether an emitter's input count includes cached tokens, where the numbers of
    one span do not tell.
    """

    rule: str = Field(pattern=r"^[a-z0-9_]+$")
    includes_cache: bool
    when: When = When()
    provider: Texts = ()
    certain: bool = False
    """Seen in captures; beats the comparison with the total, which such emitters add up wrongly."""


ScoreField = Literal[
    "id",
    "identifier",
    "name",
    "value",
    "label",
    "correction",
    "comment",
    "metadata",
    "source",
    "data_type",
    "time",
    "trace_id",
    "span_id",
    "session_id",
    "environment",
    "config_id",
    "queue_id",
    "dataset_run_id",
    "response_id",
]


class ScoreCarrier(_Strict):
    """Where results of evaluations stand: exactly one of ``events``, ``indexed``, ``objects`` and ``named``."""

    events: Texts = ()
    """Names of span events and of log records; each is a result."""
    indexed: str | None = None
    """A prefix with ``*`` for the index; the attributes below one index are a result."""
    objects: Texts = ()
    """Prefixes; each attribute below one that holds a JSON object is a result."""
    named: str | None = None
    """A prefix; each attribute below it is the value of the result that the rest of its key names."""
    about: Literal["span", "linked", "trace", "session"] = "span"
    """What is judged: the span that carries it, the one it links to (itself, if there is not exactly one), the
    trace of that one, or its session."""
    fields: Mapping[ScoreField, Texts] = {}
    """Where each field stands: attributes of the event, ends of indexed keys, or dotted paths in the object; the
    first that holds a value wins. What no field names is kept in the result's metadata."""
    sources: Mapping[str, Literal["API", "EVAL", "ANNOTATION", "RULE"]] = {}
    """Spellings of the source."""
    source: Literal["API", "EVAL", "ANNOTATION", "RULE"] = "EVAL"
    """The source of results that do not say."""
    booleans: Mapping[str, bool] = {}
    """Labels (case-folded) that are a yes or a no where there is no number."""

    @model_validator(mode="after")
    def _one_place(self) -> ScoreCarrier:
        if sum(bool(given) for given in (self.events, self.indexed, self.objects, self.named)) != 1:
            raise ValueError("results stand in exactly one of events, indexed, objects, named")
        if self.named is None and not {"name", "value"} <= self.fields.keys():
            raise ValueError("'fields' names at least name and value")
        return self

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Of the attributes that carry results; none: events do."""
        return self.objects or tuple(prefix for prefix in (self.indexed, self.named) if prefix)

    @property
    def keys(self) -> tuple[str, ...]:
        """The attribute keys it reads; ``*`` at the end makes a prefix, elsewhere it is an index."""
        ends = tuple(key for keys in self.fields.values() for key in keys)
        if self.events:
            return ends
        return tuple(self.indexed + end for end in ends) if self.indexed else tuple(p + "*" for p in self.prefixes)


class File(_Strict):
    """One YAML file."""

    table: str = ""
    """The stem of the file's name; the loader knows it."""
    title: str = ""
    """The emitter's name, the heading of the dialect's page."""
    about: str = ""
    """A sentence: who writes this."""
    versions: tuple[str, ...] = ()
    """Packages and versions whose payloads were captured and are tested."""
    link: str | None = None
    content_keys: Texts = ()
    """Keys, prefixes (``*``) and event names of content rows that this emitter writes: for its page only."""
    dialect: str | None = Field(None, pattern=r"^[a-z0-9_]+$")
    order: int | None = None
    """Place of this dialect in the order of detection."""
    detect: tuple[When, ...] = ()
    """The span speaks this dialect if one of these holds."""
    mark: str | None = None
    """A key by which spans are known that were translated to this dialect, whatever else is detected."""
    rows: tuple[Row, ...] = ()
    usage_objects: tuple[UsageObject, ...] = ()
    cost_objects: tuple[CostObject, ...] = ()
    inclusion: tuple[Inclusion, ...] = ()
    scores: tuple[ScoreCarrier, ...] = ()
    usage_keys: Texts = ()
    """Keys and prefixes (``*``) of what was provided as usage, kept as ``provided_usage``."""
    cost_keys: Texts = ()
    """The same for ``provided_cost``."""
    fact_keys: Texts = ()
    """Further keys whose values are numbers, enums or ids."""
    identity_keys: Texts = ()
    """Further keys whose values name a person or a session."""
    ignored_keys: Texts = ()
    """Further keys that are known: no column is for them, so they stay in ``attributes``."""

    @model_validator(mode="after")
    def _dialect_is_ordered(self) -> File:
        if (self.dialect is None) != (self.order is None) or bool(self.detect) > bool(self.dialect):
            raise ValueError("'dialect', 'order' and 'detect' go together")
        return self


class Aliases(_Strict):
    """The lists of ``aliases.yaml``."""

    providers: Mapping[str, str]
    """Spelling → canonical provider."""
    not_providers: tuple[str, ...]
    """Names of frameworks found where a provider should be."""
    provider_suffixes: tuple[str, ...]
    """Kinds of model that may follow a provider's name after a dot."""
    models: tuple[tuple[str, str], ...]
    """(regular expression on the model name, provider), first match wins."""
    servers: tuple[tuple[str, str], ...]
    """(regular expression on the host, provider), first match wins."""
    finish_reasons: Mapping[str, str]


class UsageKey(_Strict):
    """One key of a usage object."""

    field: CountField
    keys: tuple[str, ...]
    """Dotted paths in the object, first wins."""


class UsageKeys(_Strict):
    """``usage_objects.yaml``: how keys of usage objects are read."""

    counts: tuple[UsageKey, ...]
    inclusive: tuple[str, ...]
    """A key (prefix with ``*``) whose presence says that input includes cached tokens."""
    ignore: tuple[str, ...]
    """Subsets and notes that are no bucket of their own."""


def read_yaml(name: str) -> Any:
    """One YAML file of this package, unchecked."""
    text = (resources.files(__package__) / name).read_text(encoding="utf-8")
    # Not ``pure``: ruamel reads these files with its C parser, ten times as fast.
    return YAML(typ="safe").load(text)


def load(model: type[_M], name: str) -> _M:
    """One checked file. Raises ``ConfigError`` naming the file and every bad row."""
    return check(model, read_yaml(name), name)


def check(model: type[_M], data: Any, name: str) -> _M:
    """``data`` as ``model``. Raises ``ConfigError`` naming ``name`` and every bad entry."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [f"{name}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError("\n".join(lines)) from error


def check_ranks(files: Iterable[File]) -> None:
    """Raises ``ConfigError`` if two rows of a field share a rank: their order would be chance."""
    seen: dict[tuple[str, int], str] = {}
    for file in files:
        for row in file.rows:
            key = row.field, row.rank
            given = next((str(value) for _, value in row.source if value), "a constant")
            here = f"{given} ({file.dialect or 'a shared list'})"
            if key in seen:
                raise ConfigError(f"rank {row.rank} of {row.field} is given to {seen[key]} and to {here}")
            seen[key] = here


@functools.cache
def files() -> tuple[File, ...]:
    """All dialect files, in the order of detection; shared lists last."""
    names = sorted(f.name for f in resources.files(__package__).iterdir() if f.name.endswith(".yaml"))
    chosen = [name for name in names if name not in {"aliases.yaml", "usage_objects.yaml"}]
    loaded = [load(File, name).model_copy(update={"table": name.removesuffix(".yaml")}) for name in chosen]
    check_ranks(loaded)
    return tuple(sorted(loaded, key=lambda file: 10_000 if file.order is None else file.order))


@functools.cache
def aliases() -> Aliases:
    """The provider, model and finish-reason lists."""
    return load(Aliases, "aliases.yaml")


@functools.cache
def usage_keys() -> UsageKeys:
    """How usage objects are read."""
    return load(UsageKeys, "usage_objects.yaml")


def matcher(names: Iterable[str]) -> re.Pattern[str]:
    """One pattern for keys, prefixes (trailing ``*``) and indexed keys (``.*.``)."""
    return re.compile("|".join(_pattern(name) for name in names) or r"(?!)")


def _pattern(name: str) -> str:
    prefix = name.endswith("*")
    body = re.escape(name.removesuffix("*")).replace(r"\*", r"\d+")
    return rf"\A{body}" if prefix else rf"\A{body}\Z"
