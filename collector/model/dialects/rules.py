"""The dialect tables made ready for columns: markers, contexts, rules by key.

A *marker* is a set of keys of which one is on the span: one bit. A *context* is what conditions can
ask about a span without looking at values: its scope, version, language and marker bits. Whether a
rule holds is worked out once per distinct context and kept, bounded, over batches.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.errors import ConfigError
from collector.model.attributes import dumps
from collector.model.dialects import fact_tables
from collector.model.dialects.fact_tables import COUNT_FIELDS, Inclusion, Row, Source, When

PLAIN = "otel"
"""The dialect of a span that speaks none of the others."""

ROOT_BIT, SERVED_BIT = np.uint64(1), np.uint64(2)
_MAX_MARKERS = 64
_MAX_KEPT_KEYS = 65_536
"""Characters of the keys of one batch."""

RECURRING = frozenset(
    {"type", "level", "usual_level", "role", "environment", "release", "version", "provider", "request_model",
     "response_model", "model", "service_tier", "tags", "finish_reasons", "cache_hit", "currency"}
)  # fmt: skip
"""Fields whose texts are few in a batch, however many rows it has."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What conditions may ask about the sender; interned, so equal origins are few."""

    scope: str
    version: str
    language: str
    sdk: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A ``When`` over an origin and marker bits."""

    when: When
    scopes: re.Pattern[str]
    not_scopes: re.Pattern[str]
    bounds: tuple[tuple[Callable[[Any, Any], bool], tuple[int, ...]], ...]
    all_bits: int
    no_bits: int

    def holds(self, origin: Origin, bits: int) -> bool:
        """Whether the condition holds (types of observation left aside)."""
        when = self.when
        return (
            bits & self.all_bits == self.all_bits
            and not bits & self.no_bits
            and (not when.scope or bool(self.scopes.match(origin.scope)))
            and (not when.not_scope or not self.not_scopes.match(origin.scope))
            and (when.language is None or when.language == origin.language)
            and (when.sdk is None or when.sdk == origin.sdk)
            and self._version_fits(origin.version)
        )

    def _version_fits(self, text: str) -> bool:
        if not self.bounds:
            return True
        version = parse_version(text)
        return bool(version) and all(compare(_pad(version), _pad(bound)) for compare, bound in self.bounds)


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the tables, numbered."""

    id: int
    row: Row
    condition: Condition
    source: Source
    key: str | None
    """An attribute the rule needs; none: it asks something that every span has."""
    usage_object: bool = False
    explicit: bool = False
    table: str = ""
    """The file the row stands in."""


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What a distinct (origin, marker bits) comes to."""

    dialect: str
    matches: tuple[tuple[str, When], ...]
    """Every dialect that the span could be taken for and the test that says so; the first one is it."""
    origin: Origin
    holds: npt.NDArray[np.bool_]
    """Per rule id, whether its condition holds."""
    inclusions: npt.NDArray[np.bool_]
    """The same per entry of ``Compiled.inclusions``."""


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What the tables know about one attribute key."""

    markers: int
    name: str | None
    """The name under which rules ask for it (indexed keys: with ``*``); none: no rule does."""
    index: int
    """The number in place of the ``*``."""
    usage: bool
    cost: bool
    encode: bool
    """Its texts recur (enums, models, versions): work on them is per distinct value."""

    @property
    def wanted(self) -> bool:
        return self.name is not None or self.usage or self.cost


@dataclass(frozen=True, eq=False)
class Keys:
    """What the tables know about the attribute keys of a batch, by key code."""

    names: tuple[str, ...]
    infos: tuple[KeyInfo, ...]
    markers: npt.NDArray[np.uint64]
    wanted: npt.NDArray[np.bool_]
    encode: npt.NDArray[np.bool_]
    usage: npt.NDArray[np.bool_]
    cost: npt.NDArray[np.bool_]

    @functools.cached_property
    def members(self) -> pa.StringArray:
        """``"key":`` as JSON has it, for the keys of usage and cost."""
        chosen = zip(self.names, self.usage | self.cost, strict=True)
        return pa.array([dumps(name) + ":" if use else "" for name, use in chosen], pa.string())


@dataclass(frozen=True, slots=True)
class Plan:
    """The rules that can yield something on spans with certain keys and contexts."""

    rules: Mapping[str, Sequence[Rule]]
    """Field → its rules by rank; fields without any are left out."""
    holds: npt.NDArray[np.bool_]
    """(contexts, rule ids): whether the rule's condition holds."""
    everywhere: npt.NDArray[np.bool_]
    """Per rule id, whether the rule holds on all rows, whatever their type."""
    inclusions: Sequence[tuple[Inclusion, npt.NDArray[np.bool_]]]
    """Those that hold somewhere, and in which contexts."""


