"""A server that is away: waited for when asked, with a limit and a word; an answer that got lost changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from store_cases import LEASE, NOW, a_block, a_spec, an_owner, claimed, later, some_specs, with_round
from tunebook.core.config import Config
from tunebook.core.launch import Launch
from tunebook.core.outcome import Outcome, Status
from tunebook.errors import LeaseLost, StoreError, StoreUnavailable
from tunebook.store import engine
from tunebook.store.faults import Place, is_passing, translated
from tunebook.store.store import Store


class DriverError(Exception):
    """What psycopg raises, as far as anybody looks at it."""

    def __init__(self, words: str, sqlstate: str | None) -> None:
        super().__init__(words)
        self.sqlstate = sqlstate


DriverError.__name__ = "OperationalError"


class ConnectionTimeout(DriverError):
    """One of several kinds of it."""


def driver_error(state: str | None, words: str = "it went away") -> OperationalError:
    return OperationalError("COMMIT", {}, DriverError(words, state))


class Trouble:
    """Makes transactions fail from outside: before they run, or after they were kept and nobody was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.errors: list[tuple[str, OperationalError]] = []
        self.pauses: list[float] = []
        real = engine.translated

        @contextmanager
        def translated(place: Place) -> Iterator[None]:
            when, error = self.errors.pop(0) if self.errors else ("", driver_error(None))
            with real(place):
                if when == "before":
                    raise error
                yield
                if when == "after":
                    raise error

        monkeypatch.setattr(engine, "translated", translated)
        monkeypatch.setattr(engine.time, "sleep", self.pauses.append)

    def before(self, *states: str) -> None:
        self.errors += [("before", driver_error(state)) for state in states]

    def after(self, *states: str) -> None:
        self.errors += [("after", driver_error(state)) for state in states]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened:
        yield with_round(opened, 4)


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch, store: Store) -> Trouble:
    return Trouble(monkeypatch)


def patiently(store: Store, told: list[str] | None = None, *, seconds: float = 60, go_on: bool = True) -> Any:
    def on_wait(words: str) -> bool:
        (told if told is not None else []).append(words)
        return go_on

    return store.patient(seconds, on_wait)


PASSING = ["57P01", "57P02", "57P03", "08006", "08001", "53300"]


@pytest.mark.parametrize("state", PASSING)
def test_what_passes_is_waited_for_only_when_asked(store: Store, trouble: Trouble, state: str) -> None:
    trouble.before(state)
    with pytest.raises(StoreUnavailable):
        store.counts("r")
    trouble.before(*[state] * 8)
    told: list[str] = []
    with patiently(store, told):
        assert store.counts("r")[Status.PENDING] == 4
    assert len(told) == 8
    assert store.place in told[0]
    assert trouble.pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]


@pytest.mark.parametrize("state", ["53100", "28P01", "3D000", "42501", "25006", "58030", "XX001", "57P04"])
def test_what_somebody_has_to_mend_is_told_at_once(store: Store, trouble: Trouble, state: str) -> None:
    trouble.before(state)
    with patiently(store), pytest.raises(StoreError):
        store.counts("r")
    assert trouble.pauses == []


