"""Checks of ``service.extensions``, and what is said about extensions that the Collector has and Spanloom has not."""

from __future__ import annotations

from collector.component.base import ComponentId, Kind
from collector.component.registry import Registry
from collector.config import yaml_tree
from collector.config.pipelines import Declared
from collector.config.validation import Findings, collector_options
from collector.config.yaml_tree import Path, Scalar
from collector.errors import ConfigError, suggest

LISTED: Path = ("service", "extensions")


def advise(type_: str, path: Path, registry: Registry, findings: Findings) -> None:
    """Says what to use instead of an extension that nobody installed."""
    known = collector_options()["extensions"]
    if type_ in known["warn"]:
        findings.warn(path, f"this extension has no effect here: {known['warn'][type_]}")
    elif type_ in known["error"]:
        findings.error(path, f"this extension of the Collector is not supported here: {known['error'][type_]}")
    else:
        installed = registry.names(Kind.EXTENSION)
        near = suggest(type_, [*installed, *known["warn"], *known["error"]])
        near = near or f"; installed: {', '.join(installed) or 'none'}"
        findings.error(path, f"unknown extension type {type_!r}{near}")


def listed(declared: Declared, findings: Findings) -> tuple[ComponentId, ...]:
    """The ids in ``service.extensions`` that are declared, in order; ``findings`` hears of the others."""
    node = yaml_tree.find(findings.root, LISTED)
    found: list[ComponentId] = []
    for position, item in enumerate(node.items if isinstance(node, yaml_tree.Sequence_) else ()):
        if not isinstance(item, Scalar):
            continue
        text, at = str(item.value), (*LISTED, position)
        try:
            id_ = ComponentId.parse(text)
        except ConfigError as error:
            findings.error(at, str(error))
            continue
        if id_ not in declared.ids(Kind.EXTENSION):
            findings.error(at, _undeclared(id_, declared))
        elif id_ in found:
            findings.error(at, f"extension {text!r} is listed twice")
        else:
            found.append(id_)
    declared.used |= {(Kind.EXTENSION, id_) for id_ in found}
    return tuple(found)


def _undeclared(id_: ComponentId, declared: Declared) -> str:
    for other in Kind:
        if id_ in declared.ids(other):
            return f"{str(id_)!r} is declared under '{other}s', not under 'extensions'"
    near = suggest(str(id_), map(str, declared.ids(Kind.EXTENSION)))
    return f"{str(id_)!r} is not declared under 'extensions'{near}"
