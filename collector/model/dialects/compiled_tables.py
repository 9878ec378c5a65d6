"""The dialect tables made ready for columns: markers, contexts, rules by key.

A *marker* is a set of keys of which one is on the span: one bit. A *context* is what conditions can
ask about a span without looking at values: its scope, version, language and marker bits. Whether a
rule holds is worked out once per distinct context and kept, bounded, over batches.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.errors import ConfigError
from collector.model.attributes import dumps
from collector.model.dialects.conditions import Condition, Markers, Origin, in_words
from collector.model.dialects.fact_tables import CostObject, File, Inclusion, Row, Source, UsageObject, When
from collector.model.dialects.fields import COUNT_FIELDS, MONEY_FIELDS
from collector.model.dialects.kept import kept
from collector.model.dialects.neighbours import Item, arrange
from collector.model.dialects.table_files import families, files, matcher

PLAIN = "otel"
"""The dialect of a span that speaks none of the others."""

COST_OBJECT = "cost_object"
"""The name under which rules stand that read a whole object of costs."""
_MONEY = frozenset({COST_OBJECT, *MONEY_FIELDS})
_MAX_KEPT_KEYS = 65_536
"""Characters of the keys of one batch."""

RECURRING = frozenset(
    {"type", "level", "usual_level", "role", "environment", "release", "version", "provider", "request_model",
     "response_model", "model", "service_tier", "tags", "finish_reasons", "cache_hit", "currency"}
)  # fmt: skip
"""Fields whose texts are few in a batch, however many rows it has."""


_NOWHERE = Item("", "", "")


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
    item: Item = _NOWHERE
    """Where the row stands: its file and its neighbours."""
    rank: int = 0
    """Its place among the rules of its field, from 1; all rules on money are counted together."""
    report: int = 0
    """Money: the number of the bill it is part of."""
    exact: Mapping[str, str] = field(default_factory=dict)
    """Of ``values``, the texts as a whole, folded."""
    prefixes: tuple[tuple[str, str], ...] = ()
    """Of ``values``, the prefixes (``x*``), folded, longest first."""

    @property
    def table(self) -> str:
        """The file the row stands in."""
        return self.item.table

    def meaning(self, text: str) -> str | None:
        """What ``values`` make of a text: exact, else by the longest prefix; without ``values`` the text."""
        if self.row.values is None:
            return text
        folded = text.casefold()
        if folded in self.exact:
            return self.exact[folded]
        return next((meaning for prefix, meaning in self.prefixes if folded.startswith(prefix)), None)


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
    """(words, keys): the marker bits of each key."""
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
    words: int = 1
    """How many words of 64 bits the markers of a span take."""
    _markers: Markers = field(default_factory=Markers)
    _reports: dict[tuple[str, str], int] = field(default_factory=dict)
    _files: list[File] = field(default_factory=list)

    def add(self, file: File) -> None:
        """Takes over one file. Raises ``ConfigError`` for bounds on a version that are none."""
        try:
            self._add(file)
        except ConfigError as error:
            raise ConfigError(f"{file.place}: {error}") from error

    def _add(self, file: File) -> None:
        self._files.append(file)
        table = file.table
        for n, row in enumerate(file.rows):
            place = f"{file.place}: rows.{n} ({row.field})"
            self._add_rule(row, row.field, Item(table, row.label, place, row.before, row.after))
        for n, usage in enumerate(file.usage_objects):
            place = f"{file.place}: usage_objects.{n}"
            self._add_object(usage, Item(table, usage.label, place, usage.before, usage.after, "usage_objects"))
        for n, cost in enumerate(file.cost_objects):
            place = f"{file.place}: cost_objects.{n}"
            row = Row(field="cost_total", source=_object_source(cost), when=cost.when, convert="money")
            self._add_rule(row, COST_OBJECT, Item(table, cost.label, place, cost.before, cost.after, "cost_objects"))
        self.inclusions += [(i, self._markers.condition(i.when)) for i in file.inclusion]
        if file.dialect:
            self.dialects.append((file.dialect, [self._markers.condition(when) for when in file.detect]))
        if file.dialect and file.mark:
            self.marked.append((file.dialect, [self._markers.condition(When(has=(file.mark,)))]))

    def _add_object(self, usage: UsageObject, item: Item) -> None:
        for name in COUNT_FIELDS:
            row = Row(field=name, source=_object_source(usage), when=usage.when, convert="count")
            self._add_rule(row, name, item, usage)

    def _add_rule(self, row: Row, field_name: str, item: Item, usage: UsageObject | None = None) -> None:
        source = row.source
        values = {text.casefold(): meaning for text, meaning in (row.values or {}).items()}
        prefixes = [(text[:-1], meaning) for text, meaning in values.items() if text.endswith("*")]
        bill = self._reports.setdefault((item.table, row.report or source.json_key or ""), len(self._reports))
        rule = Rule(
            id=len(self.rules),
            row=row,
            condition=self._markers.condition(row.when),
            source=source,
            key=source.key or source.json_key or next(iter(source.join), None),
            usage_object=usage is not None,
            explicit=usage is not None and usage.explicit,
            item=item,
            report=bill,
            exact={text: meaning for text, meaning in values.items() if not text.endswith("*")},
            prefixes=tuple(sorted(prefixes, key=lambda entry: -len(entry[0]))),
        )
        self.rules.append(rule)
        self.by_field.setdefault(field_name, []).append(rule)

    def finish(self, dialects: Sequence[str]) -> None:
        """Orders and indexes what was added. ``dialects``: the tables, those asked first in front.

        Raises ``ConfigError`` for rows that say an impossible place.
        """
        self._order(dialects)
        self.words = self._markers.words
        sources = [rule.source for rule in self.rules]
        self.resource_keys = frozenset(s.resource for s in sources if s.resource)
        for key in {s.json_key for s in sources if s.json_key}:
            members = {_needle(s.path or ".") for s in sources if s.json_key == key}
            self.json_needles[key] = None if "" in members else "|".join(map(re.escape, sorted(members)))
        self.valued = frozenset(key.partition("=")[0] for key in self._markers if "=" in key)
        asked = {k for s in sources for k in (s.key, s.json_key, *s.join) if k} | self.valued
        self._exact = frozenset(k for k in asked if "*" not in k)
        self._recurring = frozenset(rule.source.key for rule in self.rules if rule.row.field in RECURRING)
        self._indexed = [(k, _index_pattern(k)) for k in sorted(asked) if "*" in k]
        self._marker_patterns = self._markers.patterns()
        self._usage_keys = matcher(k for f in self._files for k in f.usage_keys)
        self._cost_keys = matcher(k for f in self._files for k in f.cost_keys)

    def _order(self, dialects: Sequence[str]) -> None:
        """Gives every rule its rank and sorts those of each field. What money is believed is a matter of all its
        fields, so they are put in one order.
        """
        money = [rule for rule in self.rules if rule.row.field in MONEY_FIELDS]
        groups = [rules for name, rules in self.by_field.items() if name not in _MONEY]
        for rules in (*groups, money):
            for rank, n in enumerate(arrange(dialects, [rule.item for rule in rules]), 1):
                self.rules[rules[n].id] = replace(rules[n], rank=rank)
        for name, rules in self.by_field.items():
            self.by_field[name] = sorted((self.rules[rule.id] for rule in rules), key=lambda rule: rule.rank)

    @kept(16_384)
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

    @kept(128)
    def _kept_keys(self, keys: tuple[str, ...]) -> Keys:
        return self._keys(keys)

    def _keys(self, keys: tuple[str, ...]) -> Keys:
        infos = tuple(map(self.key_info, keys))
        return Keys(
            keys,
            infos,
            np.array([in_words(i.markers, self.words) for i in infos], np.uint64).reshape(-1, self.words).T.copy(),
            np.array([info.wanted for info in infos], np.bool_),
            np.array([info.encode for info in infos], np.bool_),
            np.array([info.usage for info in infos], np.bool_),
            np.array([info.cost for info in infos], np.bool_),
        )

    @kept(128)
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

    @kept(4_096)
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


@kept()
def compiled() -> Compiled:
    """The tables of this package, compiled. Raises ``ConfigError`` for a table that is wrong."""
    result = Compiled()
    for file in files():
        result.add(file)
    result.finish(families())
    return result


def _index_pattern(key: str) -> re.Pattern[str]:
    body = re.escape(key).replace(r"\*", r"(\d{1,4})")
    return re.compile(rf"\A{body}\Z")


def _object_source(entry: UsageObject | CostObject) -> Source:
    return Source(json_key=entry.key, path=entry.path or ".")


def _needle(path: str) -> str:
    """A member's name that a text with something at this path holds; empty: there is none."""
    return next((part for part in path.split(".") if not part.isdigit()), "")
