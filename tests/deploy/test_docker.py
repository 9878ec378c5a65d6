"""The image: what can be known of it without an engine that builds it. ``test_wheel`` runs what is inside.

Proves what can be read from the Dockerfile and the files it copies. Does not prove that the image builds or starts.
"""

from __future__ import annotations

import json
from fnmatch import fnmatch

import pytest

from collector.config.load import load
from tests.deploy import dockerfile
from tests.deploy.tools import ROOT, done, tool

CONFIG = ROOT / "deploy" / "docker" / "config.yaml"


def endpoints(config) -> dict[str, str]:
    (otlp,) = (component.config for component in config.receivers.values())
    protocols = {name: server.endpoint for name, server in otlp.protocols if server}
    return {**protocols, "admin": config.service.admin.endpoint}


def test_the_linter_has_nothing_to_say():
    assert done(tool("hadolint"), dockerfile.PATH) == ""


def test_the_image_runs_the_embedded_default_where_it_can_be_reached(tmp_path):
    shipped, default = (load(files, environ={}, data_dir=tmp_path) for files in ([CONFIG], ()))
    assert endpoints(shipped) == {"grpc": ":4317", "http": ":4318", "admin": ":4330"}
    assert shipped.pipelines == default.pipelines
    assert shipped.service.model_copy(update={"admin": default.service.admin}) == default.service
    for kind in ("processors", "exporters"):
        ours, theirs = getattr(shipped, kind), getattr(default, kind)
        assert {id_: part.config for id_, part in ours.items()} == {id_: part.config for id_, part in theirs.items()}


def test_listening_everywhere_is_the_only_thing_warned_about(tmp_path):
    warnings = load([CONFIG], environ={}, data_dir=tmp_path).warnings
    assert len(warnings) == 3
    assert all("every network interface" in warning for warning in warnings)


def test_the_ports_are_those_of_the_configuration(tmp_path):
    listening = {
        endpoint.rpartition(":")[2] for endpoint in endpoints(load([CONFIG], environ={}, data_dir=tmp_path)).values()
    }
    assert set(" ".join(dockerfile.values("EXPOSE")).split()) == listening


def test_the_container_is_nobody_and_writes_to_its_volume_only():
    user, group = dockerfile.values("USER")[-1].split(":")
    assert user.isdigit()
    assert group.isdigit()
    assert int(user) > 0
    assert dockerfile.values("VOLUME") == dockerfile.values("WORKDIR")[-1:] == ["/data"]
    (environment,) = dockerfile.values("ENV")
    assert "SPANLOOM_DATA_DIR=/data" in environment
    assert "PYTHONDONTWRITEBYTECODE=1" in environment


def test_the_command_names_a_file_that_is_in_the_image():
    assert json.loads(dockerfile.values("ENTRYPOINT")[-1]) == ["spanloom"]
    command = json.loads(dockerfile.values("CMD")[-1])
    assert command[:2] == ["run", "-c"]
    assert f"deploy/docker/config.yaml {command[2]}" in dockerfile.values("COPY")


@pytest.mark.parametrize("source", dockerfile.copied())
def test_what_is_copied_exists_and_is_not_ignored(source):
    assert (ROOT / source).exists()
    ignored = False
    for pattern in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if pattern and not pattern.startswith("#") and fnmatch(source, pattern.lstrip("!")):
            ignored = not pattern.startswith("!")
    assert not ignored
