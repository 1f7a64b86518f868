"""Joining stores: nothing twice, nothing lost, and what contradicts itself is told before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postgres import fresh_schema, postgres_url  # noqa: F401
from store_cases import LEASE, NOW, a_block, a_design, a_spec, claimed, later, some_specs, with_round
from tunebook.core.config import Config
from tunebook.core.launch import Launch
from tunebook.core.outcome import Cause, Outcome, Status
from tunebook.core.trial import TrialPurpose
from tunebook.errors import InputError
from tunebook.store.imports import ImportedTrial
from tunebook.store.keeping import examine, merge_stores
from tunebook.store.merge import MergeReport
from tunebook.store.store import Store

BACK_ENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]

Make = Callable[[], Store]


@pytest.fixture(params=BACK_ENDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes empty stores, closed and examined at the end: no merge may leave one that is not sound."""
    urls: list[str] = []

    with ExitStack() as stack:

        def one() -> Store:
            if request.param == "sqlite":
                url = f"sqlite:///{tmp_path}/{len(urls)}.db"
            else:
                url = fresh_schema(request.getfixturevalue("postgres_url"))
            urls.append(url)
            return stack.enter_context(Store.open(url))

        yield one
    for url in urls:
        assert examine(url, is_dead=lambda _: False, now=NOW).complaints == ()


def run(store: Store, count: int, *, name: str = "r", at: float = 0, shift: float = 0.0) -> None:
    """Train the next ``count`` trials of a round: ten points each, which ``shift`` moves."""
    for claim in claimed(store, count, name=name, at=at):
        start = float(claim.spec.seed) + shift
        store.append_curves(claim, a_block(range(10), [start + step for step in range(10)]), 0)
        store.finish(claim, Outcome.complete(), now=later(at + 1), seconds=2.0)


def merged(ours: Store, theirs: Store, **options: object) -> MergeReport:
    return merge_stores(ours, theirs, now=later(50), **options)  # type: ignore[arg-type]


def picture(store: Store) -> dict[str, object]:
    """What a store holds, in an order of its own: rounds, trials, curves, notes and launches."""
    found: dict[str, object] = {"launches": store.launches(), "notes": sorted((n.round, n.text) for n in store.notes())}
    for row in store.rounds():
        evidence = store.snapshot(row.name, retired=True)
        for place, trial in enumerate(evidence.trials):
            curves = {metric: evidence.curves[metric][place] for metric in evidence.metrics}
            found[f"{row.name}/{trial.name}"] = (
                trial.status,
                trial.cause,
                trial.config,
                {m: (s.tolist(), v.tobytes()) for m, (s, v) in curves.items() if len(s)},
            )
    return found


def test_an_empty_store_becomes_the_same(make: Make) -> None:
    theirs, ours = with_round(make(), 5), make()
    run(theirs, 3)
    theirs.add_note("r", a_spec(1).id, "the loss jumps", NOW)
    report = merged(ours, theirs)
    assert (report.rounds[0].is_new, report.rounds[0].trials, report.rounds[0].results) == (True, 5, 3)
    assert picture(ours) == picture(theirs)
    assert ours.specs("r") == theirs.specs("r")
    assert ours.rounds() == theirs.rounds()
    assert ours.counts("r")[Status.PENDING] == 2
    assert [claim.spec for claim in claimed(ours, 9)] == list(some_specs(5)[3:])


def test_again_changes_nothing(make: Make) -> None:
    theirs, ours = with_round(make(), 5), make()
    run(theirs, 3)
    theirs.add_note("r", None, "odd", NOW)
    theirs.append_launch(a_launch(0))
    merged(ours, theirs)
    before = picture(ours)
    report = merged(ours, theirs)
    assert report.is_empty
    assert report.rounds[0].same == 3
    assert picture(ours) == before
    assert merged(theirs, ours).is_empty


def test_two_machines_that_shared_the_work_have_all_of_it_afterwards(make: Make) -> None:
    ours, theirs = with_round(make(), 6), with_round(make(), 6)
    run(ours, 2)
    claims = claimed(theirs, 6)
    for claim in claims[2:5]:
        theirs.append_curves(claim, a_block(range(4)), 0)
        theirs.finish(claim, Outcome.infeasible(Cause.DIVERGED), now=NOW, seconds=1)
    report = merged(ours, theirs)
    assert (report.rounds[0].trials, report.rounds[0].results) == (0, 3)
    assert ours.counts("r") == {
        Status.PENDING: 1,
        Status.RUNNING: 0,
        Status.COMPLETE: 2,
        Status.INFEASIBLE: 3,
        Status.FAILED: 0,
    }
    assert list(ours.snapshot("r").curves["valid/error"][3][0]) == [0, 1, 2, 3]


