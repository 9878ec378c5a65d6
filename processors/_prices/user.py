"""Prices a user brings: the short form, from the configuration or a YAML or JSON file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self

import re2
from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, SequenceNode

from processors._prices.call_names import Call, names
from processors._prices.langfuse_prices import is_langfuse, own_entry
from processors._prices.rates import Plan, PriceRow, Rate, Sheet, bucket_of, known_buckets
from spanloom import ComponentConfig

SOURCE = "user"

_TYPO = 0.8
"""How alike two names are when one is the other with a slip."""
_MILLION = 10**6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Price = Annotated[Decimal, Field(ge=0, le=_MILLION, allow_inf_nan=False)]
Prices = dict[str, Price]
"""Usage bucket → USD per million units."""


class PriceEntry(ComponentConfig):
    """One model's prices. The first entry that fits a call counts, before any built-in price."""

    model: str | None = Field(default=None, min_length=1, max_length=200)
    """The model's name as the telemetry has it, in any case."""

    match: str | None = Field(default=None, min_length=1, max_length=1_000)
    """Instead of ``model``: an RE2 expression for the whole name, in any case."""

    name: str | None = None
    """What ``price_ref`` calls the entry; without it, ``model`` or ``match``."""

    provider: str | None = None
    """Only calls to this provider; without it, any."""

    service_tier: str | None = None
    """Only calls under this service tier (``batch``, ``flex``, ``priority``, ...); without it, any."""

    start_date: date | None = None
    """The prices count from this day on (UTC). Entries for the same calls form one history; before
    its first day the built-in prices count."""

    per_million: Prices = Field(default_factory=dict)
    """USD per million tokens by usage bucket: input, input_cache_read, input_cache_write, output,
    output_reasoning, ... A missing bucket has the price of its parent (input, output)."""

    per_request: Price | None = None
    """USD per request, on top."""

    above: dict[Annotated[int, Field(gt=0)], Prices] = Field(default_factory=dict)
    """Other prices for requests with more input tokens than this (cached ones included)."""

    same_as: str | None = Field(default=None, min_length=1)
    """Instead of prices: priced as this model (``gpt-4o``, ``azure:gpt-4o``), e.g. for a deployment's name."""

    @field_validator("match")
    @classmethod
    def _compiles(cls, match: str | None) -> str | None:
        if match is not None:
            _pattern(match)
        return match

    @model_validator(mode="after")
    def _names_buckets(self) -> Self:
        for name in dict.fromkeys([*self.per_million, *(name for prices in self.above.values() for name in prices)]):
            # Usage may have buckets of any name, but one letter off is none of these.
            near = get_close_matches(name, known_buckets(), n=1, cutoff=_TYPO)
            if near and name not in known_buckets():
                raise ValueError(f"{name!r} is no usage bucket: did you mean {near[0]!r}?")
        return self

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if (self.model is None) == (self.match is None):
            raise ValueError("give either 'model' or 'match'")
        has_prices = bool(self.per_million or self.above) or self.per_request is not None
        if has_prices == (self.same_as is not None):
            raise ValueError("give either prices ('per_million', 'per_request') or 'same_as'")
        return self

    @property
    def calls(self) -> tuple[str | None, ...]:
        """Which calls it is for: entries that agree in this are one history."""
        return self.model and self.model.lower(), self.match, _lower(self.provider), _lower(self.service_tier)

    def fits(self, call: Call) -> bool:
        """Whether it is for this call, whatever the time."""
        provider, tier = _lower(call.provider), _lower(call.tier)
        if self.provider is not None and names().seller(self.provider) != names().seller(provider or ""):
            return False
        return (self.service_tier is None or _lower(self.service_tier) == tier) and any(map(self._names, call.models))

    def _names(self, model: str) -> bool:
        forms = [form.text for form in names().forms(model) if not form.lossy]
        if self.match is not None:
            pattern = _pattern(self.match)
            return any(pattern.fullmatch(text) is not None for text in (model, *forms))
        return self.model is not None and self.model.lower() in forms


class UserPrices:
    """A table made of entries; ``name`` stands for it in ``price_ref``."""

    def __init__(self, entries: Sequence[PriceEntry], name: str) -> None:
        self._entries = entries
        self._name = name

    def find(self, call: Call, others: Callable[[Call], Plan | None]) -> Plan | None:
        """The prices of the first history that fits, or what the tables behind this one know."""
        first = next((e for e in self._entries if e.fits(call)), None)
        if first is None:
            return others(call)
        history = sorted((e for e in self._entries if e.calls == first.calls), key=_start)
        plans = [self._plan(entry, call, others) for entry in history]
        starts = [_start(entry) for entry in history]
        before = others(call) if starts[0] else None
        return _joined(starts, plans, before)

    def _plan(self, entry: PriceEntry, call: Call, others: Callable[[Call], Plan | None]) -> Plan | None:
        if entry.same_as is not None:
            provider, colon, model = entry.same_as.partition(":")
            named = Call(provider, (model,), call.tier) if colon else Call(None, (entry.same_as,), call.tier)
            return others(named)
        model = "".join((entry.name or entry.model or entry.match or "").split())
        sheet = _sheet(entry, f"{self._name}/{entry.provider or '*'}:{model}")
        return Plan((), (), lambda _: sheet)


