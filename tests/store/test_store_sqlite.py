"""Files that are missing, damaged, full, closed to us or on the wrong disk: one clear error each."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from store_cases import NOW, a_block, a_design, claimed, some_specs, with_round
from tunebook.core.outcome import Outcome, Status
from tunebook.errors import InputError, StoreFull, StoreReadOnly, StoreUnavailable
from tunebook.store import sqlite
from tunebook.store.packing import CurveBlock
from tunebook.store.store import Store

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed store with one round of 300 trials."""
    made = tmp_path / "store.db"
    with Store.open(f"sqlite:///{made}") as store:
        with_round(store, 300)
    return made


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/x", "nonsense", "store.db", ""])
def test_an_address_that_is_none_is_refused_with_what_is_accepted(url: str) -> None:
    with pytest.raises(InputError, match="sqlite:///"):
        Store.open(url)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=f"the folder {tmp_path}/none does not exist"):
        Store.open(f"sqlite:///{tmp_path}/none/store.db")


def test_a_folder_is_not_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="is a folder"):
        Store.open(f"sqlite:///{tmp_path}")


def test_reading_does_not_create(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="does not exist"):
        Store.open(f"sqlite:///{tmp_path}/store.db", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_path_may_hold_odd_characters(tmp_path: Path) -> None:
    folder = tmp_path / "50% läuft? #1"
    folder.mkdir()
    with Store.open(f"sqlite:///{folder}/store.db") as store:
        with_round(store, 1)
    assert (folder / "store.db").exists()


def test_a_relative_path_stays_where_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Store.open("sqlite:///store.db") as store:
        store.close()
        monkeypatch.chdir("/")
        assert store.url == f"sqlite:///{tmp_path}/store.db"
        with_round(store, 1)
    assert (tmp_path / "store.db").exists()


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_a_file_that_was_cut_short_is_told_with_advice(path: Path, share: float) -> None:
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(StoreUnavailable, match=r"damaged or cut short; restore the newest backup .*\.dump"):
        Store.open(f"sqlite:///{path}").snapshot("r")


def test_a_damaged_page_is_told_with_advice(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(StoreUnavailable, match="damaged"):
        Store.open(f"sqlite:///{path}").snapshot("r")


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("important\n" * 100)
    with pytest.raises(StoreUnavailable, match="not an SQLite database"):
        Store.open(f"sqlite:///{tmp_path}/notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "important\n" * 100


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE songs (title TEXT)")
    other.close()
    with pytest.raises(StoreUnavailable, match="not a tunebook store"):
        Store.open(f"sqlite:///{tmp_path}/other.db")
    other = sqlite3.connect(tmp_path / "other.db")
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("songs",)]
    other.close()


def fill(store: Store) -> None:
    """Log noise into one trial until something gives."""
    with_round(store, 2)
    (claim,) = claimed(store)
    block = CurveBlock(("a", "b"), np.arange(1000), np.random.default_rng(0).normal(size=(1000, 2)))
    for start in range(0, 2_000_000, 1000):
        store.append_curves(claim, block, start)


def test_no_space_is_told_and_nothing_stored_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself plays the full disk: it may not grow beyond 100 pages."""
    url = f"sqlite:///{tmp_path}/store.db"
    with monkeypatch.context() as patched:
        patched.setattr(sqlite, "PRAGMAS", (*sqlite.PRAGMAS, "PRAGMA max_page_count = 100"))
        with Store.open(url) as store, pytest.raises(StoreFull, match=r"no space is left for .*store\.db"):
            fill(store)
    with Store.open(url) as store:
        steps = store.snapshot("r").curves["a"].steps
        assert len(steps) == 1000
        store.append_curves(1, a_block([5], metrics=("c",)), 0)


@pytest.mark.slow
def test_a_full_disk_is_told_and_nothing_stored_is_lost(tmp_path: Path) -> None:
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path], check=False, capture_output=True
    )
    if mount.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mount.stderr.decode().strip()}")
    try:
        url = f"sqlite:///{tmp_path}/store.db"
        with Store.open(url) as store, pytest.raises(StoreFull, match="no space is left"):
            fill(store)
        with Store.open(url) as store:
            assert store.counts("r")[Status.RUNNING] == 1
            assert store.rows_stored(1)["a", "b"] >= 1000
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A store of which we may read file and folder, and write neither."""
    folder = Path(tempfile.mkdtemp(prefix="tunebook-test-"))
    with Store.open(f"sqlite:///{folder}/store.db") as store:
        with_round(store, 3)
    (folder / "store.db").chmod(0o444)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def in_child(work: Callable[[], None], *, user: int | None = None) -> int:
    """The exit status of a forked child that does ``work``, as ``user`` where that can be chosen."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if user is not None and os.getuid() == 0:
                os.setgid(user)
                os.setuid(user)
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_folder_that_may_not_be_written_is_read_and_says_so(closed_folder: Path) -> None:
    url = f"sqlite:///{closed_folder}/store.db"

    def work() -> None:
        for store in (Store.open(url, read_only=True), Store.open(url)):
            assert store.is_read_only
            assert len(store.snapshot("r").trials) == 3
            with pytest.raises(StoreReadOnly, match="can be read but not written"):
                claimed(store)
        with pytest.raises(StoreReadOnly, match="may not be written"):
            Store.open(f"sqlite:///{closed_folder}/other.db")

    assert in_child(work, user=NOBODY) == 0


def test_a_store_that_turns_read_only_while_open_says_so(path: Path) -> None:
    with Store.open(f"sqlite:///{path}") as store:
        store._database.write(lambda connection: connection.exec_driver_sql("PRAGMA query_only = ON"))
        with pytest.raises(StoreReadOnly):
            store.save_round("s", a_design(), now=NOW)


def test_parent_and_forked_child_each_work_on(path: Path) -> None:
    with Store.open(f"sqlite:///{path}") as store:
        store.counts("r")
        inherited = store._database._engine

        def work() -> None:
            (claim,) = claimed(store, owner="child")
            assert claim.spec == some_specs(1)[0]
            store.finish(claim, Outcome.complete(), now=NOW, seconds=1)
            assert store._database._engine is not inherited

        assert in_child(work) == 0
        assert store._database._engine is inherited
        assert store.counts("r")[Status.COMPLETE] == 1
        assert claimed(store)[0].spec == some_specs(2)[1]


def test_readers_see_what_is_being_written(path: Path) -> None:
    with Store.open(f"sqlite:///{path}") as writer, Store.open(f"sqlite:///{path}", read_only=True) as reader:
        (claim,) = claimed(writer)
        writer.append_curves(claim, a_block([0, 1]), 0)
        assert list(reader.snapshot("r").curves["valid/error"].steps) == [0, 1]


APPEND_FOR_EVER = """
import sys, numpy as np
from tunebook.store.store import Store
from tunebook.store.packing import CurveBlock
store = Store.open(sys.argv[1])
for row in range(10**6):
    block = CurveBlock(("loss",), np.array([row]), np.array([[0.1]]))
    print(store.append_curves(int(sys.argv[2]), block, row), flush=True)
"""


@pytest.mark.slow
def test_what_was_acknowledged_survives_kill_9(path: Path) -> None:
    """Ten times: a process that appends is killed at a row it names; all it was told of is there."""
    metrics = ("loss",)
    for attempt in range(1, 11):
        with Store.open(f"sqlite:///{path}") as store:
            (claim,) = claimed(store, owner=f"w{attempt}", at=1000 * attempt)
        arguments = [sys.executable, "-c", APPEND_FOR_EVER, f"sqlite:///{path}", str(claim.attempt_key)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                if int(line) >= 17 * attempt:
                    child.kill()
                    break
            acknowledged = max([int(line), *(int(line) for line in child.stdout if line.endswith("\n"))])
        with Store.open(f"sqlite:///{path}") as store:
            assert store.rows_stored(claim.attempt_key)[metrics] in (acknowledged, acknowledged + 1)


MOUNTS = """\
proc /proc proc rw 0 0
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
me@host:/ /mnt/remote\\040disk fuse.sshfs rw 0 0
/dev/sdb1 /home/local xfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/store.db", None),
        ("/home/me/store.db", "nfs4"),
        ("/home/local/store.db", None),
        ("/mnt/remote disk/store.db", "fuse.sshfs"),
        ("/homework/store.db", None),
    ],
)
def test_network_file_systems_are_recognised_by_the_nearest_mount(path: str, kind: str | None) -> None:
    assert sqlite.network_file_system(Path(path), MOUNTS) == kind


def test_a_network_disk_is_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path.resolve()} cifs rw 0 0\n")
    monkeypatch.setattr(sqlite, "MOUNTS", mounts)
    with pytest.raises(StoreUnavailable, match=r"network file system \(cifs\).*postgresql://"):
        Store.open(f"sqlite:///{tmp_path}/store.db")
