"""From a tree to a pydantic model, with every error at its line and in the user's words.

Values adapt to the type that is wanted as the Collector's do: a scalar keeps its original text
where text is wanted (``password: 0123``), an empty section (``grpc:``) means "with the defaults".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from collector.config import yaml_tree
from collector.config.secrets import scrub, shown
from collector.config.yaml_tree import Node, Path, Problem, Scalar, find, format_path, is_null, locate
from collector.errors import suggest

Model = TypeVar("Model", bound=BaseModel)


@cache
def collector_options() -> Mapping[str, Any]:
    """The data of ``collector_options.yaml``."""
    text = resources.files(__package__).joinpath("collector_options.yaml").read_text(encoding="utf-8")
    return YAML(typ="safe").load(text)  # type: ignore[no-any-return]


@dataclass
class Findings:
    """Collects what is wrong and what is odd, with places looked up in the tree."""

    root: Node
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def error(self, path: Sequence[str | int], message: str) -> None:
        self.problems.append(self._problem(path, message))

    def warn(self, path: Sequence[str | int], message: str) -> None:
        self.warnings.append(self._problem(path, message))

    def _problem(self, path: Sequence[str | int], message: str) -> Problem:
        return Problem(locate(self.root, path), format_path(path), message)


def validate(model: type[Model], node: Node | None, path: Path, findings: Findings) -> Model | None:
    """The model of a node (nothing and null mean ``{}``), or None once ``findings`` says why not."""
    place = locate(findings.root, path)
    if is_null(node):
        node = yaml_tree.Mapping({}, place)
    assert node is not None
    node = _with_empty_sections(node, model)
    while True:
        try:
            config = model.model_validate(yaml_tree.plain(node))
        except ValidationError as error:
            errors = error.errors(include_url=False)
            adapted = _adapt(node, errors, path, findings)
            if adapted is not node:
                node = adapted
                continue
            _Explainer(model, node, path).explain(errors, findings)
            return None
        _warn_without_meaning(model, node, path, findings)
        return config


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """All models named anywhere in a type: in unions, lists, maps."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def keys_of(model: type[BaseModel]) -> dict[str, Any]:
    """Key as written in YAML → type of the field; old spellings too."""
    fields = model.model_fields.items()
    return {key: info.annotation for name, info in fields for key in _names_of(name, info)}


def _names_of(name: str, info: FieldInfo) -> list[str]:
    choices = getattr(info.validation_alias, "choices", [info.validation_alias or info.alias or name])
    return [str(choice) for choice in choices]


def secret_paths(model: type[BaseModel], node: Node | None, path: Path) -> Iterator[Path]:
    """The paths of values whose type says that they are secret."""
    for at, annotation, _ in _typed_keys((model,), node, path):
        if any(secret in _flat(annotation) for secret in (SecretStr, SecretBytes)):
            below = find(node, at[len(path) :])
            if below is not None:
                yield from (found for found, _ in yaml_tree.scalars(below, at))


def _flat(annotation: Any) -> set[Any]:
    return {annotation}.union(*(_flat(argument) for argument in get_args(annotation)))


def _typed_keys(
    models: tuple[type[BaseModel], ...], node: Node | None, path: Path
) -> Iterator[tuple[Path, Any, type[BaseModel]]]:
    """Every key below ``node`` that is a field of a model: path, type, model."""
    match node:
        case yaml_tree.Sequence_(items=items):
            for position, item in enumerate(items):
                yield from _typed_keys(models, item, (*path, position))
        case yaml_tree.Mapping(entries=entries):
            for key, entry in entries.items():
                owners = [model for model in models if key in keys_of(model)]
                for model in owners:
                    yield (*path, key), keys_of(model)[key], model
                inside = tuple(m for owner in owners for m in models_in(keys_of(owner)[key]))
                # A key that is no field is one of a map of models: those are already in ``models``.
                yield from _typed_keys(inside if owners else models, entry.node, (*path, key))