def test_a_result_takes_the_place_of_what_was_begun_here(make: Make) -> None:
    """Curves of two machines are never mixed: theirs count from the first step on."""
    ours, theirs = with_round(make(), 1), with_round(make(), 1)
    (begun,) = claimed(ours)
    ours.append_curves(begun, a_block(range(3), [7.0, 7.0, 7.0]), 0)
    (claim,) = claimed(theirs)
    theirs.append_curves(claim, a_block([2, 4], [0.2, 0.4]), 0)
    theirs.finish(claim, Outcome.complete(), now=NOW, seconds=1)
    with pytest.raises(InputError, match="has ended in their store and is being run in ours"):
        merged(ours, theirs)
    assert merged(ours, theirs, keep_ours=True).rounds[0].left_out == 1
    assert ours.counts("r")[Status.RUNNING] == 1
    report = merge_stores(ours, theirs, now=later(LEASE + 1))
    assert report.rounds[0].results == 1
    steps, values = ours.snapshot("r").curves["valid/error"][0]
    assert (steps.tolist(), values.tolist()) == ([2, 4], [0.2, 0.4])


def test_what_was_stopped_there_and_ended_later_comes_in_two_parts(make: Make) -> None:
    ours, theirs = make(), with_round(make(), 1)
    (first,) = claimed(theirs)
    theirs.append_curves(first, a_block(range(5)), 0)
    theirs.release(first, reason="stopped", now=NOW)
    assert merged(ours, theirs).rounds[0].trials == 1
    assert ours.trials("r")[0].attempts == 1
    (second,) = claimed(theirs)
    theirs.set_resume(second.attempt_key, 4)
    theirs.append_curves(second, a_block([4, 5], [40.0, 50.0]), 0)
    theirs.finish(second, Outcome.complete(), now=NOW, seconds=1)
    assert merged(ours, theirs).rounds[0].results == 1
    assert ours.trials("r")[0].attempts == 2
    assert picture(ours) == picture(theirs)


def test_trials_that_run_there_are_left_out_and_told(make: Make) -> None:
    ours, theirs = make(), with_round(make(), 2)
    (claim,) = claimed(theirs)
    theirs.append_curves(claim, a_block(range(5)), 0)
    assert merged(ours, theirs).rounds[0].left_out == 1
    assert ours.counts("r")[Status.PENDING] == 2
    assert theirs.counts("r")[Status.RUNNING] == 1


def test_results_that_differ_are_told_and_nothing_is_written(make: Make) -> None:
    ours, theirs = with_round(make(), 15), with_round(make(), 16)
    run(ours, 14)
    run(theirs, 14, shift=0.5)
    before = picture(ours)
    with pytest.raises(InputError) as caught:
        merged(ours, theirs)
    assert "came out differently (objective 0 in ours, 0.5 in theirs)" in str(caught.value)
    assert "--keep-ours" in str(caught.value)
    assert "and 4 more of this kind" in str(caught.value)
    assert len(caught.value.problems) == 11
    assert picture(ours) == before
    report = merged(ours, theirs, keep_ours=True)
    assert (report.rounds[0].kept, report.rounds[0].trials) == (14, 1)
    as_another = merged(ours, theirs, rename={"r": "r-b"})
    assert (as_another.rounds[0].round, as_another.rounds[0].results) == ("r-b", 14)
    assert ours.design("r-b") == theirs.design("r")


def test_equal_results_of_two_machines_are_one(make: Make) -> None:
    ours, theirs = with_round(make(), 3), with_round(make(), 3)
    run(ours, 3)
    run(theirs, 2, at=20)
    assert merged(ours, theirs).rounds[0].same == 2


def test_another_design_of_the_same_name_is_told(make: Make) -> None:
    ours, theirs = with_round(make(), 1), make()
    theirs.save_round("r", a_design(max_train_steps=7), now=NOW)
    with pytest.raises(InputError, match=r"r: both stores .* another design; .*--rename r=NEW"):
        merged(ours, theirs)


def test_a_design_that_goes_on_from_ours_is_taken_with_its_plan(make: Make) -> None:
    ours, theirs = with_round(make(), 4), with_round(make(), 4)
    run(ours, 1)
    longer = a_design(max_train_steps=200)
    theirs.save_round("r", longer, now=NOW)
    theirs.sync_trials("r", (a_spec(6), *some_specs(3)), now=NOW)
    merged(ours, theirs)
    assert ours.design("r") == longer
    assert [version for version, _, _ in ours.designs("r")] == [1, 2]
    assert ours.specs("r") == theirs.specs("r")
    assert len(ours.specs("r", retired=True)) == 5
    assert ours.counts("r")[Status.COMPLETE] == 1
    assert merged(ours, theirs).is_empty
    assert merged(theirs, ours).rounds[0].results == 1


def test_an_older_design_changes_no_plan(make: Make) -> None:
    ours, theirs = with_round(make(), 2), with_round(make(), 5)
    ours.save_round("r", a_design(max_train_steps=200), now=NOW)
    theirs.add_trials("r", [replace(a_spec(9), purpose=TrialPurpose.REPEAT)], now=NOW)
    assert merged(ours, theirs).rounds[0].trials == 4
    assert ours.specs("r") == (*some_specs(2), replace(a_spec(9), purpose=TrialPurpose.REPEAT))


