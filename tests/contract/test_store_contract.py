"""What a store means, on every back end: each test runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from postgres import fresh_schema, postgres_url  # noqa: F401
from store_cases import (
    LEASE,
    NOW,
    a_block,
    a_design,
    a_spec,
    an_owner,
    claim_until_empty,
    claimed,
    later,
    open_and_count,
    some_specs,
    with_round,
)
from tunebook.core.config import Config
from tunebook.core.launch import Launch
from tunebook.core.outcome import Cause, Outcome, Status
from tunebook.core.trial import Study, TrialPurpose
from tunebook.errors import InputError, LeaseLost, StoreError, StoreReadOnly
from tunebook.store.imports import ImportedTrial
from tunebook.store.packing import CurveBlock
from tunebook.store.schema import metadata
from tunebook.store.store import Store
from tunebook.store.upgrade import VERSION_TABLE
from tunebook.store.values import SyncReport

BACK_ENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


@pytest.fixture(params=BACK_ENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    return fresh_schema(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened


def engine_of(url: str) -> sa.Engine:
    """A way to the tables that goes past the store."""
    parsed = sa.make_url(url)
    address = parsed if parsed.drivername == "sqlite" else parsed.set(drivername="postgresql+psycopg")
    return sa.create_engine(address, poolclass=sa.NullPool)


class TestRounds:
    def test_are_numbered_in_the_order_of_their_making(self, store: Store) -> None:
        assert [store.save_round(name, a_design(), now=NOW) for name in ("b", "a", "b")] == [1, 2, 1]
        assert [(row.number, row.name, row.origin) for row in store.rounds()] == [
            (1, "b", "native"),
            (2, "a", "native"),
        ]
        assert store.rounds()[0].goal == a_design().goal
        assert store.rounds()[0].created_at == NOW

    def test_keep_every_version_of_their_design_and_no_other(self, store: Store) -> None:
        longer = a_design(max_train_steps=200)
        for design in (a_design(), a_design(), longer, longer):
            store.save_round("r", design, now=NOW)
        assert store.designs("r") == ((1, NOW, a_design()), (2, NOW, longer))
        assert store.design("r") == longer

    def test_are_found_by_name_before_number(self, store: Store) -> None:
        for name in ("2", "first", "third"):
            store.save_round(name, a_design(), now=NOW)
        assert [store.resolve(word) for word in ("2", "third", "3")] == ["2", "third", "third"]
        with pytest.raises(InputError, match="there is no round '1'"):
            store.resolve("1")  # the first that was made counts itself as the second

    def test_number_means_the_round_that_others_were_made_from(self, store: Store) -> None:
        for name in ("01-width", "02-rate-stability", "02-rate-exploit", "02-rate", "03-a", "03-b", "launch-0"):
            store.save_round(name, a_design(), now=NOW)
        assert [store.resolve(word) for word in ("2", "02", "7")] == ["02-rate", "02-rate", "launch-0"]
        with pytest.raises(InputError, match="03-a or 03-b; give the name"):
            store.resolve("3")

    def test_that_are_not_there_are_answered_with_those_that_are(self, store: Store) -> None:
        with pytest.raises(InputError, match="no rounds yet"):
            store.resolve("dropout")
        store.save_round("01-dropout", a_design(), now=NOW)
        with pytest.raises(InputError, match="did you mean '01-dropout'"):
            store.resolve("01-droput")
        with pytest.raises(InputError, match="there are: 01-dropout"):
            store.snapshot("zzz")

    def test_need_aware_times(self, store: Store) -> None:
        with pytest.raises(ValueError, match="no time zone"):
            store.save_round("r", a_design(), now=datetime(2026, 1, 1))


class TestPlan:
    def test_specs_come_back_as_they_were_and_in_order(self, store: Store) -> None:
        specs = (*some_specs(5), replace(a_spec(9), point=None, index=None))
        store.save_round("r", a_design(), now=NOW)
        assert store.sync_trials("r", specs, now=NOW) == SyncReport(added=6, kept=0, retired=0)
        assert store.specs("r") == specs

    def test_planning_again_adds_only_what_is_new_and_follows_the_new_order(self, store: Store) -> None:
        with_round(store, 4)
        longer = tuple(reversed(some_specs(6)))
        assert store.sync_trials("r", longer, now=NOW) == SyncReport(added=2, kept=4, retired=0)
        assert store.specs("r") == longer
        assert [claim.spec for claim in claimed(store, 6)] == list(longer)

    def test_search_trials_that_left_the_plan_are_retired_and_come_back(self, store: Store) -> None:
        with_round(store, 4)
        assert store.sync_trials("r", some_specs(2), now=NOW) == SyncReport(added=0, kept=2, retired=2)
        assert store.specs("r") == some_specs(2)
        assert len(store.specs("r", retired=True)) == 4
        assert len(store.snapshot("r").trials) == 2
        assert len(store.snapshot("r", retired=True).trials) == 4
        assert [row.is_retired for row in store.trials("r", retired=True)] == [False, False, True, True]
        assert store.counts("r")[Status.PENDING] == 2
        assert len(claimed(store, 10)) == 2
        store.sync_trials("r", some_specs(4), now=NOW)
        assert len(claimed(store, 10)) == 2

    def test_a_retired_trial_that_runs_may_end(self, store: Store) -> None:
        (claim,) = claimed(with_round(store, 1))
        store.sync_trials("r", [a_spec(5)], now=NOW)
        assert store.counts("r")[Status.RUNNING] == 0
        store.finish(claim, Outcome.complete(), now=NOW, seconds=1)
        assert next(row.status for row in store.trials("r", retired=True)) is Status.COMPLETE

    def test_other_purposes_are_never_retired(self, store: Store) -> None:
        with_round(store, 1)
        repeats = [a_spec(7, TrialPurpose.REPEAT), a_spec(8, TrialPurpose.BASELINE)]
        assert store.add_trials("r", [*repeats, a_spec(0)], now=NOW) == 2
        assert store.add_trials("r", repeats, now=NOW) == 0
        assert store.sync_trials("r", some_specs(1), now=NOW).retired == 0
        assert store.specs("r") == (*some_specs(1), *repeats)

    def test_one_configuration_may_stand_in_two_rounds(self, store: Store) -> None:
        with_round(with_round(store, 2, "a"), 2, "b")
        (claim,) = claimed(store, name="a")
        store.finish(claim, Outcome.complete(), now=NOW, seconds=1)
        assert (store.counts("a")[Status.COMPLETE], store.counts("b")[Status.COMPLETE]) == (1, 0)


class TestClaims:
    def test_come_in_planned_order_once_each(self, store: Store) -> None:
        with_round(store, 5)
        first, second, third = claimed(store, 2), claimed(store, 2, owner="b"), claimed(store, 2)
        assert [claim.spec for claim in (*first, *second, *third)] == list(some_specs(5))
        assert len({claim.token for claim in (*first, *second, *third)}) == 5
        assert claimed(store, 2) == ()
        assert {(claim.round, claim.attempt, claim.mishaps) for claim in first} == {("r", 1, 0)}

    def test_show_who_holds_what(self, store: Store) -> None:
        (claim,) = claimed(with_round(store, 2))
        (lease,) = store.leases("r")
        assert (lease.trial, lease.attempt_key) == (claim.spec.id, claim.attempt_key)
        assert lease.owner == an_owner()
        assert lease.expires_at == later(LEASE)
        assert store.trials("r")[0].status is Status.RUNNING
        assert store.trials("r")[0].started_at == NOW

    def test_run_out_and_pass_on(self, store: Store) -> None:
        (old,) = claimed(with_round(store, 1))
        assert claimed(store, at=LEASE) == ()
        (new,) = claimed(store, at=LEASE + 1, owner="b")
        assert (new.attempt, new.mishaps, new.trial_key) == (2, 0, old.trial_key)
        assert store.renew("worker", now=later(LEASE + 1), lease_seconds=LEASE) == frozenset()
        with pytest.raises(LeaseLost, match="no longer holds"):
            store.finish(old, Outcome.complete(), now=later(LEASE + 2), seconds=1)
        with pytest.raises(LeaseLost):
            store.release(old, reason="stopped", now=later(LEASE + 2))
        store.finish(new, Outcome.complete(), now=later(LEASE + 2), seconds=1)

    def test_live_on_when_renewed(self, store: Store) -> None:
        held = claimed(with_round(store, 2), 2)
        assert store.renew("worker", now=later(50), lease_seconds=LEASE) == {claim.attempt_key for claim in held}
        assert claimed(store, at=100, owner="b") == ()
        assert len(claimed(store, 2, at=50 + LEASE + 1, owner="b")) == 2

    def test_of_the_dead_are_taken_back(self, store: Store) -> None:
        with_round(store, 3)
        held, other = claimed(store, 2), claimed(store, 1, owner="b")
        assert store.expire(["worker", "unknown"], now=NOW) == 2
        assert [lease.attempt_key for lease in store.leases("r")] == [other[0].attempt_key]
        assert [(claim.attempt, claim.mishaps) for claim in claimed(store, 3)] == [(2, 0), (2, 0)]
        with pytest.raises(LeaseLost):
            store.finish(held[0], Outcome.complete(), now=NOW, seconds=1)
        assert store.expire([], now=NOW) == 0

    def test_count_mishaps_but_neither_stops_nor_losses(self, store: Store) -> None:
        with_round(store, 1)
        for reason, mishaps in (("killed", 0), ("stopped", 1), ("hung", 1), ("lost", 2), ("killed", 2)):
            (claim,) = claimed(store)
            assert claim.mishaps == mishaps
            store.release(claim, reason=reason, detail="why", now=NOW)
        assert (claimed(store)[0].mishaps, store.trials("r")[0].attempts) == (3, 6)

    def test_end_for_good(self, store: Store) -> None:
        (claim,) = claimed(with_round(store, 1))
        store.finish(claim, Outcome.infeasible(Cause.DIVERGED, "nan"), now=later(9), seconds=8.5)
        store.finish(claim, Outcome.complete(), now=later(10), seconds=1)
        (row,) = store.trials("r")
        assert (row.status, row.cause, row.detail, row.seconds) == (Status.INFEASIBLE, Cause.DIVERGED, "nan", 8.5)
        assert (row.ended_at, row.attempts) == (later(9), 1)
        with pytest.raises(LeaseLost):
            store.finish(replace(claim, token="other"), Outcome.complete(), now=NOW, seconds=1)
        with pytest.raises(LeaseLost):
            store.release(claim, reason="lost", now=NOW)
        assert claimed(store, at=1e6) == ()
        assert store.leases("r") == ()

    def test_end_together_or_not_at_all(self, store: Store) -> None:
        first, second = claimed(with_round(store, 2), 2)
        lost = replace(second, token="other")
        with pytest.raises(LeaseLost):
            store.finish_many([(c, Outcome.complete(), 1.0) for c in (first, lost)], now=NOW)
        assert store.counts("r")[Status.RUNNING] == 2

    def test_end_once_however_often_they_stand_in_one_batch(self, store: Store) -> None:
        first, second = claimed(with_round(store, 2), 2)
        diverged = Outcome.infeasible(Cause.DIVERGED, "nan")
        batch = [(first, diverged, 1.0), (second, Outcome.complete(), 2.0), (first, Outcome.complete(), 3.0)]
        for _ in range(2):
            store.finish_many(batch, now=NOW)
        assert [(row.status, row.seconds) for row in store.trials("r")] == [
            (Status.INFEASIBLE, 1.0),
            (Status.COMPLETE, 2.0),
        ]
        assert store.leases("r") == ()

    def test_claimed_together_have_an_attempt_each(self, store: Store) -> None:
        claims = claimed(with_round(store, 5), 5)
        assert {lease.trial: lease.attempt_key for lease in store.leases("r")} == {
            row.name: claim.attempt_key for row, claim in zip(store.trials("r"), claims, strict=True)
        }
        assert len({claim.token for claim in claims}) == 5
        store.append_many([(claim, a_block([step]), 0) for step, claim in enumerate(claims)])
        assert [list(curve[0]) for curve in store.snapshot("r").curves["valid/error"]] == [[0], [1], [2], [3], [4]]

    def test_are_counted(self, store: Store) -> None:
        complete, infeasible, failed, _ = claimed(with_round(store, 6), 4)
        store.finish(complete, Outcome.complete(), now=NOW, seconds=1)
        store.finish(infeasible, Outcome.infeasible(Cause.RAISED), now=NOW, seconds=1)
        store.finish(failed, Outcome.failed(Cause.ERROR, "trace"), now=NOW, seconds=1)
        assert store.counts("r") == {
            Status.PENDING: 2,
            Status.RUNNING: 1,
            Status.COMPLETE: 1,
            Status.INFEASIBLE: 1,
            Status.FAILED: 1,
        }

    @pytest.mark.slow
    def test_of_eight_processes_never_meet(self, url: str, store: Store) -> None:
        with_round(store, 200)
        with ProcessPoolExecutor(8, mp_context=multiprocessing.get_context("spawn")) as pool:
            jobs = [pool.submit(claim_until_empty, url, "r", f"worker-{number}") for number in range(8)]
            taken = [spec for job in jobs for spec in job.result()]
        assert sorted(taken) == sorted(spec.id for spec in some_specs(200))


class TestCurves:
    def test_come_back_as_logged(self, store: Store) -> None:
        first, second = claimed(with_round(store, 3), 2)
        values = np.array([[1.0, np.nan], [np.inf, -0.0]])
        store.append_curves(first, CurveBlock(("loss", "error"), np.array([0, 10]), values), 0)
        store.append_curves(second.attempt_key, a_block([5, 6, 9], metrics=("error",)), 0)
        evidence = store.snapshot("r")
        assert evidence.metrics == ("error", "loss")
        assert [list(curve) for curve in evidence.curves["error"][0]] == [
            [0, 10],
            pytest.approx([np.nan, 0], nan_ok=True),
        ]
        assert np.signbit(evidence.curves["error"][0][1][1])
        assert [len(evidence.curves["error"][trial][0]) for trial in range(3)] == [2, 3, 0]
        assert [len(evidence.curves["loss"][trial][0]) for trial in range(3)] == [2, 0, 0]

    def test_are_stored_once_at_any_overlap_and_never_with_a_gap(self, store: Store) -> None:
        (claim,) = claimed(with_round(store, 1))
        assert store.append_curves(claim, a_block([0, 1, 2]), 0) == 3
        assert store.append_curves(claim, a_block([1, 2]), 1) == 3
        assert store.append_curves(claim, a_block([2, 3, 4]), 2) == 5
        with pytest.raises(StoreError, match="rows 5 to 6 of attempt"):
            store.append_curves(claim, a_block([9]), 6)
        assert store.rows_stored(claim.attempt_key) == {("valid/error",): 5}
        assert list(store.snapshot("r").curves["valid/error"].steps) == [0, 1, 2, 3, 4]
        with pytest.raises(StoreError, match="no attempt"):
            store.append_curves(10**6, a_block([9]), 0)

    def test_of_several_attempts_are_appended_together_or_not_at_all(self, store: Store) -> None:
        first, second = claimed(with_round(store, 2), 2)
        assert store.append_many([(first, a_block([0, 1]), 0), (second, a_block([0]), 0)]) == (2, 1)
        with pytest.raises(StoreError):
            store.append_many([(first, a_block([2]), 2), (second, a_block([5]), 5)])
        assert store.rows_stored(first.attempt_key) == {("valid/error",): 2}

    def test_of_one_stream_come_in_any_number_of_parts_at_once(self, store: Store) -> None:
        first, second = claimed(with_round(store, 2), 2)
        parts = [(first, a_block([row]), row) for row in range(100)]
        parts[50:50] = [(second, a_block([7, 8]), 0), (first, a_block([48, 49]), 48), (second, a_block([8, 9]), 1)]
        counts = store.append_many(parts)
        assert counts[49:54] == (50, 2, 50, 3, 51)
        assert [list(curve[0]) for curve in store.snapshot("r").curves["valid/error"]] == [list(range(100)), [7, 8, 9]]
        with pytest.raises(StoreError, match="rows 100 to 101"):
            store.append_many([(second, a_block([10]), 3), (first, a_block([101]), 101)])
        assert store.rows_stored(second.attempt_key) == {("valid/error",): 3}

    def test_of_a_finished_trial_are_closed_but_delivery_may_repeat(self, store: Store) -> None:
        (claim,) = claimed(with_round(store, 1))
        store.append_curves(claim, a_block([0, 1]), 0)
        store.finish(claim, Outcome.complete(), now=NOW, seconds=1)
        assert store.append_curves(claim, a_block([0, 1]), 0) == 2
        with pytest.raises(LeaseLost, match="finished"):
            store.append_curves(claim, a_block([2]), 2)

    def test_take_the_last_word_on_a_step_and_ascend(self, store: Store) -> None:
        (claim,) = claimed(with_round(store, 1))
        store.append_curves(claim, a_block([0, 5, 3, 5], [1, 2, 3, 4]), 0)
        steps, values = store.snapshot("r").curves["valid/error"][0]
        assert (list(steps), list(values)) == ([0, 3, 5], [1, 3, 4])

    def test_go_on_from_where_an_attempt_resumed(self, store: Store) -> None:
        (first,) = claimed(with_round(store, 1))
        store.append_curves(first, a_block([0, 1, 2, 3, 4, 5]), 0)
        store.release(first, reason="killed", now=NOW)
        (second,) = claimed(store)
        store.set_resume(second.attempt_key, 3)
        assert list(store.snapshot("r").curves["valid/error"].steps) == [0, 1, 2, 3, 4, 5]
        store.append_curves(second, a_block([4], [40]), 0)
        steps, values = store.snapshot("r").curves["valid/error"][0]
        assert (list(steps), list(values)) == ([0, 1, 2, 4], [0, 1, 2, 40])

    def test_delivered_late_by_a_lost_attempt_still_count_before_the_resume(self, store: Store) -> None:
        (first,) = claimed(with_round(store, 1))
        store.append_curves(first, a_block([0, 1]), 0)
        (second,) = claimed(store, at=LEASE + 1, owner="b")
        store.set_resume(second.attempt_key, 3)
        store.append_curves(second, a_block([3]), 0)
        store.append_curves(first, a_block([2, 3, 4]), 2)
        assert list(store.snapshot("r").curves["valid/error"].steps) == [0, 1, 2, 3]

    def test_survive_their_packing_at_the_end(self, url: str, store: Store) -> None:
        (claim,) = claimed(with_round(store, 1))
        metrics = ("loss", "grad_norm")
        for row in range(100):
            store.append_curves(claim, a_block([row * row], metrics=metrics), row)
        before = store.snapshot("r").curves["loss"]
        store.finish(claim, Outcome.complete(), now=NOW, seconds=1)
        after = store.snapshot("r").curves["loss"]
        assert list(after.steps) == list(before.steps) == [row * row for row in range(100)]
        assert list(after.values) == list(before.values)
        with engine_of(url).connect() as connection:
            assert connection.execute(sa.text("SELECT count(*), sum(n_rows) FROM chunks")).one() == (1, 100)


class TestEvidence:
    def test_holds_design_studies_and_trials(self, store: Store) -> None:
        claims = claimed(with_round(store, 4), 2)
        store.finish(claims[0], Outcome.failed(Cause.ERROR, "trace"), now=NOW, seconds=2.0)
        evidence = store.snapshot("r")
        assert (evidence.name, evidence.round) == ("r", a_design())
        assert evidence.studies == (Study.of(Config({"optimizer": "adam"})), Study.of(Config({"optimizer": "sgd"})))
        assert [trial.config for trial in evidence] == [spec.config for spec in some_specs(4)]
        assert [str(trial.status) for trial in evidence] == ["failed", "running", "pending", "pending"]
        assert (evidence.trials[0].detail, evidence.trials[0].seconds) == ("trace", 2.0)

    def test_of_a_round_without_trials_is_empty(self, store: Store) -> None:
        store.save_round("r", a_design(), now=NOW)
        evidence = store.snapshot("r")
        assert (evidence.trials, evidence.studies, evidence.metrics) == ((), (), ())


class TestImports:
    trials = (
        ImportedTrial(
            name="study_1/trial_1",
            spec=a_spec(1),
            outcome=Outcome.complete(),
            curves={"valid/error": ([1, 2], [0.5, 0.25]), "valid/loss": ([1, 2], [5, 2.5]), "train/loss": ([9], [1])},
            seconds=7.0,
        ),
        ImportedTrial(name="study_1/trial_2", spec=a_spec(2), outcome=Outcome.infeasible(Cause.IMPORTED)),
    )

    def test_are_read_like_rounds_run_here(self, store: Store) -> None:
        assert store.import_round("r", a_design(), self.trials, now=NOW, origin="csv") == 2
        evidence = store.snapshot("r")
        assert [trial.name for trial in evidence] == ["study_1/trial_1", "study_1/trial_2"]
        assert [list(part) for part in evidence.curves["valid/loss"][0]] == [[1, 2], [5, 2.5]]
        assert [list(part) for part in evidence.curves["train/loss"][0]] == [[9], [1]]
        assert [(row.status, row.seconds) for row in store.trials("r")] == [("complete", 7.0), ("infeasible", None)]
        assert store.rounds()[0].origin == "csv"
        assert claimed(store, 5) == ()

    def test_again_add_only_what_is_new(self, store: Store) -> None:
        store.import_round("r", a_design(), self.trials[:1], now=NOW, origin="csv")
        assert store.import_round("r", a_design(), self.trials, now=NOW, origin="csv") == 1
        assert store.import_round("r", a_design(), self.trials, now=NOW, origin="csv") == 0
        assert len(store.snapshot("r").curves["valid/error"].steps) == 2

    def test_end_a_trial_that_was_planned_here(self, store: Store) -> None:
        with_round(store, 2)
        assert store.import_round("r", a_design(), self.trials[:1], now=NOW, origin="csv") == 1
        assert [row.status for row in store.trials("r")] == ["pending", "complete"]

    def test_that_contradict_themselves_are_refused_whole(self, store: Store) -> None:
        same_trial = replace(self.trials[0], name="other")
        with pytest.raises(InputError, match="different seeds"):
            store.import_round("r", a_design(), [*self.trials, same_trial], now=NOW, origin="csv")
        same_name = replace(self.trials[1], spec=a_spec(3))
        with pytest.raises(InputError, match="two trials of the round: study_1/trial_2"):
            store.import_round("r", a_design(), [*self.trials, same_name], now=NOW, origin="csv")
        assert store.rounds() == ()


class TestRecords:
    def test_provenance_is_kept_once_by_its_content(self, store: Store) -> None:
        with_round(store, 1)
        key = store.save_provenance({"revision": "abc", "seeds": [1, 2]})
        assert store.save_provenance({"seeds": [1, 2], "revision": "abc"}) == key
        assert store.provenance(a_spec(0).id) is None
        store.claim("r", owner=an_owner(), limit=1, now=NOW, lease_seconds=1, provenance=key)
        assert store.provenance(a_spec(0).id) == {"revision": "abc", "seeds": [1, 2]}
        assert store.provenance(a_spec(0).id, round="r") == {"revision": "abc", "seeds": [1, 2]}

    def test_launches_come_back_and_have_one_number_each(self, store: Store) -> None:
        launch = Launch(
            number=0, round="r", trial="t", config=Config({"lr": 0.1}), at=NOW, evidence={"p": 0.9}, who="me"
        )
        store.append_launch(launch)
        with pytest.raises(StoreError, match="launch 0 is already"):
            store.append_launch(replace(launch, note="again"))
        more = [replace(launch, number=1, rolls_back=0), replace(launch, number=2, keeps=True)]
        for entry in more:
            store.append_launch(entry)
        assert store.launches() == [launch, *more]

    def test_notes_stand_with_round_and_trial(self, store: Store) -> None:
        with_round(with_round(store, 1), 1, "other")
        store.add_note("r", None, "odd", NOW)
        store.add_note("other", a_spec(0).id, "the loss jumps", later(1))
        assert [(note.round, note.trial, note.text) for note in store.notes()] == [
            ("r", None, "odd"),
            ("other", a_spec(0).id, "the loss jumps"),
        ]
        assert [note.at for note in store.notes("other")] == [later(1)]
        with pytest.raises(InputError, match="no trial 'nope'"):
            store.add_note("r", "nope", "?", NOW)


class TestTheStoreItself:
    def test_is_there_when_opened_again(self, url: str) -> None:
        with Store.open(url) as store:
            with_round(store, 3)
        with Store.open(url) as store:
            assert store.specs("r") == some_specs(3)

    def test_has_the_tables_that_the_code_describes(self, url: str, store: Store) -> None:
        with engine_of(url).connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
            assert compare_metadata(context, metadata) == []

    def test_of_a_newer_tunebook_is_refused(self, url: str, store: Store) -> None:
        with engine_of(url).begin() as connection:
            connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
        with pytest.raises(StoreError, match=r"newer tunebook \(tables 9999"):
            Store.open(url)

    def test_opened_for_reading_refuses_to_write(self, url: str, store: Store) -> None:
        with_round(store, 1)
        with Store.open(url, read_only=True) as reader:
            assert reader.specs("r") == some_specs(1)
            with pytest.raises(StoreReadOnly, match="not written"):
                reader.save_round("s", a_design(), now=NOW)

    def test_serves_several_threads(self, store: Store) -> None:
        with_round(store, 40)
        found: list[str] = []

        def work(number: int) -> None:
            for _ in range(10):
                found.extend(claim.spec.id for claim in claimed(store, owner=f"thread-{number}"))
                store.counts("r")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == sorted(spec.id for spec in some_specs(40))

    @pytest.mark.slow
    def test_is_created_once_by_eight_processes_at_the_same_time(self, url: str) -> None:
        with ProcessPoolExecutor(8, mp_context=multiprocessing.get_context("spawn")) as pool:
            assert [job.result() for job in [pool.submit(open_and_count, url) for _ in range(8)]] == [0] * 8

    def test_keeps_times_to_the_microsecond(self, store: Store) -> None:
        exact = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
        store.save_round("r", a_design(), now=exact)
        assert store.rounds()[0].created_at == exact
