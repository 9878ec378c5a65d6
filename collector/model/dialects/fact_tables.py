"""What a dialect's file says: rows, objects of counts and costs, detection; read by ``table_files``.

A file is one dialect (or one shared list). A *row* says: this field can come from there, under these
conditions, converted so. Of the rows of a field, over all files, the first that yields a value wins; which
is asked first is a matter of neighbourhood (``neighbours``): the order of the dialects, then of the rows in a file.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from collector.model.dialects.content_rows import ContentRow
from collector.model.dialects.fields import (
    COUNT_FIELDS,
    FIELDS_READ_BY,
    LEVELS,
    LIST_CONVERTS,
    LIST_FIELDS,
    MONEY_FIELDS,
    ROLES,
    TEXT_FIELDS,
    TIME_CONVERTS,
    TIME_FIELDS,
    TYPES,
    Convert,
    CountField,
    FieldName,
    ObservationType,
    TextField,
)
from collector.model.dialects.row_base import Placed, Strict, Texts
from collector.model.dialects.score_carriers import ScoreCarrier


class When(Strict):
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


class Source(Strict):
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

    @property
    def label(self) -> str:
        """What it reads, in one word: a key, ``key#path``, or a kind of source and a name."""
        if self.json_key:
            return f"{self.json_key}#{self.path}"
        kinds = {
            "resource": self.resource,
            "field": self.field,
            "event": self.event,
            "event_time": "+".join(self.event_time),
        }
        named = next((f"{kind}:{name}" for kind, name in kinds.items() if name), "span_name")
        return self.key or "+".join(self.join) or named


class Row(Placed):
    """One way to fill one field."""

    field: FieldName
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
    report: str = ""
    """Money: the bill it is part of. Parts that do not add up to the total count only if they are of its bill. Without
    a name, what stands in one JSON object is a bill, and what else the dialect has another."""

    @model_validator(mode="after")
    def _fits(self) -> Row:
        field = self.field
        self._check_source()
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
        if self.report and field not in MONEY_FIELDS:
            raise ValueError(f"{field}: only money stands in a report")
        return self

    def _check_source(self) -> None:
        """Raises ``ValueError`` for a source or a conversion that the field cannot be read by."""
        field, source = self.field, self.source
        in_attribute = bool(source.key or source.json_key)
        if field in (*COUNT_FIELDS, *MONEY_FIELDS, *LIST_FIELDS) and not in_attribute:
            raise ValueError(f"{field}: is read from 'key' or 'json' only")
        if field in TIME_FIELDS and not (source.key or source.event_time):
            raise ValueError(f"{field}: is read from 'key' or 'event_time' only")
        if source.event_time and field not in TIME_FIELDS:
            raise ValueError(f"{field}: 'event_time' is for {', '.join(TIME_FIELDS)} only")
        if field in LIST_FIELDS and self.convert not in LIST_CONVERTS:
            raise ValueError(f"{field}: needs convert {' or '.join(LIST_CONVERTS)}, not {self.convert!r}")
        if source.key and field in TIME_FIELDS and self.convert not in TIME_CONVERTS:
            raise ValueError(f"{field}: needs convert {' or '.join(TIME_CONVERTS)}, not {self.convert!r}")
        if field in TEXT_FIELDS and self.convert in (*LIST_CONVERTS, *TIME_CONVERTS):
            raise ValueError(f"{field}: convert {self.convert!r} does not fit")
        if source.field and source.field not in FIELDS_READ_BY.get(field, ()):
            allowed = ", ".join(FIELDS_READ_BY.get(field, ())) or "none"
            raise ValueError(f"{field}: cannot be read from field {source.field!r}; from: {allowed}")

    @property
    def label(self) -> str:
        return self.id or self.source.label


class UsageObject(Placed):
    """A JSON object of token counts; its keys are those of ``usage_objects.yaml``."""

    key: str
    path: str | None = None
    """Dotted path of the object inside the JSON; none: the whole."""
    explicit: bool = False
    """The object is all there is to say: other counts of the span are not asked."""
    when: When = When()

    @property
    def label(self) -> str:
        return self.id or (f"{self.key}#{self.path}" if self.path else self.key)


class CostObject(Placed):
    """A JSON object of costs by bucket, in USD."""

    key: str
    path: str | None = None
    when: When = When()

    @property
    def label(self) -> str:
        return self.id or (f"{self.key}#{self.path}" if self.path else self.key)


class Inclusion(Strict):
    """Whether an emitter's input count includes cached tokens, where the numbers of
    one span do not tell.
    """

    rule: str = Field(pattern=r"^[a-z0-9_]+$")
    includes_cache: bool
    when: When = When()
    provider: Texts = ()
    certain: bool = False
    """Seen in captures; beats the comparison with the total, which such emitters add up wrongly."""


class File(Strict):
    """One YAML file."""

    table: str = ""
    """The stem of the file's name; the loader knows it."""
    path: str = ""
    """Where it was read, if not in this package; the loader knows it, too."""
    title: str = ""
    """The emitter's name, the heading of the dialect's page."""
    about: str = ""
    """A sentence: who writes this."""
    versions: tuple[str, ...] = ()
    """Packages and versions whose payloads were captured and are tested."""
    link: str | None = None
    content_keys: Texts = ()
    """Keys, prefixes (``*``) and event names of other dialects' content rows that this emitter writes, too: for its
    page only."""
    dialect: str | None = Field(None, pattern=r"^[a-z0-9_]+$")
    before: str | None = None
    """A dialect: this one is detected, and its rows are asked, right before it."""
    after: str | None = None
    """The same, right behind. Without either, and if ``order.yaml`` does not list it, it stands at the ``*`` there."""
    detect: tuple[When, ...] = ()
    """The span speaks this dialect if one of these holds."""
    mark: str | None = None
    """A key by which spans are known that were translated to this dialect, whatever else is detected."""
    rows: tuple[Row, ...] = ()
    content: tuple[ContentRow, ...] = ()
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

    @property
    def place(self) -> str:
        """What messages call the file."""
        return self.path or f"{self.table}.yaml"

    @model_validator(mode="after")
    def _detects_a_dialect(self) -> File:
        if bool(self.detect) > bool(self.dialect):
            raise ValueError("'detect' needs a 'dialect'")
        return self


class UsageKey(Strict):
    """One key of a usage object."""

    field: CountField
    keys: tuple[str, ...]
    """Dotted paths in the object, first wins."""


class UsageKeys(Strict):
    """``usage_objects.yaml``: how keys of usage objects are read."""

    counts: tuple[UsageKey, ...]
    inclusive: tuple[str, ...]
    """A key (prefix with ``*``) whose presence says that input includes cached tokens."""
    ignore: tuple[str, ...]
    """Subsets and notes that are no bucket of their own."""