@dataclass(eq=False)
class Compiled:
    """All tables together. Built once; see ``compiled()``."""

    rules: list[Rule] = field(default_factory=list)
    by_field: dict[str, list[Rule]] = field(default_factory=dict)
    inclusions: list[tuple[Inclusion, Condition]] = field(default_factory=list)
    dialects: list[tuple[str, list[Condition]]] = field(default_factory=list)
    marked: list[tuple[str, list[Condition]]] = field(default_factory=list)
    """How translated spans are known; asked before all detection."""
    resource_keys: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    """Keys whose text some condition asks for."""
    json_needles: dict[str, str | None] = field(default_factory=dict)
    """Key that holds JSON → a pattern of the members rules ask for; none: they ask for the whole."""
    _markers: dict[tuple[str, ...], int] = field(default_factory=dict)
    _table: str = ""

    def add(self, file: fact_tables.File) -> None:
        """Takes over one file."""
        self._table = file.table
        for row in file.rows:
            self._add_rule(row)
        for usage in file.usage_objects:
            self._add_object(usage)
        for cost in file.cost_objects:
            source = _object_source(cost.key, cost.path)
            row = Row(field="cost_total", rank=cost.rank, source=source, when=cost.when, convert="money")
            self._add_rule(row, field_name="cost_object")
        self.inclusions += [(i, self._condition(i.when)) for i in file.inclusion]
        if file.dialect:
            self.dialects.append((file.dialect, [self._condition(when) for when in file.detect]))
        if file.dialect and file.mark:
            self.marked.append((file.dialect, [self._condition(When(has=(file.mark,)))]))

    def _add_object(self, usage: fact_tables.UsageObject) -> None:
        for name in COUNT_FIELDS:
            source = _object_source(usage.key, usage.path)
            row = Row(field=name, rank=usage.rank, source=source, when=usage.when, convert="count")
            self._add_rule(row, usage_object=True, explicit=usage.explicit)

    def _add_rule(self, row: Row, *, field_name: str = "", usage_object: bool = False, explicit: bool = False) -> None:
        source = row.source
        key = source.key or source.json_key or next(iter(source.join), None)
        rule = Rule(len(self.rules), row, self._condition(row.when), source, key, usage_object, explicit, self._table)
        self.rules.append(rule)
        self.by_field.setdefault(field_name or row.field, []).append(rule)

    def _condition(self, when: When) -> Condition:
        required = [(key,) for key in when.has] + ([when.any] if when.any else [])
        bits = sum({self._marker(keys) for keys in required})
        bits |= (int(ROOT_BIT) if when.root else 0) | (int(SERVED_BIT) if when.served else 0)
        return Condition(
            when,
            fact_tables.matcher(when.scope),
            fact_tables.matcher(when.not_scope),
            tuple(_bound(part) for part in (when.version or "").split(",") if part.strip()),
            bits,
            self._marker(when.lacks) if when.lacks else 0,
        )

    def _marker(self, keys: Sequence[str]) -> int:
        place = self._markers.setdefault(tuple(sorted(keys)), len(self._markers) + 2)
        if place >= _MAX_MARKERS:
            raise ConfigError(f"dialect tables: more than {_MAX_MARKERS - 1} different sets of keys in conditions")
        return 1 << place

    def finish(self) -> None:
        """Sorts and indexes what was added."""
        for rules in self.by_field.values():
            rules.sort(key=lambda rule: rule.row.rank)
            ranks = [rule.row.rank for rule in rules]
            if len(set(ranks)) != len(ranks):
                raise ConfigError(f"dialect tables: two rows of {rules[0].row.field} share a rank")
        sources = [rule.source for rule in self.rules]
        self.resource_keys = frozenset(s.resource for s in sources if s.resource)
        for key in {s.json_key for s in sources if s.json_key}:
            members = {_needle(s.path or ".") for s in sources if s.json_key == key}
            self.json_needles[key] = None if "" in members else "|".join(map(re.escape, sorted(members)))
        self.valued = frozenset(key.partition("=")[0] for keys in self._markers for key in keys if "=" in key)
        asked = {k for s in sources for k in (s.key, s.json_key, *s.join) if k} | self.valued
        self._exact = frozenset(k for k in asked if "*" not in k)
        self._recurring = frozenset(rule.source.key for rule in self.rules if rule.row.field in RECURRING)
        self._indexed = [(k, _index_pattern(k)) for k in sorted(asked) if "*" in k]
        self._marker_patterns = [(fact_tables.matcher(keys), 1 << place) for keys, place in self._markers.items()]
        files = fact_tables.files()
        self._usage_keys = fact_tables.matcher(k for f in files for k in f.usage_keys)
        self._cost_keys = fact_tables.matcher(k for f in files for k in f.cost_keys)

    @functools.lru_cache(maxsize=16_384)  # noqa: B019 - one instance lives as long as the process
    def key_info(self, key: str) -> KeyInfo:
        """What the tables know about ``key``."""
        markers = sum(bit for pattern, bit in self._marker_patterns if pattern.match(key))
        name, index = (key, 0) if key in self._exact else (None, 0)
        if name is None:
            for asked, pattern in self._indexed:
                if match := pattern.match(key):
                    name, index = asked, int(match[1])
        cost = bool(self._cost_keys.match(key))
        usage = bool(self._usage_keys.match(key)) and not cost
        return KeyInfo(markers, name, index, usage, cost, name in self._recurring)

    def keys(self, keys: tuple[str, ...]) -> Keys:
        """What the tables know about each of these keys; kept over batches unless they are long."""
        return self._kept_keys(keys) if sum(map(len, keys)) <= _MAX_KEPT_KEYS else self._keys(keys)

    @functools.lru_cache(maxsize=128)  # noqa: B019
    def _kept_keys(self, keys: tuple[str, ...]) -> Keys:
        return self._keys(keys)

    def _keys(self, keys: tuple[str, ...]) -> Keys:
        infos = tuple(map(self.key_info, keys))
        return Keys(
            keys,
            infos,
            np.array([info.markers for info in infos], np.uint64),
            np.array([info.wanted for info in infos], np.bool_),
            np.array([info.encode for info in infos], np.bool_),
            np.array([info.usage for info in infos], np.bool_),
            np.array([info.cost for info in infos], np.bool_),
        )

    @functools.lru_cache(maxsize=128)  # noqa: B019
    def plan(self, names: frozenset[str], resource_keys: frozenset[str], contexts: tuple[Context, ...]) -> Plan:
        """The rules to go through for a batch.

        ``names``: what rules call the attributes that are there; ``resource_keys``: the same for
        attributes of resources; ``contexts``: those of the batch's spans.
        """
        holds = np.array([context.holds for context in contexts], np.bool_).reshape(-1, len(self.rules))
        some, everywhere = np.asarray(holds.any(axis=0)), np.asarray(holds.all(axis=0))
        everywhere[[rule.id for rule in self.rules if rule.row.when.type]] = False

        def useful(rule: Rule) -> bool:
            resource = rule.source.resource
            return (
                bool(some[rule.id])
                and (rule.key is None or rule.key in names)
                and (resource is None or resource in resource_keys)
            )

        found = {field: [rule for rule in rules if useful(rule)] for field, rules in self.by_field.items()}
        rules = {field: rules for field, rules in found.items() if rules}
        includes = [np.array([c.inclusions[i] for c in contexts], np.bool_) for i in range(len(self.inclusions))]
        inclusions = [
            (entry, where) for (entry, _), where in zip(self.inclusions, includes, strict=True) if where.any()
        ]
        return Plan(rules, holds, everywhere, inclusions)

    @functools.lru_cache(maxsize=4_096)  # noqa: B019
    def context(self, origin: Origin, bits: int) -> Context:
        """The dialect and the rules that hold for this origin and these marker bits."""
        detection = (*self.marked, *self.dialects)
        found = ((name, next((t.when for t in tests if t.holds(origin, bits)), None)) for name, tests in detection)
        matches = tuple((name, when) for name, when in found if when is not None)
        return Context(
            matches[0][0] if matches else PLAIN,
            matches,
            origin,
            np.array([rule.condition.holds(origin, bits) for rule in self.rules], np.bool_),
            np.array([condition.holds(origin, bits) for _, condition in self.inclusions], np.bool_),
        )