def read_prices(path: Path) -> tuple[tuple[PriceEntry, ...], str]:
    """(entries of a price file, name of its contents for ``price_ref``).

    The file is a list of entries, or a map with that list under ``prices``; an entry may also be in Langfuse's shape.
    Raises ``ValueError`` naming the file and every entry that is wrong.
    """
    try:
        data = path.read_bytes()
        document = YAML(typ="safe", pure=True).load(data)
    except (OSError, YAMLError, UnicodeDecodeError) as e:
        raise ValueError(f"cannot read the price file {path}: {e}") from e
    if isinstance(document, Mapping):
        document = document.get("prices")
    if not isinstance(document, list):
        raise ValueError(f"the price file {path} is not a list of prices, nor a map with one under 'prices'")
    try:
        entries = _ENTRIES.validate_python([_own(at, entry) for at, entry in enumerate(document)])
    except ValidationError as e:
        wrong = "; ".join(f"{_problem(error)} (line {_line(data, error['loc'])})" for error in e.errors())
        raise ValueError(f"the price file {path} is wrong: {wrong}") from e
    except _ForeignEntryError as e:
        raise ValueError(f"the price file {path} is wrong: {e} (line {_line(data, [e.at])})") from e
    return entries, f"{path.name.replace(' ', '_')} {sha256(data).hexdigest()[:8]}"


_ENTRIES = TypeAdapter(tuple[PriceEntry, ...])


class _ForeignEntryError(ValueError):
    """An entry in another product's shape that cannot be carried over."""

    def __init__(self, at: int, why: object) -> None:
        super().__init__(f"entry {at + 1}: {why}")
        self.at = at


def _own(at: int, entry: Any) -> Any:
    try:
        return own_entry(entry) if is_langfuse(entry) else entry
    except (ValueError, ArithmeticError, TypeError, KeyError, AttributeError) as e:
        raise _ForeignEntryError(at, e) from e


def _problem(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"][1:])
    return f"entry {error['loc'][0] + 1}{': ' + where if where else ''}: {error['msg']}"


def _line(data: bytes, path: Sequence[str | int]) -> int:
    """The line of what stands at a path of the list of prices, or of the deepest part of the path that is there."""
    node = YAML(typ="safe", pure=True).compose(data)
    if isinstance(node, MappingNode):
        node = next(value for key, value in node.value if key.value == "prices")
    line: int = node.start_mark.line
    for part in path:
        if isinstance(node, SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
        elif isinstance(node, MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            line, node = found[0][0].start_mark.line, found[0][1]
    return line + 1


def _joined(starts: Sequence[int], plans: Sequence[Plan | None], before: Plan | None) -> Plan:
    """One plan over time: each plan from its start on, ``before`` until the first one starts."""
    every = [plan for plan in (*plans, before) if plan]
    dates = {start for start in starts if start} | {d for plan in every for d in plan.dates}

    def make(unix_nano: int) -> Sheet | None:
        begun = [plan for start, plan in zip(starts, plans, strict=True) if start <= unix_nano or not start]
        plan = begun[-1] if begun else before
        return plan.make(unix_nano) if plan else None

    return Plan(tuple(sorted(dates)), tuple(sorted({t for plan in every for t in plan.times})), make)


def _sheet(entry: PriceEntry, ref: str) -> Sheet:
    request = Rate.of(entry.per_request).cost(1) if entry.per_request is not None else None
    note = f" tier:{_lower(entry.service_tier)}" if entry.service_tier else ""
    prices = entry.per_million
    rows = [PriceRow(ref + note, SOURCE, _rates(prices), request)]
    for start in sorted(entry.above):
        prices = prices | entry.above[start]
        rows.append(PriceRow(f"{ref}{note} context:>{start}", SOURCE, _rates(prices), request))
    return Sheet(tuple(sorted(entry.above)), tuple(rows))


def _rates(prices: Prices) -> dict[str, Rate]:
    return {bucket_of(name).name or name: Rate.of(price, _MILLION) for name, price in prices.items()}


def _start(entry: PriceEntry) -> int:
    """Unix nanoseconds from which the entry counts; 0: always."""
    if entry.start_date is None:
        return 0
    return (datetime.combine(entry.start_date, time(), UTC) - _EPOCH) // timedelta(seconds=1) * 10**9


def _lower(text: str | None) -> str | None:
    return text.strip().lower() if text is not None else None


@functools.cache
def _pattern(match: str) -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(match, options)
    except re2.error as e:
        raise ValueError(f"{match!r} is no RE2 expression: {e}") from e
