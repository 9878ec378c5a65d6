"""Writes ``docs/dialects``: a page per dialect and an index, from the tables.

``python -m collector.pages.dialects DIRECTORY``. The pages are committed; a test compares them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from collector.model.dialects import table_files
from collector.model.dialects.compiled_tables import COST_OBJECT, Rule, compiled
from collector.model.dialects.fact_tables import (
    CostObject,
    File,
    Row,
    Source,
    UsageObject,
    When,
)
from collector.model.dialects.fields import COUNT_FIELDS, MONEY_FIELDS
from collector.model.dialects.messages import content_tables as content
from collector.model.dialects.score_carriers import ScoreCarrier

INDEX = "README.md"
_SOURCES = "order-of-all-sources"
_GENERATED = "<!-- Generated from collector/model by `make docs`; change the tables instead. -->"
_ROLES = {
    "call": "one model call",
    "wrapper": "a span around calls: it repeats their sum",
    "never": "never counted: a copy, or a counter that only grows",
    "native": "a provider SDK's own span: yields to an instrumentation's",
    "placeholder": "announces a span to come: dropped",
    "other": "nothing in particular",
}
_CONVERTS = {
    "text": "",
    "count": "",
    "money": "",
    "json_unwrap": "JSON text unwrapped",
    "provider": "to the canonical provider",
    "provider_of_model": "provider guessed from the model",
    "provider_of_server": "provider guessed from the host",
    "environment": "lower case",
    "observation_type": "type/subtype",
    "list": "array, JSON array or comma list",
    "finish_reasons": "canonical finish reasons",
    "iso_time": "ISO 8601",
    "seconds_after_start": "seconds after the start",
    "millis_after_start": "milliseconds after the start",
}


def pages() -> dict[str, str]:
    """File name → text of every page."""
    files = table_files.files()
    made = {f"{file.table}.md": "\n".join([*_page(file), ""]) for file in files}
    return {INDEX: "\n".join([*_index(files), ""]), **made}


def write(directory: Path) -> None:
    """Writes all pages; pages of tables that are gone are deleted."""
    directory.mkdir(parents=True, exist_ok=True)
    made = pages()
    for name, text in made.items():
        (directory / name).write_text(text, encoding="utf-8")
    for path in directory.glob("*.md"):
        if path.name not in made:
            path.unlink()


def _index(files: Sequence[File]) -> Iterator[str]:
    yield from ("# Dialects", "", _GENERATED, "")
    yield "The first dialect of this table whose test holds names the span's `dialect`. It decides nothing else: every"
    yield "row of every table is asked on every span, and of a field's sources the first that has a value wins."
    yield "`spanloom explain` shows it for a payload."
    yield ""
    yield from _table(
        ("dialect", "who", "captured"),
        ((f"[{f.title}]({f.table}.md)", f.about, "yes" if f.versions else "no") for f in files),
    )
    yield from ("", "## Order of all sources", "")
    order = ", ".join(f"[{name}]({name}.md)" for name in table_files.families())
    yield f"Rows stand in the order of their dialects: {order}. Inside a dialect they stand as in its file. A row that"
    yield "stands elsewhere says so (`before`, `after`), and the rows of its field below it follow it."
    yield ""
    rows = ((f"`{name}`", " > ".join(map(_asked, _rows_of(name)))) for name in sorted(compiled().by_field))
    yield from _table(("field", "sources, first wins"), (row for row in rows if row[1]))


def _rows_of(name: str) -> list[Rule]:
    """The rules of a field that read no whole object: those have tables of their own."""
    return [rule for rule in compiled().by_field[name] if not rule.usage_object and name != COST_OBJECT]


def _asked(rule: Rule) -> str:
    return f"{_source(rule.source)} ([{rule.table}]({rule.table}.md))"


def _page(file: File) -> Iterator[str]:
    yield from (f"# {file.title}", "", _GENERATED, "", file.about)
    yield from (
        "",
        f"Keys of other tables are asked on its spans, too: see the [order of all sources]({INDEX}#{_SOURCES}).",
    )
    if file.link:
        yield from ("", f"<{file.link}>")
    if file.versions:
        yield from ("", "Captured and tested:", "", *(f"- {version}" for version in file.versions))
    elif file.dialect:
        yield from ("", "Written from documentation and source: no payload of it has been captured.")
    if file.dialect:
        yield from (
            "",
            "## Detection",
            "",
            f"`dialect` is `{file.dialect}` if one of these holds and no dialect [before it]({INDEX}) is spoken:",
            "",
        )
        yield from (f"- {_when(when)}" for when in file.detect)
        if file.mark:
            yield from (
                "",
                f"A span with `{file.mark}` was translated to it by another Spanloom: it speaks it in any case.",
            )
    yield from _facts("Facts", file, lambda name: name not in {*COUNT_FIELDS, *MONEY_FIELDS, "role"})
    yield from _facts("Token counts", file, lambda name: name in COUNT_FIELDS)
    yield from _objects("Objects of token counts", file.usage_objects)
    yield from _inclusion(file)
    yield from _facts("Cost", file, lambda name: name in MONEY_FIELDS)
    yield from _objects("Objects of costs", file.cost_objects)
    yield from _roles(file)
    yield from _content(file)
    yield from _scores(file.scores)
    yield from _lists(file)


def _facts(title: str, file: File, wanted: Callable[[str], bool]) -> Iterator[str]:
    rows = sorted((r for r in file.rows if wanted(r.field)), key=lambda r: r.field)
    if rows:
        yield from ("", f"## {title}", "")
        cells = ((f"`{r.field}`", _source(r.source), _reading(r), _when(r.when), _place(r)) for r in rows)
        yield from _table(("field", "from", "read as", "when", "place"), cells)


def _place(row: Row | UsageObject | CostObject) -> str:
    """Where a row says that it stands."""
    return f"before `{row.before}`" if row.before else f"after `{row.after}`" if row.after else ""


def _roles(file: File) -> Iterator[str]:
    rows = [r for r in file.rows if r.field == "role"]
    if rows:
        yield from ("", "## Roles", "", "What counts is decided over the trace; a role says what a span is in it.", "")
        cells = ((_source(r.source), _reading(r), _when(r.when), _place(r)) for r in rows)
        yield from _table(("from", "read as", "when", "place"), cells)
        used = dict.fromkeys(v for r in rows for v in [*(r.values or {}).values(), *([r.const] if r.const else [])])
        yield from ("", *(f"- `{role}`: {_ROLES[role]}" for role in used))


def _objects(title: str, objects: Sequence[UsageObject | CostObject]) -> Iterator[str]:
    if objects:
        yield from ("", f"## {title}", "")
        cells = (
            (
                f"`{o.key}`" + (f" → `{o.path}`" if o.path else ""),
                "says all by itself" if isinstance(o, UsageObject) and o.explicit else "",
                _when(o.when),
                _place(o),
            )
            for o in objects
        )
        yield from _table(("key", "", "when", "place"), cells)


def _inclusion(file: File) -> Iterator[str]:
    if not file.inclusion:
        return
    yield from ("", "## Does input include cached tokens?", "")
    yield "Asked only where the numbers of the span do not tell; a certain entry comes before comparing with the total."
    yield ""
    cells = (
        (
            f"`{i.rule}`",
            "yes" if i.includes_cache else "no",
            "yes" if i.certain else "",
            ", ".join(f"`{p}`" for p in i.provider),
            _when(i.when),
        )
        for i in file.inclusion
    )
    yield from _table(("rule", "included", "certain", "provider", "when"), cells)


def _content(file: File) -> Iterator[str]:
    rows = [row for row in content.rows() if is_of(file, row)]
    if rows:
        yield from ("", "## Content", "", "Of a kind the first row that yields something wins; metadata is merged.", "")
        cells = (
            (f"`{row.content}`", _content_source(row), f"`{row.shape}`", _content_when(row), _home(file, row))
            for row in rows
        )
        yield from _table(("column", "from", "shape", "when", "of"), cells)


def is_of(file: File, row: content.Row) -> bool:
    """Whether a content row is for the page of this table: its own, or one whose keys its emitter writes, too."""
    written = table_files.matcher(file.content_keys)
    names = row.events if row.source == "events" else {row.name}
    return row.table == file.table or any(written.match(name) for name in names)


def _home(file: File, row: content.Row) -> str:
    """The table a row stands in, if that is another one."""
    return "" if row.table == file.table else f"[{row.table}]({row.table}.md)"


def _content_source(row: content.Row) -> str:
    place = {"key": f"`{row.name}`", "indexed": f"`{row.name}.N.*`", "prefix": f"`{row.name}*`", "events": ""}[
        row.source
    ]
    events = ", ".join(f"`{name}`" for name in sorted(row.events))
    system = f" with `{row.system}`" if row.system else ""
    return " ".join(filter(None, (place, f"{'in ' if place else ''}event or log {events}" if events else ""))) + system


def _content_when(row: content.Row) -> str:
    types = f"type {_any(sorted(row.types))}" if row.types else ""
    return "; ".join(filter(None, (types, f"beside `{row.has}`" if row.has else "")))


def _scores(carriers: Sequence[ScoreCarrier]) -> Iterator[str]:
    if not carriers:
        return
    yield from ("", "## Scores", "")
    cells = (
        (
            _any([*c.events, *(f"{prefix}*" for prefix in c.prefixes)]),
            c.about,
            ", ".join(f"{name} ← {_any(keys)}" for name, keys in c.fields.items()) or "the rest of the key names it",
        )
        for c in carriers
    )
    yield from _table(("carrier", "about", "fields"), cells)


def _lists(file: File) -> Iterator[str]:
    for title, keys in (
        ("Kept as `provided_usage`", file.usage_keys),
        ("Kept as `provided_cost`", file.cost_keys),
        ("Numbers, enums and ids, which a masker leaves alone", file.fact_keys),
        ("Known, without a column of their own", file.ignored_keys),
        ("Name a person or a session, for which a masker puts pseudonyms", file.identity_keys),
    ):
        if keys:
            yield from ("", f"{title}: {', '.join(f'`{key}`' for key in keys)}.")


def _source(source: Source) -> str:
    if source.json_key:
        return f"`{source.json_key}` → `{source.path}`"
    if source.join:
        return " + `:` + ".join(f"`{key}`" for key in source.join)
    named = {"": source.key, "resource ": source.resource, "field ": source.field, "exception event's ": source.event}
    found = next((f"{word}`{value}`" for word, value in named.items() if value), None)
    return found or (f"time of event {_any(source.event_time)}" if source.event_time else "span name")


def _reading(row: Row) -> str:
    parts = [_CONVERTS.get(row.convert, f"`{row.convert}`")]
    if row.values is not None:
        parts.append(_meanings(row.values))
    if row.const is not None:
        parts.append(f"`{row.const}`, whatever it holds")
    if row.weak:
        parts.append("only if no span of the trace says more")
    return "; ".join(filter(None, parts))


def _meanings(values: Mapping[str, str]) -> str:
    by_meaning: dict[str, list[str]] = {}
    for text, meaning in values.items():
        by_meaning.setdefault(meaning, []).append(f"`{text}`")
    return "; ".join(f"{', '.join(texts)} → {meaning}" for meaning, texts in by_meaning.items())


def _when(when: When) -> str:
    conditions = [
        ("scope ", when.scope),
        ("scope is not ", when.not_scope),
        ("scope version ", (when.version,) if when.version else ()),
        ("language ", (when.language,) if when.language else ()),
        ("SDK ", (when.sdk,) if when.sdk else ()),
        ("has one of " if len(when.any) > 1 else "has ", when.any),
        ("lacks ", when.lacks),
        ("type ", when.type),
    ]
    parts = [f"{word}{_any(values)}" for word, values in conditions if values]
    parts += [f"has `{key}`" for key in when.has] + (["is a root"] if when.root else [])
    parts += ["serves a request of the trace"] if when.served else []
    return "; ".join(parts)


def _any(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table; columns that are empty throughout are left out."""
    kept = [row for row in rows if any(row)]
    used = [n for n in range(len(names)) if any(row[n] for row in kept)]
    yield "| " + " | ".join(names[n] for n in used) + " |"
    yield "|" + "---|" * len(used)
    for row in kept:
        yield "| " + " | ".join(re.sub(r"\s*\n\s*", " ", row[n].replace("|", "\\|")) for n in used) + " |"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