def _with_empty_sections(node: Node, model: type[BaseModel]) -> Node:
    """``grpc:`` with nothing behind it becomes ``grpc: {}`` where a section is expected."""
    for path, annotation, _ in list(_typed_keys((model,), node, ())):
        if any(models_in(annotation)) and is_null(find(node, path)):
            node = yaml_tree.set_at(node, path, lambda null: yaml_tree.Mapping({}, null.place))
    return node


def _adapt(node: Node, errors: Sequence[Any], path: Path, findings: Findings) -> Node:
    """``node`` with what can be put right without asking; the same object if nothing can."""
    for error in errors:
        at = _data_path(node, error["loc"])
        found = find(node, at)
        if found is None or not at:
            continue
        if error["type"] == "extra_forbidden":
            why = collector_options()["no_meaning"].get(at[-1])
            if why:
                findings.warn((*path, *at), f"this option has no effect here: {why}")
                node = yaml_tree.set_at(node, at, _removed)
        elif error["type"] in _WANTS_TEXT and _has_other_text(found):
            node = yaml_tree.set_at(node, at, _as_text)
        elif is_null(found) and isinstance(at[-1], str):
            node = yaml_tree.set_at(node, at, _removed)
    return node


_WANTS_TEXT = {"string_type", "literal_error", "enum", "path_type", "bytes_type", "url_type", "string_sub_type"}


def _has_other_text(node: Node) -> bool:
    if node.text is None or (is_null(node) and not node.reference):
        return False
    return not (isinstance(node, Scalar) and isinstance(node.value, str))


def _as_text(node: Node) -> Node:
    return Scalar(node.text, node.place, None, node.reference)


def _removed(_: Node) -> None:
    return None


def _data_path(node: Node, loc: Sequence[str | int]) -> Path:
    """The parts of a pydantic location that are in the data; the others name members of unions."""
    path: list[str | int] = []
    current: Node | None = node
    for part in loc:
        following = yaml_tree.child(current, part)
        if following is not None:
            path.append(part)
            current = following
    return tuple(path)


class _Explainer:
    """Turns the errors of one model into the user's words."""

    def __init__(self, model: type[BaseModel], node: Node, path: Path) -> None:
        self._model = model
        self._node = node
        self._path = path
        self._secret = frozenset(secret_paths(model, node, path))

    def explain(self, errors: Sequence[Any], findings: Findings) -> None:
        messages: dict[Path, list[str]] = {}
        for error in errors:
            at = _data_path(self._node, error["loc"])
            messages.setdefault(at, []).append(self._message(error, at))
        for at, texts in messages.items():
            # A list whose items are wrong is also called too short: the items say enough.
            inside = any(len(other) > len(at) and other[: len(at)] == at for other in messages)
            texts = [text for text in texts if not (inside and text == _EMPTY)]
            if texts:
                message = scrub(_joined(texts), self._node, self._path, self._secret)
                findings.error((*self._path, *at), message)

    def _message(self, error: Any, at: Path) -> str:
        kind, context = error["type"], error.get("ctx", {})
        match kind:
            case "extra_forbidden":
                return _unknown_key(self._model, self._node, at)
            case "missing":
                return f"the key {error['loc'][-1]!r} is required"
            case "value_error" | "assertion_error":
                return str(context.get("error") or error["msg"])
            case "union_tag_invalid":
                near = suggest(str(context["tag"]), re.findall(r"'([^']*)'", context["expected_tags"]))
                key = context["discriminator"].strip("'")
                return f"{key} {context['tag']!r} is none of {context['expected_tags']}{near}"
            case "union_tag_not_found":
                return f"the key {context['discriminator']} is required"
            case "too_short":
                return _EMPTY
            case "literal_error" | "enum":
                return f"must be {_choice(context['expected'])}, not {self._given(at)}{self._near(at, context)}"
        if kind in _WANTED:
            return f"must be {_WANTED[kind]}, not {self._given(at)}"
        message = error["msg"].replace("Input should be", "must be").replace("Input should", "should")
        return f"{message}, not {self._given(at)}" if message.startswith("must be") else message

    def _near(self, at: Path, context: Any) -> str:
        found = find(self._node, at)
        if not isinstance(found, Scalar) or found.reference is not None:
            return ""
        return suggest(str(found.value), re.findall(r"'([^']*)'", context["expected"]))

    def _given(self, at: Path) -> str:
        match find(self._node, at):
            case yaml_tree.Mapping():
                return "a map"
            case yaml_tree.Sequence_():
                return "a list"
            case Scalar(value=value, reference=reference) as scalar if value is not None or reference:
                return shown(scalar, (*self._path, *at), self._secret)
        return "nothing"


