"""What is wrong with a table, for whoever wrote it: file, line, row, key, and what may have been meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from collector.errors import suggest

_FEW = 12
"""Words that a message lists."""

_Path = Sequence[str | int]


def problems(error: ValidationError, model: type[BaseModel], name: str, text: str | None) -> Iterator[str]:
    """A line per problem. ``text``: the YAML it was found in; none: no line numbers."""
    root = None if text is None else YAML(typ="rt").compose(text)
    for entry in error.errors():
        path = entry["loc"]
        line = "" if root is None else f":{_line(root, path)}"
        where = f"{name}{line}: {'.'.join(map(str, path))}" if path else f"{name}{line}"
        yield f"{where}: {_message(entry)}{_meant(entry, model, path)}"


def _message(entry: Any) -> str:
    """What is wrong; of a long list of words only what stands there instead of one."""
    if entry["type"] == "literal_error" and len(_words(entry)) > _FEW:
        return f"Input should be one of the {len(_words(entry))} words in fields.py, not {entry['input']!r}"
    return str(entry["msg"])


def _words(entry: Any) -> list[str]:
    return re.findall(r"'([^']*)'", entry["ctx"]["expected"])


def _line(root: Node, path: _Path) -> int:
    """The line, from 1, on which the entry at ``path`` stands; of what is not there, its owner's."""
    node, line = root, root.start_mark.line
    for step in path:
        found = None
        if isinstance(node, MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = (node.value[step], node.value[step])
        if found is None:
            break
        line, node = found[0].start_mark.line, found[1]
    return int(line) + 1


def _meant(entry: Any, model: type[BaseModel], path: _Path) -> str:
    """The name that is near a key or a word nobody knows."""
    if entry["type"] == "extra_forbidden":
        return suggest(str(path[-1]), _keys(model, path[:-1]))
    if entry["type"] == "literal_error" and isinstance(entry["input"], str):
        return suggest(entry["input"], _words(entry))
    return ""


def _keys(model: type[BaseModel], path: _Path) -> list[str]:
    """The keys that the entry at ``path`` may have."""
    for step in path:
        if isinstance(step, int):
            continue
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        found = _model_in(fields[step].annotation) if step in fields else None
        if found is None:
            return []
        model = found
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, alone or in a tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
