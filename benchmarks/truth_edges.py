"""Whether a search says that the best lies beyond its space, when it does and only then (X1, L2).

Every problem of ``exploit_problems`` is searched twice by default settings: as it is, with the optimum inside,
and with the learning rate's range ending 12 % of it before the optimum that the first search found. The naive rule
beside it: the candidate lies in the last 2 % of the range. ``python benchmarks/truth_edges.py [--seeds 0,1,2]``;
instances with seeds from 100 on were used for development.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np
from exploit_problems import KINDS, Problem, problem
from truth_exploit import N_FIRST, N_TRIALS, observed, searched

from tunebook.core.hyperparameter import Hyperparameter, Range
from tunebook.core.round import Round
from tunebook.exploit.outlook import AT_THE_END, Outlook, outlook
from tunebook.exploit.subspace import Subspace
from tunebook.plan.cube import from_unit, to_unit

RATE = "learning_rate"
#: How far before the optimum the cut range ends, as a share of the whole one.
BEFORE = 0.12


@dataclass(frozen=True)
class Searched:
    """What ``searched`` sees of a problem."""

    design: Round


def looked(p: Problem, design: Round, seed: int) -> Outlook:
    """The outlook after a whole search of ``design``, which is a part of the problem's space."""
    rng = np.random.default_rng([seed, 11])
    _, told, _ = searched("tunebook", Searched(design), seed, lambda config: p.run(config, rng), N_TRIALS)
    found = outlook(Subspace.of(design), observed(told), N_FIRST, sign=1, material=None, seed=seed)
    assert found is not None
    return found


def place(item: Hyperparameter, found: Outlook) -> float:
    """Where the candidate lies in a range, from 0 to 1."""
    return float(to_unit(item.domain, [found.candidate[item.name]])[0])


def cut(design: Round, found: Outlook) -> Round:
    """The design with the learning rate's range ending before the candidate, on the side with more room."""
    item = next(item for item in design.searched if item.name == RATE)
    assert isinstance(item.domain, Range)
    at = place(item, found)
    name, end = ("high", at - BEFORE) if at > 0.5 else ("low", at + BEFORE)
    value = float(from_unit(item.domain, np.array([end]))[0])
    narrower = replace(item, domain=replace(item.domain, **{name: value}))
    return replace(design, nuisance=tuple(narrower if one is item else one for one in design.nuisance))


def is_named(found: Outlook) -> bool:
    """Whether the outlook names an end of the learning rate."""
    return any(edge.label == RATE for edge in found.edges)


def is_near_an_end(design: Round, found: Outlook) -> bool:
    """The naive rule, for the learning rate."""
    item = next(item for item in design.searched if item.name == RATE)
    return not AT_THE_END < place(item, found) < 1.0 - AT_THE_END


def main() -> None:
    """Print what was found, problem by problem, and the sums."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="0,1,2")
    wanted = [int(seed) for seed in parser.parse_args().seeds.split(",")]
    rows = []
    for kind in KINDS:
        for seed in wanted:
            p = problem(kind, seed)
            whole = looked(p, p.design, seed)
            narrow = cut(p.design, whole)
            less = looked(p, narrow, seed)
            row = {
                "lost": p.regret(less.candidate) - p.regret(whole.candidate),
                "false": bool(whole.edges),
                "true": is_named(less),
                "naive_false": is_near_an_end(p.design, whole),
                "naive_true": is_near_an_end(narrow, less),
            }
            rows.append(row)
            print(kind, seed, row, flush=True)
    lost = [row for row in rows if row["lost"] > 0]
    print(f"{len(rows)} searches with the optimum inside: named in {sum(row['false'] for row in rows)}, "
          f"naive rule {sum(row['naive_false'] for row in rows)}")  # fmt: skip
    print(f"{len(lost)} whose optimum was cut away: named in {sum(row['true'] for row in lost)}, "
          f"naive rule {sum(row['naive_true'] for row in lost)}")  # fmt: skip
    print(f"{len(rows) - len(lost)} that found as good a configuration elsewhere: named in "
          f"{sum(row['true'] for row in rows if row not in lost)}")  # fmt: skip


if __name__ == "__main__":
    main()