_EMPTY = "must not be empty"

_WANTED = {
    "string_type": "text",
    "path_type": "the path of a file or folder",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "decimal_parsing": "a number",
    "decimal_type": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a map of keys and values",
    "mapping_type": "a map of keys and values",
    "model_type": "a section with keys",
    "model_attributes_type": "a section with keys",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
}
"""Error type of pydantic → what was wanted."""


def _joined(texts: Sequence[str]) -> str:
    """One message of several: a union complains once per member."""
    texts = list(dict.fromkeys(texts))
    wanted = [text.removeprefix("must be ").partition(", not ") for text in texts]
    if len(texts) > 1 and all(text.startswith("must be ") for text in texts):
        return f"must be {' or '.join(choice for choice, _, _ in wanted)}, not {wanted[-1][2]}"
    return "; or ".join(texts)


def _choice(expected: str) -> str:
    return f"one of {expected}" if " or " in expected or "," in expected else expected


def _unknown_key(model: type[BaseModel], node: Node, at: Path) -> str:
    key = str(at[-1])
    unsupported = collector_options()["unsupported"].get(key)
    known = sorted({name for owner in _models_at(model, node, at[:-1]) for name in keys_of(owner)})
    near = suggest(key, known)
    if unsupported and not near:
        return f"this option of the Collector is not supported here: {unsupported}"
    return f"unknown key{near or '; known: ' + (', '.join(known) or 'none')}"


def _models_at(model: type[BaseModel], node: Node, at: Path) -> tuple[type[BaseModel], ...]:
    """The models that a map at this path may be."""
    models: tuple[type[BaseModel], ...] = (model,)
    for part in at:
        owners = [owner for owner in models if part in keys_of(owner)]
        if owners:
            models = tuple(m for owner in owners for m in models_in(keys_of(owner)[str(part)]))
    given = yaml_tree.plain(find(node, at))
    meant = tuple(candidate for candidate in models if _is_meant(candidate, given))
    return meant or models


def _is_meant(model: type[BaseModel], given: Any) -> bool:
    """True when every ``Literal`` of the model (``type: latency``) agrees with the data."""
    literals = {key: get_args(kind) for key, kind in keys_of(model).items() if get_origin(kind) is Literal}
    return isinstance(given, dict) and all(given.get(key) in values for key, values in literals.items())


def _warn_without_meaning(model: type[BaseModel], node: Node, path: Path, findings: Findings) -> None:
    """Warns about given options whose documentation begins with "No effect"."""
    for at, _, owner in _typed_keys((model,), node, path):
        why = _no_effect(owner, str(at[-1]))
        if why is not None:
            findings.warn(at, f"this option has no effect here{why}")


def _no_effect(model: type[BaseModel], key: str) -> str | None:
    for name, info in model.model_fields.items():
        if key in _names_of(name, info) and (info.description or "").startswith("No effect"):
            known = collector_options()["no_meaning"].get(key)
            reason = " ".join((info.description or "").removeprefix("No effect").split()).rstrip(".")
            return f": {known}" if known and not reason else reason
    return None
