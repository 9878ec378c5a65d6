"""Renders the chart, for the tests of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from collector.config.load import load
from collector.config.plan import CollectorConfig
from tests.deploy.tools import ROOT

CHART = ROOT / "deploy" / "helm" / "spanloom"
VALUES = [None, *sorted((CHART / "ci").glob("*.yaml"))]
KUBERNETES = ("1.27", "1.37")
"""The oldest the chart allows and the newest there are schemas of."""
NOT_KUBERNETES = {"ServiceMonitor"}
SECRETS = {"BACKEND_TOKEN": "hunter2"}

each = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem if path else "default")
Object = dict[str, Any]


def yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def yamls(text: str) -> list[Any]:
    return [document for document in YAML(typ="safe", pure=True).load_all(text) if document]


def template(helm: str, *arguments: str | Path, chart: Path = CHART) -> list[str | Path]:
    return [helm, "template", "rel", chart, "--namespace", "obs", "--kube-version", f"{KUBERNETES[-1]}.0", *arguments]


def files(values: Path | None) -> list[str | Path]:
    return ["-f", values] if values else []


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [found for found in objects if found["kind"] == kind]


def one(objects: list[Object], kind: str) -> Object:
    (found,) = of_kind(objects, kind)
    return found


def pod_specs(objects: list[Object]) -> Iterator[Object]:
    yield one(objects, "StatefulSet")["spec"]["template"]["spec"]
    yield from (pod["spec"] for pod in of_kind(objects, "Pod"))


def container(objects: list[Object]) -> Object:
    (found,) = one(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    return found


def collector_config(objects: list[Object], folder: Path) -> CollectorConfig:
    path = folder / "config.yaml"
    path.write_text(one(objects, "ConfigMap")["data"]["config.yaml"], encoding="utf-8")
    return load([path], environ=SECRETS, data_dir=folder)
