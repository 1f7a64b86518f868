"""Stores of every release are opened with nothing lost, by many at once, and a failing upgrade changes nothing."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from postgres import fresh_schema, postgres_url  # noqa: F401
from store_cases import NOW, a_lived_store, claimed
from tunebook.evidence import Evidence
from tunebook.store import engine, upgrade
from tunebook.store.keeping import examine
from tunebook.store.store import Store

RELEASED = Path(__file__).parent / "released"
BACK_ENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


@pytest.fixture(params=BACK_ENDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def as_released(version: str, kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """The address of a store as this version left it."""
    script = (RELEASED / f"{version}.{kind}.sql").read_text(encoding="utf-8")
    if kind == "sqlite":
        with closing(sqlite3.connect(folder / "store.db")) as opened:
            opened.executescript(script)
        return f"sqlite:///{folder}/store.db"
    url = fresh_schema(request.getfixturevalue("postgres_url"))
    schema = sa.make_url(url).query["options"].removeprefix("-csearch_path=")  # type: ignore[union-attr]
    address = sa.make_url(url).set(drivername="postgresql+psycopg")
    made = sa.create_engine(address)
    with made.begin() as connection:
        connection.exec_driver_sql(script.replace("public.", f"{schema}.").replace("%", "%%"))
    made.dispose()
    return url


def contents(evidence: Evidence) -> tuple[object, ...]:
    return (
        evidence.round,
        evidence.trials,
        {
            metric: [(steps.tolist(), values.tolist()) for steps, values in curves]
            for metric, curves in evidence.curves.items()
        },
    )


@pytest.mark.parametrize("version", upgrade.VERSIONS)
def test_a_store_of_every_release_is_opened_with_nothing_lost(
    version: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = as_released(version, kind, request, tmp_path)
    with Store.open(url) as old, Store.open(f"sqlite:///{tmp_path}/fresh.db") as fresh:
        a_lived_store(fresh)
        assert contents(old.snapshot("r")) == contents(fresh.snapshot("r"))
        assert old.launches() == fresh.launches()
        assert old.notes() == fresh.notes()
        assert old.specs("r") == fresh.specs("r")
        assert old.trials("r") == fresh.trials("r")
        assert [claim.spec for claim in claimed(old, 9)] == [claim.spec for claim in claimed(fresh, 9)]
    assert examine(url, is_dead=lambda _: False, now=NOW).complaints == ()


FURTHER = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = {down!r}
branch_labels = depends_on = None


def upgrade():
    op.create_table("extra", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO extra (id) SELECT id FROM rounds")
    {more}
"""


@pytest.fixture
def further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations with one more; the file of it, to be written by the test."""
    folder = tmp_path / "migrations"
    shutil.copytree(upgrade.MIGRATIONS, folder)
    for module, name, value in (
        (upgrade, "MIGRATIONS", folder),
        (upgrade, "VERSIONS", (*upgrade.VERSIONS, "9999")),
        (upgrade, "HEAD", "9999"),
        (engine, "HEAD", "9999"),
    ):
        monkeypatch.setattr(module, name, value)
    return folder / "versions" / "9999_further.py"


def tables(url: str) -> tuple[set[str], str]:
    parsed = sa.make_url(url)
    made = sa.create_engine(parsed if parsed.drivername == "sqlite" else parsed.set(drivername="postgresql+psycopg"))
    with made.connect() as connection:
        names = set(sa.inspect(connection).get_table_names())
        version = connection.execute(sa.text(f"SELECT version_num FROM {upgrade.VERSION_TABLE}")).scalar_one()
    made.dispose()
    return names, version


def open_and_close(url: str) -> None:
    Store.open(url).close()


def test_many_who_open_an_old_store_upgrade_it_once(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, further: Path
) -> None:
    """The new table is filled from the old ones: a second upgrade would fail on its keys."""
    further.write_text(FURTHER.format(down="0001", more="pass"))
    url = as_released("0001", kind, request, tmp_path)
    context = multiprocessing.get_context("fork")
    openers = [context.Process(target=open_and_close, args=(url,)) for _ in range(4)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    assert [opener.exitcode for opener in openers] == [0] * 4
    names, version = tables(url)
    assert "extra" in names
    assert version == "9999"


def test_an_upgrade_that_fails_changes_nothing(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, further: Path
) -> None:
    further.write_text(FURTHER.format(down="0001", more="raise RuntimeError('the power went')"))
    url = as_released("0001", kind, request, tmp_path)
    with pytest.raises(RuntimeError, match="power"):
        Store.open(url)
    names, version = tables(url)
    assert "extra" not in names
    assert version == "0001"
    further.write_text(FURTHER.format(down="0001", more="pass"))
    with Store.open(url) as store:
        assert len(store.specs("r")) == 6
