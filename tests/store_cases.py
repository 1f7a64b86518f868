"""Small rounds, trials and owners for tests of the store, and what other processes run in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from tunebook.core.config import Config
from tunebook.core.launch import Launch
from tunebook.core.outcome import Cause, Outcome
from tunebook.core.round import Round
from tunebook.core.trial import TrialPurpose, TrialSpec
from tunebook.store.packing import CurveBlock
from tunebook.store.store import Store
from tunebook.store.values import Claim, Owner

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LEASE = 60.0


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def a_design(**changed: object) -> Round:
    table: dict[str, object] = {
        "goal": "Does the optimizer matter?",
        "question": "compare",
        "pipeline": "train.py:train",
        "max_train_steps": 100,
        "objective": {"metric": "valid/error"},
        "scientific": {"optimizer": ["adam", "sgd"]},
        "nuisance": {"learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"}},
    }
    return Round(**{**table, **changed})  # type: ignore[arg-type]


def a_spec(number: int, purpose: TrialPurpose = TrialPurpose.SEARCH) -> TrialSpec:
    optimizer = ("adam", "sgd")[number % 2]
    return TrialSpec(
        study=f"optimizer={optimizer}",
        config=Config({"optimizer": optimizer, "learning_rate": 0.001 * (number + 1)}),
        seed=number,
        max_train_steps=100,
        way_to_train="train.py:train",
        purpose=purpose,
        index=number // 2,
        point=(0.5, number / 1000),
    )


def some_specs(count: int) -> tuple[TrialSpec, ...]:
    return tuple(a_spec(number) for number in range(count))


def an_owner(name: str = "worker") -> Owner:
    return Owner(id=name, host="here", pid=7, started=NOW)


def with_round(store: Store, count: int, name: str = "r") -> Store:
    """The store, with a round of ``count`` pending trials."""
    store.save_round(name, a_design(), now=NOW)
    store.sync_trials(name, some_specs(count), now=NOW)
    return store


def claimed(
    store: Store, limit: int = 1, *, name: str = "r", owner: str = "worker", at: float = 0
) -> tuple[Claim, ...]:
    return store.claim(name, owner=an_owner(owner), limit=limit, now=later(at), lease_seconds=LEASE)


def a_block(steps: Sequence[int], *columns: Sequence[float], metrics: Sequence[str] = ("valid/error",)) -> CurveBlock:
    """A block whose values equal its steps unless columns are given."""
    filled = columns or [steps] * len(metrics)
    return CurveBlock(tuple(metrics), np.array(steps, dtype=np.int64), np.array(filled, dtype=np.float64).T)


def a_lived_store(store: Store) -> Store:
    """A store in which everything happened: ends of every kind, a resume, a lease, a launch, a note."""
    with_round(store, 6)
    first, second, third, fourth = claimed(store, 4)
    for row in range(0, 300, 3):
        store.append_curves(first, a_block(range(row, row + 3)), row)
    store.finish(first, Outcome.complete(), now=NOW, seconds=1)
    store.append_curves(second, a_block([1, 5, 6], metrics=("a", "b")), 0)
    store.release(second, reason="killed", now=NOW)
    store.finish(third, Outcome.failed(Cause.ERROR, "Traceback"), now=NOW, seconds=1)
    store.reopen_failed("r", now=NOW)
    store.append_curves(fourth, a_block([1]), 0)
    (again,) = claimed(store, owner="other")
    store.set_resume(again.attempt_key, 4)
    store.finish(again, Outcome.infeasible(Cause.DIVERGED), now=NOW, seconds=1)
    store.append_launch(Launch(number=0, round="r", trial=a_spec(0).id, config=Config({"x": 1}), at=NOW))
    store.add_note("r", a_spec(0).id, "odd", NOW)
    return store


def claim_until_empty(url: str, name: str, owner: str) -> list[str]:
    """In a process of its own: take trials one by one until there are none; the ids."""
    taken = []
    with Store.open(url) as store:
        while True:
            got = store.claim(name, owner=an_owner(owner), limit=1, now=NOW, lease_seconds=LEASE)
            if not got:
                return taken
            taken += [claim.spec.id for claim in got]


def open_and_count(url: str) -> int:
    """In a process of its own: open the store, whether it is there yet or not."""
    with Store.open(url) as store:
        return len(store.rounds())
