"""An error names the line of the wrong value itself, however deep in lists and maps it stands.

Proves it for documents that are generated with their layout, and one value is made wrong. Does not prove what the
messages say: ``test_config.py`` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

import pytest
from hypothesis import given, strategies as st
from pydantic import Field, model_validator

from collector.component.base import ComponentConfig
from collector.config.validation import Findings, validate
from collector.config.yaml_tree import Path, parse
from collector.errors import WrongValuesError


class Leaf(ComponentConfig):
    type: Literal["leaf"]
    """Kind."""
    numbers: tuple[int, ...] = ()
    """A list of values."""
    rows: tuple[tuple[bool, ...], ...] = ()
    """A list of lists."""
    words: tuple[str, ...] = ()
    """Values that the component itself checks, all together."""

    @model_validator(mode="after")
    def _words_are_short(self) -> Self:
        wrong = [(("words", n), f"{word!r} is too long") for n, word in enumerate(self.words) if len(word) > 9]
        if wrong:
            raise WrongValuesError(wrong)
        return self


class Branch(ComponentConfig):
    type: Literal["branch"]
    """Kind."""
    parts: tuple[Annotated[Leaf | Branch, Field(discriminator="type")], ...] = ()
    """A list of sections of different kinds."""
    named: dict[str, int] = Field(default_factory=dict)
    """A map."""


class Root(ComponentConfig):
    parts: tuple[Annotated[Leaf | Branch, Field(discriminator="type")], ...]
    """The document."""


LEAVES = st.fixed_dictionaries(
    {"type": st.just("leaf")},
    optional={
        "numbers": st.lists(st.integers(0, 99), max_size=4),
        "rows": st.lists(st.lists(st.booleans(), min_size=1, max_size=3), max_size=3),
        "words": st.lists(st.sampled_from(["a", "some word", "x: y", "yes", "# no"]), max_size=4),
    },
)
PARTS = st.recursive(
    LEAVES,
    lambda inner: st.fixed_dictionaries(
        {"type": st.just("branch")},
        optional={
            "parts": st.lists(inner, min_size=1, max_size=3),
            "named": st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), min_size=1),
        },
    ),
    max_leaves=8,
)
DOCUMENTS = st.fixed_dictionaries({"parts": st.lists(PARTS, min_size=1, max_size=4)})


def scalars(node: Any, path: Path = ()) -> list[Path]:
    if isinstance(node, dict):
        return [found for key, value in node.items() for found in scalars(value, (*path, key))]
    if isinstance(node, list):
        return [found for at, value in enumerate(node) for found in scalars(value, (*path, at))]
    return [path]


def made_wrong(node: Any, path: Path) -> Any:
    """The document with a wrong value at ``path``."""
    if not path:
        return "much too long" if isinstance(node, str) else "wrong"
    if isinstance(node, dict):
        return {key: made_wrong(value, path[1:]) if key == path[0] else value for key, value in node.items()}
    return [made_wrong(value, path[1:]) if at == path[0] else value for at, value in enumerate(node)]


@dataclass
class Written:
    """A document as text: each container in block style, on one line, or in flow style over several lines."""

    draw: Any
    lines: list[str] = field(default_factory=lambda: [""])
    of: dict[Path, int] = field(default_factory=dict)
    """The line of each scalar, from 1."""

    def put(self, text: str) -> None:
        self.lines[-1] += text

    def newline(self, indent: int, *, comments: bool = True) -> None:
        for extra in self.draw(st.lists(st.sampled_from(["", "# comment: [x"]), max_size=2)) if comments else ():
            self.lines.append(" " * indent + extra if extra else "")
        self.lines.append(" " * indent)

    def scalar(self, value: Any, path: Path) -> None:
        self.of[path] = len(self.lines)
        self.put(f'"{value}"' if isinstance(value, str) else str(value).lower())

    def flow(self, node: Any, path: Path, indent: int, *, spread: bool) -> None:
        if not isinstance(node, dict | list):
            self.scalar(node, path)
            return
        self.put("{" if isinstance(node, dict) else "[")
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if spread:
                self.newline(indent + 2)
            self.put(f"{key}: " if isinstance(node, dict) else "")
            self.flow(value, (*path, key), indent + 2, spread=spread)
            self.put(", ")
        if spread:
            self.newline(indent)
        self.put("}" if isinstance(node, dict) else "]")

    def value(self, node: Any, path: Path, indent: int, *, in_list: bool) -> None:
        """What stands behind a key or a dash."""
        style = self.draw(st.sampled_from(["block", "block", "line", "spread"]))
        if not isinstance(node, dict | list) or not node or style != "block":
            self.put(" ")
            self.flow(node, path, indent, spread=style == "spread")
        elif in_list and isinstance(node, dict):
            self.put(" ")
            self.block(node, path, indent + 2)
        else:
            self.newline(indent + 2)
            self.block(node, path, indent + 2)

    def block(self, node: Any, path: Path, indent: int) -> None:
        for n, (key, value) in enumerate(node.items() if isinstance(node, dict) else enumerate(node)):
            if n:
                self.newline(indent)
            self.put(f"{key}:" if isinstance(node, dict) else "-")
            self.value(value, (*path, key), indent, in_list=isinstance(node, list))


@given(st.data())
def test_the_line_of_an_error_is_that_of_the_wrong_value(data: st.DataObject) -> None:
    document = data.draw(DOCUMENTS)
    wrong = data.draw(st.sampled_from(scalars(document)))
    written = Written(data.draw)
    written.block(made_wrong(document, wrong), (), 0)

    problems: list[Any] = []
    tree = parse("\n".join(written.lines), "c.yaml", problems)
    report = Findings(tree, problems)

    assert validate(Root, tree, (), report) is None
    assert {(problem.place.line, problem.path.split(".")[-1].partition("[")[0]) for problem in report.problems} == {
        (written.of[wrong], str(next(part for part in reversed(wrong) if isinstance(part, str))))
    }


@pytest.mark.parametrize("item", ["-", "- ~", "-\n\n\n  # nothing", "- [\n  x]"])
def test_what_is_not_there_is_on_the_line_of_its_dash(item: str) -> None:
    problems: list[Any] = []
    report = Findings(parse(f"parts:\n- {{type: leaf, numbers: [1]}}\n{item}\n", "c.yaml", problems), problems)
    assert validate(Root, report.root, (), report) is None
    assert [problem.place.line for problem in report.problems] == [3]