def test_names_of_imported_trials_that_meet_are_told(make: Make) -> None:
    ours, theirs = make(), make()
    for store, number in ((ours, 0), (theirs, 1)):
        found = ImportedTrial(name="trial_1", spec=a_spec(number), outcome=Outcome.complete())
        store.import_round("r", a_design(), [found], now=NOW, origin="csv")
    with pytest.raises(InputError, match=r"r\.trial_1: this name stands for another trial"):
        merged(ours, theirs)
    assert merged(ours, theirs, rename={"r": "s"}).rounds[0].results == 1
    assert merged(ours, theirs, rename={"r": "s"}).is_empty


@pytest.mark.parametrize(
    ("rename", "said"),
    [({"x": "y"}, "no round 'x'; it has r, s"), ({"r": " "}, "needs a name"), ({"r": "s"}, "two rounds")],
)
def test_renaming_that_cannot_be_is_refused(make: Make, rename: dict[str, str], said: str) -> None:
    ours, theirs = make(), with_round(with_round(make(), 1), 1, "s")
    with pytest.raises(InputError, match=said):
        merged(ours, theirs, rename=rename)


def a_launch(number: int, note: str = "") -> Launch:
    return Launch(number=number, round="r", trial=a_spec(0).id, config=Config({"x": number}), at=NOW, note=note)


def test_a_ledger_that_goes_on_from_ours_is_taken(make: Make) -> None:
    ours, theirs = with_round(make(), 1), with_round(make(), 1)
    ours.append_launch(a_launch(0))
    for number in range(3):
        theirs.append_launch(a_launch(number))
    assert merged(ours, theirs).launches == 2
    assert ours.launches() == theirs.launches()
    assert merged(ours, theirs, rename={"r": "s"}, keep_ours=True).launches == 0


def test_two_ledgers_are_told_and_theirs_becomes_notes(make: Make) -> None:
    ours, theirs = with_round(make(), 1), with_round(make(), 1)
    ours.append_launch(a_launch(0))
    theirs.append_launch(a_launch(0, "another one"))
    with pytest.raises(InputError, match="launch 0 and those after it are others in the two ledgers"):
        merged(ours, theirs)
    assert merged(ours, theirs, keep_ours=True).notes == 1
    assert merged(ours, theirs, keep_ours=True).notes == 0
    assert ours.launches() == [a_launch(0)]
    assert "another one" in ours.notes("r")[0].text


def test_a_store_is_not_merged_into_itself(make: Make) -> None:
    ours = make()
    with Store.open(ours.url) as again, pytest.raises(InputError, match="is this store itself"):
        merged(ours, again)


def test_a_mishap_in_the_middle_leaves_nothing_behind(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = make(), with_round(make(), 3)
    run(theirs, 3)

    def fail(*_: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr("tunebook.store.merge_write.end_trial", fail)
        with pytest.raises(RuntimeError, match="power"):
            merged(ours, theirs)
    assert ours.rounds() == ()
    merged(ours, theirs)
    assert picture(ours) == picture(theirs)


#: What a machine did: how many of six trials it trained, with what shift, and how many it began and stopped.
MACHINE = st.tuples(st.integers(0, 6), st.sampled_from([0.0, 0.0, 0.25]), st.integers(0, 2))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(machines=st.lists(MACHINE, min_size=2, max_size=3), order=st.randoms(use_true_random=False))
def test_any_machines_in_any_order_give_the_same_results(
    machines: list[tuple[int, float, int]], order: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whoever is merged into whom: every result is there once, and merging again is nothing."""
    folder = tmp_path_factory.mktemp("merge")
    with ExitStack() as stack:
        stores = [stack.enter_context(Store.open(f"sqlite:///{folder}/{n}.db")) for n in range(len(machines))]
        for store, (n_run, shift, n_begun) in zip(stores, machines, strict=True):
            with_round(store, 6)
            run(store, n_run, shift=shift)
            for claim in claimed(store, n_begun):
                store.append_curves(claim, a_block(range(3)), 0)
                store.release(claim, reason="stopped", now=NOW)
        order.shuffle(stores)  # type: ignore[attr-defined]
        ours, *others = stores
        for theirs in others * 2:
            merged(ours, theirs, keep_ours=True)
        assert all(merged(ours, theirs, keep_ours=True).is_empty for theirs in others)
        assert ours.counts("r")[Status.COMPLETE] == max(n_run for n_run, _, _ in machines)
        evidence = ours.snapshot("r")
        for place in range(ours.counts("r")[Status.COMPLETE]):
            steps, values = evidence.curves["valid/error"][place]
            assert steps.tolist() == list(range(10))
            assert np.diff(values).tolist() == [1.0] * 9
        assert examine(ours.url, is_dead=lambda _: False, now=NOW).is_sound
