"""Infeasible trials drawn again, so that every study has the same number of feasible ones (S5, methods 2).

The fastest of a hundred trials that train and the fastest of sixty are not to be compared. What is drawn again is the
continuation of each study's own sequence, as a round of its own that runs nothing twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy.typing as npt

from tunebook.core.config import Config
from tunebook.core.outcome import Status
from tunebook.core.round import Round
from tunebook.core.search import Search
from tunebook.evidence import Curves, Evidence
from tunebook.plan.trials import plan_trials, studies_of

#: A study is drawn from this many times as often as asked at most. Where fewer than one trial in four trains, the
#: range is wrong, and it takes a narrower one rather than more luck.
MOST_DRAWS = 4
#: Sequences that can be continued; a list is what a person wrote and a grid is what it is.
CONTINUED = frozenset({"halton", "random"})


def drawn_again(design: Round, seen: Evidence, number: int) -> Round | None:
    """The round that draws what is missing in the studies of ``seen``, the trials of ``design`` so far.

    ``number`` counts the times from 0. None when every study has ``search.trials`` feasible trials, or was drawn from
    ``MOST_DRAWS`` times as often.
    """
    if design.search.algorithm not in CONTINUED:
        return None
    wanted = {study.name: _n_more(design.search.trials, seen, study.name) for study in studies_of(design)}
    drawn = {name: int(seen.mask(study=name).sum()) for name in wanted}
    longest = max(drawn[name] + more for name, more in wanted.items())
    if not any(wanted.values()):
        return None
    planned = plan_trials(replace(design, search=replace(design.search, trials=longest)))
    fixed = {item.name for item in design.fixed}
    listed = [
        Config({name: value for name, value in spec.config.items() if name not in fixed})
        for name, more in wanted.items()
        for spec in [spec for spec in planned if spec.study == name][drawn[name] : drawn[name] + more]
    ]
    if not listed:  # the space holds no more different configurations
        return None
    return replace(
        design,
        search=Search(algorithm="list", seed=design.search.seed, configurations=tuple(listed)),
        name=again_name(design, number),
    )


def again_name(design: Round, number: int) -> str:
    """The name of the round that draws for the ``number``-th time, from 0."""
    return f"{design.name}-again" + (f"-{number + 1}" if number else "")


def pooled(design: Round, rounds: Sequence[Evidence]) -> Evidence:
    """The trials of several rounds as those of one, of ``design``, in the order of the rounds."""
    metrics = sorted({metric for evidence in rounds for metric in evidence.curves})
    return Evidence(
        name=design.name,
        round=design,
        studies=studies_of(design),
        trials=tuple(trial for evidence in rounds for trial in evidence.trials),
        curves={metric: Curves.pack([part for one in rounds for part in _parts(one, metric)]) for metric in metrics},
    )


def _n_more(wanted: int, seen: Evidence, study: str) -> int:
    """How many to draw so that as many as are missing will train, at the rate at which they trained so far."""
    n_drawn = int(seen.mask(study=study).sum())
    n_feasible = int(seen.mask(Status.COMPLETE, study=study).sum())
    share = max(n_feasible / max(n_drawn, 1), 1 / MOST_DRAWS)
    return max(0, min(math.ceil((wanted - n_feasible) / share), MOST_DRAWS * wanted - n_drawn))


def _parts(evidence: Evidence, metric: str) -> list[tuple[npt.ArrayLike, npt.ArrayLike]]:
    curves = evidence.curves.get(metric)
    return [((), ()) if curves is None else curves[number] for number in range(len(evidence.trials))]