@functools.cache
def compiled() -> Compiled:
    """The tables of this package, compiled. Raises ``ConfigError`` for a table that is wrong."""
    result = Compiled()
    for file in fact_tables.files():
        result.add(file)
    result.finish()
    return result


def parse_version(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: ``"3.15.0rc1"`` → (3, 15, 0); empty if there are none."""
    match = re.match(r"v?(\d{1,9}(?:\.\d{1,9}){0,3})", text)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def _pad(version: tuple[int, ...]) -> tuple[int, ...]:
    return (*version, 0, 0, 0, 0)[:4]


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


def _bound(text: str) -> tuple[Callable[[Any, Any], bool], tuple[int, ...]]:
    match = re.fullmatch(r"\s*(>=|<=|==|>|<)\s*([\d.]+)\s*", text)
    if not match:
        raise ConfigError(f"dialect tables: {text!r} is no bound on a version")
    return _COMPARE[match[1]], parse_version(match[2])


def _index_pattern(key: str) -> re.Pattern[str]:
    body = re.escape(key).replace(r"\*", r"(\d{1,4})")
    return re.compile(rf"\A{body}\Z")


def _object_source(key: str, path: str | None) -> Source:
    return Source(json_key=key, path=path or ".")


def _needle(path: str) -> str:
    """A member's name that a text with something at this path holds; empty: there is none."""
    return next((part for part in path.split(".") if not part.isdigit()), "")
