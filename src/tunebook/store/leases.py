"""One writer a trial: claiming, holding on, giving back and ending."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, insert, or_, select, text, update

from tunebook.core.outcome import Outcome
from tunebook.errors import LeaseLost
from tunebook.store import curves
from tunebook.store.engine import is_again
from tunebook.store.rounds import key_of
from tunebook.store.schema import Record, attempt_ends, attempts, outcomes, owners, queue, resumes, trials
from tunebook.store.trials import SPEC_COLUMNS, spec_of
from tunebook.store.values import MISHAPS, Claim, EndReason, Lease, Owner, seconds_of, time_of

TOKEN_BYTES = 12
_HISTORY = ("mishaps", "losses", "lost_from")
RAN_OUT = "the lease ran out: its owner did not renew it"
DECLARED_DEAD = "the owner is gone"

_FREE = (
    select(queue.c.trial_id, queue.c.attempt_id, *SPEC_COLUMNS)
    .join_from(queue, trials, trials.c.id == queue.c.trial_id)
    .where(
        queue.c.round_id == bindparam("round"),
        queue.c.rank.is_not(None),
        # Nobody takes over from itself: after a minute without the server its own leases have run out.
        or_(queue.c.token.is_(None), and_(queue.c.expires_at < bindparam("now"), queue.c.owner_id != bindparam("me"))),
    )
    .order_by(queue.c.rank, queue.c.trial_id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True, of=queue)
)
_EARLIER = (
    select(attempts.c.trial_id, attempts.c.number, attempt_ends.c.reason, resumes.c.start_step)
    .join_from(attempts, attempt_ends, isouter=True)
    .join(resumes, resumes.c.attempt_id == attempts.c.id, isouter=True)
    .where(attempts.c.trial_id.in_(bindparam("trials", expanding=True)))
    .order_by(attempts.c.trial_id, attempts.c.number)
)
_OF_SERIES = (
    select(queue.c.trial_id, queue.c.attempt_id, queue.c.token, attempts.c.number, *SPEC_COLUMNS)
    .join_from(queue, trials, trials.c.id == queue.c.trial_id)
    .join(attempts, attempts.c.id == queue.c.attempt_id)
    .where(queue.c.owner_id == bindparam("owner"), queue.c.token.startswith(bindparam("series"), autoescape=False))
    .order_by(attempts.c.id)
)
_ENDED_AS = select(attempt_ends.c.reason).where(attempt_ends.c.attempt_id == bindparam("attempt"))
_ADD_OWNER = text(
    "INSERT INTO owners (id, host, pid, started) VALUES (:id, :host, :pid, :started) ON CONFLICT DO NOTHING"
)
_ADD_ATTEMPTS = insert(attempts).returning(attempts.c.id, sort_by_parameter_order=True)
_LEND = (
    update(queue)
    .where(queue.c.trial_id == bindparam("trial"))
    .values(
        attempt_id=bindparam("attempt"),
        token=bindparam("proof"),
        owner_id=bindparam("owner"),
        expires_at=bindparam("until"),
    )
)
_RENEW = (
    update(queue)
    .where(queue.c.owner_id == bindparam("owner"), queue.c.token.is_not(None))
    .values(expires_at=bindparam("until"))
    .returning(queue.c.attempt_id)
)
_LEASES = (
    select(
        trials.c.name,
        queue.c.attempt_id,
        queue.c.expires_at,
        owners.c.id.label("owner"),
        owners.c.host,
        owners.c.pid,
        owners.c.started,
    )
    .join_from(queue, trials, trials.c.id == queue.c.trial_id)
    .join(owners, owners.c.id == queue.c.owner_id)
    .where(queue.c.round_id == bindparam("round"), queue.c.token.is_not(None))
    .order_by(queue.c.rank, queue.c.trial_id)
)
_OF_OWNERS = (
    select(queue.c.trial_id, queue.c.attempt_id)
    .where(queue.c.owner_id.in_(bindparam("owners", expanding=True)), queue.c.token.is_not(None))
    .with_for_update()
)
_HOLD = select(queue.c.token).where(queue.c.trial_id == bindparam("trial")).with_for_update()
_HOLD_ALL = (
    select(queue.c.trial_id, queue.c.token)
    .where(queue.c.trial_id.in_(bindparam("trials", expanding=True)))
    .order_by(queue.c.trial_id)
    .with_for_update()
)
_WINNER = (
    select(attempts.c.token)
    .join_from(outcomes, attempts, attempts.c.id == outcomes.c.attempt_id)
    .where(outcomes.c.trial_id == bindparam("trial"))
)
_ALL_ATTEMPTS = select(attempts.c.id).where(attempts.c.trial_id == bindparam("trial"))
_END_ATTEMPT = insert(attempt_ends)
_END_TRIAL = insert(outcomes)
_LEAVE_QUEUE = delete(queue).where(queue.c.trial_id.in_(bindparam("trials", expanding=True)))

_FAILED = text(
    "SELECT o.trial_id, o.attempt_id, o.detail FROM outcomes o JOIN trials t ON t.id = o.trial_id "
    "WHERE t.round_id = :round AND t.active AND o.status = 'failed' ORDER BY t.rank"
)
_TAKE_BACK = text("DELETE FROM outcomes WHERE trial_id = :trial AND status = 'failed'")
_QUEUE_AGAIN = text(
    "INSERT INTO queue (trial_id, round_id, rank) SELECT t.id, t.round_id, t.rank FROM trials t WHERE t.id = :trial"
)


def claim(
    connection: Connection,
    name: str,
    owner: Owner,
    limit: int,
    now: float,
    lease_seconds: float,
    provenance: str | None,
    series: str,
) -> tuple[Claim, ...]:
    """Lend ``owner`` the next trials of the plan that nobody runs, at most ``limit``.

    ``series`` is new for every call and what its proofs begin with: tried again, it finds what it was lent.
    """
    if is_again(connection) and (lent := _lent(connection, name, owner, series)):
        return lent
    wanted = {"round": key_of(connection, name), "now": now, "limit": limit, "me": owner.id}
    free = connection.execute(_FREE, wanted).all()
    if not free:
        return ()
    end_attempts(connection, [row.attempt_id for row in free if row.attempt_id is not None], "lost", RAN_OUT, now)
    keys = [row.trial_id for row in free]
    earlier = _earlier(connection, keys)
    _add_owner(connection, owner)
    made = _start(connection, keys, earlier, owner, now, provenance, series)
    until = now + lease_seconds
    connection.execute(_LEND, [_loan(attempt, owner, until) for attempt in made])
    return tuple(Claim(round=name, spec=spec_of(row), **attempt) for row, attempt in zip(free, made, strict=True))


def renew(connection: Connection, owner_id: str, until: float) -> frozenset[int]:
    """Extend everything ``owner_id`` holds; the keys of those attempts."""
    return frozenset(connection.execute(_RENEW, {"owner": owner_id, "until": until}).scalars())


def held(connection: Connection, name: str) -> tuple[Lease, ...]:
    """Every lease of the round, run out or not."""
    return tuple(_lease(row) for row in connection.execute(_LEASES, {"round": key_of(connection, name)}))


def expire(connection: Connection, owner_ids: Iterable[str], now: float) -> int:
    """Take back all that these owners hold; how many trials that were."""
    found = connection.execute(_OF_OWNERS, {"owners": list(owner_ids)}).all()
    end_attempts(connection, [row.attempt_id for row in found], "lost", DECLARED_DEAD, now)
    _give_back(connection, [row.trial_id for row in found])
    return len(found)


def release(connection: Connection, held_claim: Claim, reason: EndReason, detail: str, now: float) -> None:
    """End the attempt without an outcome; the trial is pending again."""
    if connection.execute(_HOLD, {"trial": held_claim.trial_key}).scalar() != held_claim.token:
        if is_again(connection) and _ended_as(connection, held_claim) == reason:
            return
        raise _lost(held_claim)
    end_attempts(connection, [held_claim.attempt_key], reason, detail, now)
    _give_back(connection, [held_claim.trial_key])


def finish(connection: Connection, ended: Sequence[tuple[Claim, Outcome, float]], now: float) -> None:
    """Give trials their outcomes, all or none; again for the same attempt changes nothing."""
    wanted = {"trials": sorted({held_claim.trial_key for held_claim, _, _ in ended})}
    tokens = {row[0]: row[1] for row in connection.execute(_HOLD_ALL, wanted)}
    fresh: dict[int, tuple[Claim, Outcome, float]] = {}
    for one in ended:
        held_claim = one[0]
        if tokens.get(held_claim.trial_key) == held_claim.token:
            fresh.setdefault(held_claim.trial_key, one)
        elif connection.execute(_WINNER, {"trial": held_claim.trial_key}).scalar() != held_claim.token:
            raise _lost(held_claim)
    if fresh:
        _finish(connection, tuple(fresh.values()), now)


def reopen_failed(connection: Connection, name: str, now: float) -> int:
    """Make the failed trials of the plan pending again; their attempts and what they said are kept."""
    found = connection.execute(_FAILED, {"round": key_of(connection, name)}).all()
    for trial_key, attempt_key, detail in found:
        end_attempts(connection, [attempt_key], "failed", detail, now)
        connection.execute(_TAKE_BACK, {"trial": trial_key})
        connection.execute(_QUEUE_AGAIN, {"trial": trial_key})
    return len(found)


def end_attempts(connection: Connection, keys: Sequence[int], reason: EndReason, detail: str, now: float) -> None:
    """Note why attempts ended that gave no outcome."""
    rows = [{"attempt_id": key, "reason": reason, "detail": detail, "ended_at": now} for key in keys]
    if rows:
        connection.execute(_END_ATTEMPT, rows)


def outcome_row(
    trial_key: int, attempt_key: int, outcome: Outcome, seconds: float | None, now: float
) -> dict[str, Any]:
    """An outcome as a row."""
    return {
        "trial_id": trial_key,
        "attempt_id": attempt_key,
        "status": outcome.status.value,
        "cause": None if outcome.cause is None else outcome.cause.value,
        "detail": outcome.detail,
        "seconds": seconds,
        "ended_at": now,
    }


def _finish(connection: Connection, ended: Sequence[tuple[Claim, Outcome, float]], now: float) -> None:
    rows = [outcome_row(one.trial_key, one.attempt_key, outcome, seconds, now) for one, outcome, seconds in ended]
    connection.execute(_END_TRIAL, rows)
    connection.execute(_LEAVE_QUEUE, {"trials": [one.trial_key for one, _, _ in ended]})
    curves.compact(connection, [key for one, _, _ in ended for key in _attempt_keys(connection, one)])


def _attempt_keys(connection: Connection, ended: Claim) -> Sequence[int]:
    if ended.attempt == 1:
        return [ended.attempt_key]
    return connection.execute(_ALL_ATTEMPTS, {"trial": ended.trial_key}).scalars().all()


def _start(
    connection: Connection,
    trial_keys: Sequence[int],
    earlier: Mapping[int, Mapping[str, int]],
    owner: Owner,
    now: float,
    provenance: str | None,
    series: str,
) -> list[dict[str, Any]]:
    """Add an attempt at every trial; the parts of its claim."""
    rows = [
        {
            "trial_id": key,
            "number": earlier[key]["number"] + 1 if key in earlier else 1,
            "token": f"{series}{place}",
            "owner_id": owner.id,
            "provenance_id": provenance,
            "started_at": now,
        }
        for place, key in enumerate(trial_keys)
    ]
    made = connection.execute(_ADD_ATTEMPTS, rows).scalars().all()
    return [
        {
            "trial_key": trial_key,
            "attempt": row["number"],
            "attempt_key": int(key),
            "token": row["token"],
            **_history(earlier, trial_key),
        }
        for trial_key, row, key in zip(trial_keys, rows, made, strict=True)
    ]


def new_series() -> str:
    """What the proofs of one call of ``claim`` begin with; no two calls share it."""
    return f"{secrets.token_hex(TOKEN_BYTES)}."


def _lent(connection: Connection, name: str, owner: Owner, series: str) -> tuple[Claim, ...]:
    """What a call whose answer got lost was lent."""
    found = connection.execute(_OF_SERIES, {"owner": owner.id, "series": series}).all()
    earlier = _earlier(connection, [row.trial_id for row in found], before={row.trial_id: row.number for row in found})
    return tuple(
        Claim(
            round=name,
            spec=spec_of(row),
            trial_key=row.trial_id,
            attempt=row.number,
            attempt_key=row.attempt_id,
            token=row.token,
            **_history(earlier, row.trial_id),
        )
        for row in found
    )


def _ended_as(connection: Connection, held_claim: Claim) -> str | None:
    reason: str | None = connection.execute(_ENDED_AS, {"attempt": held_claim.attempt_key}).scalar()
    return reason


def _history(earlier: Mapping[int, Mapping[str, int]], trial_key: int) -> dict[str, int]:
    return {name: earlier[trial_key][name] if trial_key in earlier else 0 for name in _HISTORY}


def _earlier(
    connection: Connection, trial_keys: Sequence[int], before: Mapping[int, int] | None = None
) -> dict[int, dict[str, int]]:
    """What is known of the earlier attempts at each trial that had any; of those ``before`` a number if given."""
    found: dict[int, dict[str, int]] = {}
    for trial, number, reason, start in connection.execute(_EARLIER, {"trials": trial_keys}):
        if before is not None and number >= before[trial]:
            continue
        known = found.setdefault(trial, {"number": 0, "mishaps": 0, "losses": 0, "lost_from": 0})
        known["number"] = number
        known["mishaps"] += reason in MISHAPS
        start_step = start or 0
        goes_on = reason == "lost" and known["losses"] > 0 and start_step == known["lost_from"]
        known["losses"] = known["losses"] + 1 if goes_on else int(reason == "lost")
        known["lost_from"] = start_step
    return found


def _loan(attempt: Mapping[str, Any], owner: Owner, until: float) -> dict[str, Any]:
    return {
        "trial": attempt["trial_key"],
        "attempt": attempt["attempt_key"],
        "proof": attempt["token"],
        "owner": owner.id,
        "until": until,
    }


def _give_back(connection: Connection, trial_keys: Sequence[int]) -> None:
    nothing = {"attempt": None, "proof": None, "owner": None, "until": None}
    if trial_keys:
        connection.execute(_LEND, [{"trial": key, **nothing} for key in trial_keys])


def _add_owner(connection: Connection, owner: Owner) -> None:
    row = {"id": owner.id, "host": owner.host, "pid": owner.pid, "started": seconds_of(owner.started)}
    connection.execute(_ADD_OWNER, row)


def _lease(row: Record) -> Lease:
    owner = Owner(id=row.owner, host=row.host, pid=row.pid, started=time_of(row.started))
    return Lease(trial=row.name, attempt_key=row.attempt_id, owner=owner, expires_at=time_of(row.expires_at))


def _lost(held_claim: Claim) -> LeaseLost:
    return LeaseLost(f"attempt {held_claim.attempt} of trial {held_claim.spec.id} no longer holds its lease")
