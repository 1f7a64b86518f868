"""Every kind of damage is seen, named and answered with what to do; a sound store has no complaint."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from postgres import fresh_schema, postgres_url  # noqa: F401
from store_cases import LEASE, NOW, a_block, a_lived_store, claimed, later
from tunebook.core.outcome import Status
from tunebook.errors import InputError, StoreError, StoreFull, StoreUnavailable
from tunebook.store import backup as backup_module
from tunebook.store.doctor import Examination
from tunebook.store.faults import REPAIR
from tunebook.store.keeping import back_up, examine, merge_stores
from tunebook.store.store import Store

BACK_ENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


@pytest.fixture(params=BACK_ENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        made = f"sqlite:///{tmp_path}/store.db"
    else:
        made = fresh_schema(request.getfixturevalue("postgres_url"))
    with Store.open(made) as store:
        a_lived_store(store)
    return made


def looked_at(url: str, *, dead: bool = False, at: float = 0) -> Examination:
    return examine(url, is_dead=lambda _: dead, now=later(at))


def change(url: str, *statements: str) -> None:
    """Damage a store past its own code, as no program of ours would."""
    parsed = sa.make_url(url)
    engine = sa.create_engine(parsed if parsed.drivername == "sqlite" else parsed.set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


def test_a_store_in_which_everything_happened_is_sound(url: str) -> None:
    seen = looked_at(url)
    assert seen.complaints == ()
    assert (seen.n_rounds, seen.n_trials, seen.n_points) == (1, 6, 300 + 6 + 1)


DAMAGE: list[tuple[str, str, str]] = [
    ("chunks", "UPDATE chunks SET data = '1234'", "cannot be unpacked"),
    ("chunks", "UPDATE chunks SET n_rows = n_rows + 1", "number of rows is not the one noted"),
    ("chunks", "UPDATE chunks SET first_row = first_row + 2", "rows missing or twice"),
    ("chunks", "UPDATE chunks SET encoding = 77", "cannot be unpacked"),
    ("chunks", "UPDATE metric_sets SET names = '[' WHERE id = 1", "cannot be unpacked"),
    (
        "outcomes",
        "UPDATE outcomes SET attempt_id = (SELECT max(id) FROM attempts) WHERE status = 'complete'",
        "another",
    ),
    ("queue", "DELETE FROM queue WHERE token IS NULL", "neither ended nor waiting"),
    ("queue", "UPDATE queue SET token = 'x' WHERE token IS NOT NULL", "belongs to another trial"),
    ("queue", "INSERT INTO queue (trial_id, round_id) SELECT trial_id, 1 FROM outcomes", "waiting to be run as well"),
    ("ends", "INSERT INTO attempt_ends SELECT attempt_id, 'lost', '', 0 FROM outcomes", "ended twice"),
    ("ends", "DELETE FROM attempt_ends", "neither ended nor is running"),
    ("trials", "UPDATE trials SET seed = 99 WHERE seed = 1", "whose content is not what names it"),
    ("trials", "UPDATE trials SET config = '{' WHERE seed = 1", "whose content is not what names it"),
    ("designs", "UPDATE designs SET design = '{}'", "version 1 of the design"),
    ("designs", "DELETE FROM designs", "round without a design"),
    ("launches", "UPDATE launches SET number = 3", "the ledger has gaps: launches 3"),
    ("launches", "UPDATE launches SET record = '[]'", "launch 0 cannot be read"),
]


@pytest.mark.parametrize(("_", "statement", "says"), DAMAGE, ids=[f"{a}-{n}" for n, (a, _, _) in enumerate(DAMAGE)])
def test_damage_is_seen_and_answered(url: str, _: str, statement: str, says: str) -> None:
    change(url, statement)
    seen = looked_at(url)
    assert not seen.is_sound
    assert any(says in one.says for one in seen.complaints), seen.complaints
    assert all("tunebook backup" in one.advice for one in seen.complaints)


def test_rows_that_point_nowhere_are_seen(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with Store.open(url) as store:
        a_lived_store(store)
    change(url, "DELETE FROM owners")
    assert any("point to owners that are not there" in one.says for one in looked_at(url).complaints)


def test_leases_of_the_dead_and_old_ones_are_told_and_no_damage(url: str) -> None:
    for seen, says in ((looked_at(url, dead=True), "that is gone"), (looked_at(url, at=LEASE + 1), "ran out")):
        (one,) = seen.complaints
        assert seen.is_sound
        assert says in one.says
        assert "run the round again" in one.advice


# Files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "store.db"
    with Store.open(f"sqlite:///{made}") as store:
        a_lived_store(store)
    return made


@pytest.mark.parametrize("share", [0.99, 0.9, 0.7, 0.5, 0.3, 0.1, 0.01])
def test_a_file_cut_short_anywhere_is_damaged_and_never_a_traceback(path: Path, share: float) -> None:
    os.truncate(path, int(path.stat().st_size * share))
    seen = looked_at(f"sqlite:///{path}")
    assert not seen.is_sound
    assert all(one.advice for one in seen.complaints)


def test_a_file_cut_at_a_page_is_told_from_outside(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 4096)
    assert "is cut short: it holds" in looked_at(f"sqlite:///{path}").complaints[0].says


@pytest.mark.parametrize("page", range(1, 40, 3))
def test_a_page_of_rubbish_is_damaged_or_unused(path: Path, page: int) -> None:
    """Whichever page is hit: it is said, or nothing that counts was in it."""
    before = looked_at(f"sqlite:///{path}")
    with path.open("r+b") as file:
        file.seek(page * 4096)
        if not file.read(1):
            pytest.skip("the file has fewer pages")
        file.seek(page * 4096)
        file.write(os.urandom(1) * 4096)
    seen = looked_at(f"sqlite:///{path}")
    assert not seen.is_sound or (seen.n_points, seen.n_trials) == (before.n_points, before.n_trials)


def test_a_file_that_is_not_there_and_one_that_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="does not exist"):
        looked_at(f"sqlite:///{tmp_path}/none.db")
    (tmp_path / "notes.txt").write_text("important\n" * 100)
    seen = looked_at(f"sqlite:///{tmp_path}/notes.txt")
    assert "not an SQLite database" in seen.complaints[0].says
    (tmp_path / "empty.db").touch()
    assert not looked_at(f"sqlite:///{tmp_path}/empty.db").is_sound


def test_the_advice_for_a_damaged_file_works(path: Path, tmp_path: Path) -> None:
    """The command of the message, as it stands there, gives a store with what could be read."""
    if shutil.which("sqlite3") is None:
        pytest.skip("the sqlite3 command is not installed")
    with path.open("r+b") as file:  # the last page belongs to some table or index
        file.seek(path.stat().st_size - 4096)
        file.write(b"\xff" * 4096)
    command = REPAIR.rpartition(": ")[2].format(place=path)
    subprocess.run(command, shell=True, check=True, cwd=tmp_path, stderr=subprocess.DEVNULL)
    with Store.open(f"sqlite:///{tmp_path}/new.db", read_only=True) as store:
        assert store.counts("r")[Status.COMPLETE] == 1


# Backups


def test_a_backup_holds_everything(url: str, tmp_path: Path) -> None:
    target = tmp_path / "copy" / "backup.db"
    target.parent.mkdir()
    with Store.open(url) as store:
        size = back_up(store, target)
        assert [file.name for file in target.parent.iterdir()] == ["backup.db"]
        assert size == target.stat().st_size
        with Store.open(f"sqlite:///{target}") as copy:
            assert copy.trials("r") == store.trials("r")
            assert copy.leases("r") == store.leases("r")
            assert copy.launches() == store.launches()
            assert copy.notes() == store.notes()
            ours, theirs = copy.snapshot("r"), store.snapshot("r")
            for metric in theirs.metrics:
                assert [v.tolist() for _, v in ours.curves[metric]] == [v.tolist() for _, v in theirs.curves[metric]]
            assert len(claimed(copy)) == 1
    assert looked_at(f"sqlite:///{target}", at=-1).is_sound


def test_a_backup_brought_back_is_the_same_store(url: str, tmp_path: Path) -> None:
    with Store.open(url) as store:
        back_up(store, tmp_path / "backup.db")
        counts = store.counts("r")
    with (
        Store.open(f"sqlite:///{tmp_path}/again.db") as again,
        Store.open(f"sqlite:///{tmp_path}/backup.db", read_only=True) as copy,
    ):
        merge_stores(again, copy, now=NOW)
        assert again.counts("r") == {**counts, Status.PENDING: 4, Status.RUNNING: 0}


def test_a_backup_while_others_write_is_one_moment(path: Path, tmp_path: Path) -> None:
    """Rows go in one by one: every backup is sound and holds all that was acknowledged before it began."""
    with Store.open(f"sqlite:///{path}") as store:
        (claim,) = claimed(store, owner="w", at=2 * LEASE)
        stored = [0]
        done = threading.Event()

        def write() -> None:
            while not done.is_set():
                stored[0] = store.append_curves(claim, a_block([stored[0]], metrics=("loss",)), stored[0])

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(10):
                before = stored[0]
                back_up(store, tmp_path / f"{number}.db")
                with Store.open(f"sqlite:///{tmp_path}/{number}.db") as copy:
                    assert copy.rows_stored(claim.attempt_key).get(("loss",), 0) >= before
                assert looked_at(f"sqlite:///{tmp_path}/{number}.db", at=2 * LEASE).is_sound
        finally:
            done.set()
            writer.join()
        assert stored[0] > 0


def test_a_backup_goes_where_nothing_is(path: Path, tmp_path: Path) -> None:
    (tmp_path / "there.db").write_text("precious")
    with Store.open(f"sqlite:///{path}") as store:
        for target, said in (
            (tmp_path / "there.db", "--force"),
            (path, "is the store itself"),
            (tmp_path, "is a folder"),
            (tmp_path / "none" / "x.db", "does not exist"),
        ):
            with pytest.raises(InputError, match=said):
                back_up(store, target)
        assert (tmp_path / "there.db").read_text() == "precious"
        back_up(store, tmp_path / "there.db", overwrite=True)
    assert looked_at(f"sqlite:///{tmp_path}/there.db", at=-1).is_sound


def test_a_backup_of_a_damaged_store_names_the_store(path: Path, tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{path}") as store:
        with path.open("r+b") as file:
            file.seek(3 * 4096)
            file.write(b"\xff" * 4096 * 8)
        with pytest.raises(StoreError, match="damaged"):
            back_up(store, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_backup_that_fails_leaves_what_was_there(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there.db").write_text("precious")

    def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorname = "SQLITE_FULL"
        raise error

    monkeypatch.setattr(backup_module, "_copy_pages", full)
    with Store.open(f"sqlite:///{path}") as store, pytest.raises(StoreFull, match=r"there\.db; free some"):
        back_up(store, tmp_path / "there.db", overwrite=True)
    assert (tmp_path / "there.db").read_text() == "precious"
    assert [file.name for file in tmp_path.glob(".*")] == []


def retorn(path: Path, copy: Path, between: Callable[[], None]) -> None:
    """Copy a file as a careless program does: half of it, then something happens, then the rest."""
    with path.open("rb") as source, copy.open("wb") as target:
        target.write(source.read(path.stat().st_size // 2))
        between()
        target.write(source.read())


def test_a_file_copied_while_written_is_old_or_damaged_and_never_a_traceback(path: Path, tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{path}") as store:
        (claim,) = claimed(store, owner="w", at=2 * LEASE)

        def write() -> None:
            for row in range(200):
                store.append_curves(claim, a_block([row], metrics=(f"m{row}",)), 0)
            with closing(sqlite3.connect(path)) as other:
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)")

        retorn(path, tmp_path / "copy.db", write)
    seen = looked_at(f"sqlite:///{tmp_path}/copy.db", at=2 * LEASE)
    assert not seen.is_sound
    assert all("tunebook backup" in one.advice for one in seen.complaints)
    assert looked_at(f"sqlite:///{path}", at=2 * LEASE).is_sound
