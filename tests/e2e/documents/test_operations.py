"""What ``docs/operations.md`` says, word for word, on the folder of a real service: its rows come back.

Proves back-up, restore, moving, upgrade and downgrade with this version's files, and what parts of different ages do.
Does not prove snapshots of a file system, nor files that an older release wrote.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.deploy.tools import ROOT
from tests.e2e.load import Sent, post, request
from tests.e2e.running import PORTS, Row, Spanloom, assert_same_rows, stored_rows, wait_until

PAGE = ROOT / "docs" / "operations.md"


def commands(heading: str, number: int = 0) -> str:
    """A block of commands under a heading of the page."""
    (_, section) = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")
    return re.findall(r"```sh\n(.*?)```", section.split("\n## ")[0], flags=re.DOTALL)[number]


def run(script: str, **variables: object) -> None:
    environ = os.environ | {name: str(value) for name, value in variables.items()}
    subprocess.run(["bash", "-euc", script], env=environ, check=True, timeout=60)


def send(service: Spanloom, sent: Sent, requests: int = 3) -> None:
    made = random.Random(len(sent.bodies))
    for _ in range(requests):
        assert post(service.endpoints["otlp"]["http"], request(made, sent))


def refused(folder: Path) -> str:
    """What a start says that is refused."""
    command = [sys.executable, "-c", "from collector.cli.app import main; main()", "run", "--data-dir", str(folder)]
    sets = [part for override in PORTS for part in ("--set", override)]
    ended = subprocess.run([*command, *sets], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode
    assert "Traceback" not in ended.stderr
    return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stopped service."""
    folder = tmp_path_factory.mktemp("operations") / "data"
    with Spanloom(folder) as service:
        send(service, Sent())
        assert service.terminate() == 0
    return folder


@pytest.fixture
def data(filled: Path, tmp_path: Path) -> Path:
    """A copy of its own for each test."""
    return shutil.copytree(filled, tmp_path / "data")


def goes_on(folder: Path, before: list[Row]) -> None:
    """A service starts there, has the rows and stores more of them."""
    sent = Sent([b""])
    with Spanloom(folder) as service:
        send(service, sent)
        assert service.terminate() == 0
    after = stored_rows(folder)
    known = {(row["trace_id"], row["span_id"]) for row in before}
    assert_same_rows([row for row in after if (row["trace_id"], row["span_id"]) in known], before)
    assert {(row["trace_id"], row["span_id"]) for row in after} == known | set(sent.spans)


def test_a_stopped_service_is_backed_up_and_restored(data: Path, tmp_path: Path) -> None:
    before = stored_rows(data)
    run(commands("Back-up of a stopped service"), DATA=data, BACKUP=tmp_path / "backup")
    shutil.rmtree(data)
    run(commands("Restore"), DATA=data, BACKUP=tmp_path / "backup")
    assert_same_rows(stored_rows(data), before)
    goes_on(data, before)