def test_waiting_has_an_end_and_says_how_long_it_was(
    store: Store, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble.before(*["57P03"] * 9)
    seconds = iter(range(0, 900, 30))
    monkeypatch.setattr(engine.time, "monotonic", lambda: float(next(seconds)))
    with patiently(store, seconds=60), pytest.raises(StoreUnavailable, match=r"waited for 90 s.*run the same again"):
        store.counts("r")


def test_somebody_who_wants_to_stop_is_heard(store: Store, trouble: Trouble) -> None:
    trouble.before("57P03")
    with patiently(store, go_on=False), pytest.raises(StoreUnavailable):
        store.counts("r")


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_changes_that_got_in_each_others_way_are_made_again_with_a_limit(
    store: Store, trouble: Trouble, state: str
) -> None:
    trouble.before(*[state] * 5)
    assert len(claimed(store)) == 1
    assert len(trouble.pauses) == 5
    trouble.before(*[state] * 6)
    with pytest.raises(StoreUnavailable, match="others got in the way of the same change 6 times"):
        claimed(store)


def test_patience_ends_with_its_block(store: Store, trouble: Trouble) -> None:
    with patiently(store), patiently(store):
        pass
    trouble.before("57P01")
    with pytest.raises(StoreUnavailable):
        store.counts("r")


# The answer to a commit got lost: it was kept, and is made again


def a_launch() -> Launch:
    return Launch(number=0, round="r", trial=a_spec(0).id, config=Config({"x": 1}), at=NOW)


def end(store: Store) -> None:
    (claim,) = claimed(store)
    store.finish(claim, Outcome.complete(), now=NOW, seconds=1)


CHANGES: dict[str, Callable[[Store], object]] = {
    "save_round": lambda store: store.save_round("s", store.design("r"), now=NOW),
    "sync_trials": lambda store: store.sync_trials("r", some_specs(5), now=NOW),
    "add_trials": lambda store: store.add_trials("r", [a_spec(7)], now=NOW),
    "append_launch": lambda store: store.append_launch(a_launch()),
    "add_note": lambda store: store.add_note("r", None, "odd", NOW),
    "provenance": lambda store: store.save_provenance({"a": 1}),
}


def rows(store: Store) -> list[object]:
    return [
        store.rounds(),
        store.specs("r"),
        store.trials("r"),
        store.launches(),
        store.notes(),
        store.counts("r"),
        [lease.trial for lease in store.leases("r")],
    ]


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_was_kept_unheard_is_there_once(
    store: Store, trouble: Trouble, tmp_path: Path, name: str
) -> None:
    """``sync_trials`` plans another trial; reading a design in between is one transaction of its own."""
    with Store.open(f"sqlite:///{tmp_path}/other.db") as other:
        CHANGES[name](with_round(other, 4))
        if name == "save_round":
            trouble.errors.append(("", driver_error(None)))
        trouble.after("57P01", "08006")
        with patiently(store):
            CHANGES[name](store)
        assert trouble.errors == []
        assert rows(store) == rows(other)


def test_a_claim_that_was_kept_unheard_is_the_same_claim(store: Store, trouble: Trouble) -> None:
    """Otherwise its trials would be held, and renewed, by somebody who does not know of them."""
    trouble.after("57P01")
    with patiently(store):
        claims = claimed(store, 3)
    assert [claim.spec for claim in claims] == list(some_specs(3))
    assert [row.attempts for row in store.trials("r")] == [1, 1, 1, 0]
    assert store.renew("worker", now=NOW, lease_seconds=LEASE) == {claim.attempt_key for claim in claims}
    store.finish(claims[0], Outcome.complete(), now=NOW, seconds=1)
    assert (claims[1].attempt, claims[1].mishaps, claims[1].round) == (1, 0, "r")


def test_an_end_that_was_kept_unheard_is_one_end(store: Store, trouble: Trouble) -> None:
    first, second = claimed(store, 2)
    trouble.after("57P01", "57P01")
    with patiently(store):
        store.release(first, reason="stopped", now=NOW)
        store.finish(second, Outcome.complete(), now=NOW, seconds=1)
        with pytest.raises(LeaseLost):
            store.release(first, reason="stopped", now=NOW)
    assert store.counts("r")[Status.COMPLETE] == 1


def test_rows_that_were_kept_unheard_are_there_once(store: Store, trouble: Trouble) -> None:
    (claim,) = claimed(store)
    trouble.after("57P01", "08006")
    with patiently(store):
        assert store.append_curves(claim, a_block(range(10)), 0) == 10
    assert store.rows_stored(claim.attempt_key) == {("valid/error",): 10}


def test_nobody_takes_over_from_itself(store: Store) -> None:
    """After a minute without the server a runner's own leases have run out; it still runs their trials."""
    (held,) = claimed(store)
    again = claimed(store, 9, at=2 * LEASE)
    assert held.spec not in [claim.spec for claim in again]
    assert len(claimed(store, 9, owner="other", at=2 * LEASE)) == 1
    assert store.renew(an_owner().id, now=later(2 * LEASE), lease_seconds=LEASE) == {c.attempt_key for c in again}


@pytest.mark.parametrize(
    ("words", "passes"),
    [("connection refused", True), ('database "x" does not exist', False), ("password authentication failed", False)],
)
def test_words_of_a_refused_connection_are_understood(words: str, passes: bool) -> None:
    """psycopg has no state for a connection that was never made."""
    for kind in (DriverError, ConnectionTimeout):
        with pytest.raises(StoreUnavailable) as caught, translated(Place("x")):
            raise OperationalError("SELECT 1", {}, kind(words, None))
        assert is_passing(caught.value) is passes


@pytest.mark.parametrize("name", ["SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY", "SQLITE_CORRUPT"])
def test_trouble_with_a_file_does_not_pass_by_itself(name: str) -> None:
    """There is no server that could come back: waiting for room on a disk looked like a hang."""
    original = sqlite3.OperationalError("disk trouble")
    original.sqlite_errorname = name
    with pytest.raises(StoreError) as caught, translated(Place("x")):
        raise OperationalError("COMMIT", {}, original)
    assert not is_passing(caught.value)