def test_nothing_is_restored_over_a_folder_in_use(data: Path, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        run(commands("Restore"), DATA=data, BACKUP=tmp_path)


def test_a_running_service_is_backed_up_with_what_it_has_acknowledged(data: Path, tmp_path: Path) -> None:
    sent = Sent([b""])
    old = stored_rows(data)
    with Spanloom(data, sets=PORTS) as service:  # decides later than the copy: it is in the journal alone
        send(service, sent)
        run(commands("Back-up of a running service"), DATA=data, BACKUP=tmp_path / "copy", PID=service.process.pid)
        assert service.terminate() == 0
    new = tmp_path / "new"
    run(commands("Restore"), DATA=new, BACKUP=tmp_path / "copy")
    with Spanloom(new) as service:
        assert service.terminate() == 0
    found = {(row["trace_id"], row["span_id"]) for row in stored_rows(new)}
    assert found == {(row["trace_id"], row["span_id"]) for row in old} | set(sent.spans)


def test_the_lake_of_a_running_service_is_copied_whole(data: Path, tmp_path: Path) -> None:
    sent = Sent([b""])
    with Spanloom(data) as service:
        send(service, sent)
        wait_until(lambda: service.metric("otelcol_exporter_sent_spans_total", exporter="parquet") >= len(sent.spans))
        run(commands("Back-up of a running service", 1), DATA=data, BACKUP=tmp_path / "rows")
        assert service.terminate() == 0
    with duckdb.connect() as db:
        files = tmp_path / "rows" / "parquet" / "observations" / "*" / "*.parquet"
        ((count,),) = db.execute(f"select count(*) from read_parquet('{files}')").fetchall()
    assert count == len(stored_rows(data))


def test_it_moves_to_another_folder(data: Path, tmp_path: Path) -> None:
    before = stored_rows(data)
    run(commands("Another machine"), DATA=data, NEW=tmp_path / "new")
    shutil.rmtree(data)
    goes_on(tmp_path / "new", before)


def test_pseudonyms_are_the_same_after_a_restore(data: Path, tmp_path: Path) -> None:
    (data / "pii.key").write_bytes(b"k" * 32)
    run(commands("Back-up of a stopped service"), DATA=data, BACKUP=tmp_path / "backup")
    run(commands("Restore"), DATA=tmp_path / "new", BACKUP=tmp_path / "backup")
    assert (tmp_path / "new" / "pii.key").read_bytes() == b"k" * 32
    assert (tmp_path / "new" / "pii.key").stat().st_mode == (data / "pii.key").stat().st_mode


def test_an_older_journal_beside_a_newer_store_is_refused_and_a_new_one_is_not(data: Path, tmp_path: Path) -> None:
    older = shutil.copytree(data / "journal", tmp_path / "journal")
    goes_on(data, stored_rows(data))
    before = stored_rows(data)
    shutil.rmtree(data / "journal")
    shutil.copytree(older, data / "journal")
    assert "it is an older copy. Restore both from one backup, or move the folder journal away" in refused(data)
    assert_same_rows(stored_rows(data), before)
    (data / "journal").rename(tmp_path / "away")
    with Spanloom(data) as service:
        assert service.terminate() == 0
    assert_same_rows(stored_rows(data), before)


def test_a_store_without_the_newest_columns_is_opened_and_gets_them(data: Path) -> None:
    with duckdb.connect(str(data / "spanloom.duckdb")) as store:
        (table,) = [name for (name,) in store.execute("show tables").fetchall() if re.match(r"_obs_v1_\d", name)]
        store.execute(f"drop view observations; drop index {table}_trace_id")
        store.execute(f"alter table {table} drop column model_family")
        store.execute(f"create index {table}_trace_id on {table} (trace_id)")
        store.execute(f"create view observations as from {table}")
    with Spanloom(data) as service:
        send(service, Sent([b""]))
        assert service.terminate() == 0
    with duckdb.connect(str(data / "spanloom.duckdb"), read_only=True) as store:
        known = dict(store.execute("select model is null, count(model_family) from observations group by 1").fetchall())
    assert known[False] > 0


def test_columns_of_a_later_version_stay_and_do_no_harm(data: Path) -> None:
    with duckdb.connect(str(data / "spanloom.duckdb")) as store:
        (table,) = [name for (name,) in store.execute("show tables").fetchall() if re.match(r"_obs_v1_\d", name)]
        store.execute(f"alter table {table} add column of_tomorrow varchar default 'kept'")
    with Spanloom(data) as service:
        send(service, Sent([b""]))
        assert service.terminate() == 0
    with duckdb.connect(str(data / "spanloom.duckdb"), read_only=True) as store:
        found = store.execute("select count(*), count(of_tomorrow) from observations").fetchall()
    assert found[0][0] >= found[0][1] > 0


def test_a_journal_of_another_format_is_refused_by_name(data: Path) -> None:
    with sqlite3.connect(data / "journal" / "ledger.sqlite") as ledger:
        ledger.execute("update meta set value = '3' where key = 'format'")
    assert "has format 3; this version reads 1 and 2" in refused(data)
