"""How often deciding is right: simulated rounds with known truth, and real logs with runs held back.

``python benchmarks/truth_decide.py [--worlds N] [--seed N] [--quick]`` prints the figures as a table with naive
rules beside them, and writes them as JSON with ``--json FILE``. Real logs are found by TUNEBOOK_DATA or in
``../shared/data``; without them their part is left out.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from decide_worlds import World, draw_world
from scipy.stats import norm, ttest_ind

from tunebook.core.config import Config
from tunebook.core.outcome import Cause, Status
from tunebook.core.round import Round
from tunebook.core.trial import Study, TrialPurpose
from tunebook.core.verdict import Ruling, Verdict
from tunebook.decide.verdict import decide
from tunebook.evidence import Curves, Evidence, TrialRecord

METRIC = "valid/loss"
N_REPEATS = 5
#: Probabilities of the naive rules are kept this far from 0 and 1, or a single error would be infinite.
CLIP = 1e-3
SIDES = ("a", "b")


# -- rounds ------------------------------------------------------------------------------------


def design(direction: str = "minimize") -> Round:
    """A round that compares two settings; nuisance values are only names here."""
    return Round(
        goal="Is b better than a?",
        question="compare",
        pipeline="train.py:train",
        max_train_steps=100,
        objective={"metric": METRIC, "direction": direction},
        scientific={"side": list(SIDES)},
        nuisance={"point": {"low": 0.0, "high": 1.0}},
    )


@dataclass
class Rows:
    """The runs of one round, as they are collected."""

    trials: list[TrialRecord] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, side: str, point: float, value: float, seed: int = 0, *, is_repeat: bool = False) -> None:
        """One run; a value that is not finite is an infeasible one."""
        feasible = bool(np.isfinite(value))
        self.trials.append(
            TrialRecord(
                name=f"{side}/{point:g}/{seed}",
                study=f"side={side}",
                config=Config({"side": side, "point": point}),
                seed=seed,
                status=Status.COMPLETE if feasible else Status.INFEASIBLE,
                purpose=TrialPurpose.REPEAT if is_repeat else TrialPurpose.SEARCH,
                cause=None if feasible else Cause.DIVERGED,
            )
        )
        self.values.append(value)

    def evidence(self, direction: str = "minimize") -> Evidence:
        """The snapshot."""
        curves = Curves.pack([([100], [value]) for value in self.values])
        studies = tuple(Study.of(Config({"side": side})) for side in SIDES)
        return Evidence(
            name="round", round=design(direction), studies=studies, trials=tuple(self.trials), curves={METRIC: curves}
        )


@dataclass(frozen=True)
class Played:
    """One simulated round: what was decided and what is true. Improvements are positive when b is better."""

    verdict: Verdict
    configuration: float
    setting: float
    optimum: float
    searched: tuple[np.ndarray, np.ndarray]
    repeats: tuple[np.ndarray, np.ndarray]


def play(world: World, rng: np.random.Generator, *, gap: float | None = None) -> Played | None:
    """Search both settings, repeat the winners, decide. ``gap`` sets the true difference of the winners instead.

    None when a setting has no feasible trial.
    """
    rows, found, searched, repeats = Rows(), [], [], []
    for which, side in enumerate(SIDES):
        truth, seen = world.search(rng, which, (world.n_trials,))
        if not np.isfinite(seen).any():
            return None
        best = int(seen.argmin())
        own = float(truth[best])
        if gap is not None:
            own = found[0] - gap if which else own
        floor = world.settings[which].floor if gap is None else own
        again = world.observe(rng, np.full(N_REPEATS, own), floor)
        for number, value in enumerate(seen):
            rows.add(side, number / world.n_trials, float(value))
        for seed, value in enumerate(again, start=1):
            rows.add(side, best / world.n_trials, float(value), seed, is_repeat=True)
        found.append(own)
        searched.append(seen)
        repeats.append(again)
    verdict = decide(rows.evidence())
    expected = [world.expected(rng, which)[0] for which in range(2)] if gap is None else [0.0, 0.0]
    return Played(
        verdict=verdict,
        configuration=found[0] - found[1],
        setting=expected[0] - expected[1],
        optimum=world.settings[0].floor - world.settings[1].floor,
        searched=(searched[0], searched[1]),
        repeats=(repeats[0], repeats[1]),
    )


# -- figures -----------------------------------------------------------------------------------


def naive(played: Played) -> dict[str, float]:
    """The probability that b is better under rules that people use."""
    a, b = played.repeats
    sd = float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2))
    best = float(played.searched[0].min() - played.searched[1].min())
    welch = ttest_ind(a, b, equal_var=False, alternative="greater").pvalue
    return {
        "best against best": float(norm.cdf(best / (np.sqrt(2.0) * sd))),
        "means of repeats": float(norm.cdf((a.mean() - b.mean()) / (sd * np.sqrt(2.0 / N_REPEATS)))),
        "welch": 1.0 - float(welch),
    }


def log_score(probability: np.ndarray, better: np.ndarray) -> float:
    """Mean log probability of what is true."""
    clipped = np.clip(probability, CLIP, 1.0 - CLIP)
    return float(np.log(np.where(better, clipped, 1.0 - clipped)).mean())


def brier(probability: np.ndarray, better: np.ndarray) -> float:
    """Mean squared error of the probability."""
    return float(((probability - better) ** 2).mean())


def simulated(n_worlds: int, seed: int) -> dict[str, Any]:
    """Both questions on drawn worlds."""
    rng = np.random.default_rng(seed)
    played = [result for _ in range(n_worlds) if (result := play(draw_world(rng), rng)) is not None]
    ours = np.array([result.verdict.configuration.probability for result in played])
    better = np.array([result.configuration > 0 for result in played])
    rules: dict[str, list[float]] = defaultdict(list)
    for result in played:
        for name, probability in naive(result).items():
            rules[name].append(probability)
    others = {name: np.array(values) for name, values in rules.items()}
    bin_ = (ours >= 0.8) & (ours < 0.9)
    improvements = [result.verdict.configuration.improvement for result in played]
    covered = [i.low <= r.configuration <= i.high for i, r in zip(improvements, played, strict=True)]
    return {
        "worlds": len(played),
        "configuration": {
            "brier": brier(ours, better),
            "brier of the naive rules": {name: brier(values, better) for name, values in others.items()},
            "better among 0.8-0.9": float(better[bin_].mean()),
            "said 0.8-0.9": int(bin_.sum()),
            "interval covers": float(np.mean(covered)),
            "brier by true difference in SD": by_difference(played, ours, better),
        },
        "setting": setting_figures(played, others),
    }


def by_difference(played: list[Played], ours: np.ndarray, better: np.ndarray) -> dict[str, float]:
    """The Brier score where the two configurations lie near each other and far apart."""
    apart = np.abs([result.configuration for result in played])
    bands = ((0.0, 1.0), (1.0, 2.0), (2.0, np.inf))
    inside = {f"{low:g} to {high:g}": (apart >= low) & (apart < high) for low, high in bands}
    return {band: brier(ours[mask], better[mask]) for band, mask in inside.items() if mask.any()}


def setting_figures(played: list[Played], others: dict[str, np.ndarray]) -> dict[str, Any]:
    """Log score and coverage of the second question; worlds whose settings are equal count for coverage only."""
    answered = np.array([bool(result.verdict.settings) for result in played])
    answers = [result.verdict.settings[0] for result in played if result.verdict.settings]
    known = [result for result in played if result.verdict.settings]
    truth = np.array([result.setting for result in known])
    optimum = np.array([result.optimum for result in known])
    lows, highs = (np.array([getattr(a.improvement, end) for a in answers]) for end in ("low", "high"))
    probability = np.array([answer.probability for answer in answers])
    apart = optimum != 0
    scores = {"tunebook": log_score(probability[apart], optimum[apart] > 0)}
    scores |= {name: log_score(values[answered][apart], optimum[apart] > 0) for name, values in others.items()}
    return {
        "log score": scores,
        "interval covers what is found on average": float(((lows <= truth) & (truth <= highs)).mean()),
        "interval covers the optimum": float(((lows <= optimum) & (optimum <= highs)).mean()),
        "answered": float(answered.mean()),
    }


def adopted(n_worlds: int, seed: int, gap: float) -> dict[str, float]:
    """How often the candidate is adopted when it truly is ``gap`` trial standard deviations better."""
    rng = np.random.default_rng(seed)
    played = [result for _ in range(n_worlds) if (result := play(draw_world(rng), rng, gap=gap)) is not None]
    return {
        "tunebook": float(np.mean([result.verdict.ruling is Ruling.ADOPT for result in played])),
        "welch at .05": float(np.mean([naive(result)["welch"] >= 0.95 for result in played])),
        "best against best": float(np.mean([r.searched[1].min() < r.searched[0].min() for r in played])),
        "higher mean of repeats": float(np.mean([r.repeats[1].mean() < r.repeats[0].mean() for r in played])),
        "worlds": len(played),
    }


def crossed(n_worlds: int, seed: int, gap: float, n_points: int = 5) -> float:
    """The same where every one of ``n_points`` configurations a setting ran with every seed, as imported logs
    hold them: the winner is chosen by the runs it is judged by. The two settings' configurations are equally
    good, but for ``gap``; half of them are near the best, the others far.
    """
    rng = np.random.default_rng(seed)
    n_adopted = 0
    for _ in range(n_worlds):
        truth = np.sort(np.where(rng.random(n_points) < 0.5, 0.5, 10.0) * rng.exponential(size=n_points))
        truth[0] = 0.0
        noise = str(rng.choice(("normal", "uneven", "heavy")))
        rows = Rows()
        for which, side in enumerate(SIDES):
            for point, value in enumerate(truth - which * gap):
                runs = _observed(rng, np.full(N_REPEATS, value), noise, -which * gap)
                for run, seen in enumerate(runs):
                    rows.add(side, point / n_points, float(seen), run)
        n_adopted += decide(rows.evidence()).ruling is Ruling.ADOPT
    return n_adopted / n_worlds


def _observed(rng: np.random.Generator, truth: np.ndarray, noise: str, floor: float) -> np.ndarray:
    if noise == "heavy":
        return truth + rng.standard_t(4, truth.shape) / np.sqrt(2.0)
    scale = 1.0 + np.minimum((truth - floor) / 5.0, 4.0) if noise == "uneven" else 1.0
    return truth + scale * rng.standard_normal(truth.shape)


# -- real logs ---------------------------------------------------------------------------------


def data_folder() -> Path | None:
    """Where the real logs are, if they are."""
    folder = Path(os.environ.get("TUNEBOOK_DATA", Path(__file__).parents[2] / "shared" / "data"))
    return folder if folder.is_dir() else None


def algoperf_cells(folder: Path) -> dict[str, dict[str, dict[int, list[float]]]]:
    """workload -> submission -> point -> best validation value of every study, lower better."""
    import pandas as pd

    table = pd.read_parquet(folder / "algoperf" / "parquet" / "trials.parquet")
    table = table[(table.release == "v05") & (table.ruleset == "external_tuning") & table.duplicate_of.isna()]
    cells: dict[str, dict[str, dict[int, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for row in table.sort_values("study").itertuples():
        sign = 1.0 if str(row.direction).startswith("min") else -1.0
        value = sign * row.best_val if row.status == "complete" else np.nan
        cells[row.workload][row.submission][int(row.trial)].append(value)
    full = {w: {s: c for s, c in of.items() if all(len(v) == 5 for v in c.values())} for w, of in cells.items()}
    return {workload: of for workload, of in full.items() if len(of) >= 2}


def pair_evidence(a: dict[int, list[float]], b: dict[int, list[float]], studies: list[int]) -> Evidence:
    """A round whose two settings are two submissions, each run in the given studies."""
    rows = Rows()
    for study in studies:
        for side, points in zip(SIDES, (a, b), strict=True):
            for point, values in points.items():
                rows.add(side, float(point), values[study], study)
    return rows.evidence()


def algoperf(folder: Path) -> dict[str, Any]:
    """Decide on three studies of a pair, check on the two left out: is what was adopted better there?"""
    counts: dict[str, list[bool]] = defaultdict(list)
    p_all, better_all, n_pairs = [], [], 0
    left_out = [(0, 1), (2, 3), (1, 4), (0, 3), (2, 4)]
    for of in algoperf_cells(folder).values():
        names = sorted(of)
        for a, b in ((x, y) for x in names for y in names if x != y):
            for held in left_out:
                studies = [study for study in range(5) if study not in held]
                evidence = pair_evidence(of[a], of[b], studies)
                if not np.isfinite(evidence.scores().values).any():
                    continue
                verdict = decide(evidence)
                gain = _held_back(verdict, of[a], of[b], held)
                if gain is None or verdict.configuration.probability is None:
                    continue
                n_pairs += 1
                counts[str(verdict.ruling)].append(gain > 0)
                p_all.append(verdict.configuration.probability)
                better_all.append(gain > 0)
    p, better = np.array(p_all), np.array(better_all)
    return {
        "decisions": n_pairs,
        **{f"{ruling}: n": len(hits) for ruling, hits in counts.items()},
        **{f"{ruling}: better on the two left out": float(np.mean(hits)) for ruling, hits in counts.items()},
        "brier against the two left out": brier(p, better),
        "sign agrees": float(((p > 0.5) == better).mean()),
    }


def _held_back(verdict: Verdict, a: dict[int, list[float]], b: dict[int, list[float]], held: Any) -> float | None:
    if verdict.baseline is None or verdict.candidate is None:
        return None
    means = []
    for contender, points in ((verdict.baseline, a), (verdict.candidate, b)):
        values = np.array([points[int(contender.config["point"])][study] for study in held])
        if not np.isfinite(values).all():
            return None
        means.append(values.mean())
    return float(means[0] - means[1])


def deberta_values(folder: Path, model: str) -> np.ndarray:
    """1 - best accuracy of every trial; NaN where it never beat guessing one of three classes by much."""
    path = folder / "opda" / "deberta" / f"{model}_tuning.results.jsonl"
    with path.open() as lines:
        curves = [json.loads(line)["learning_curves"]["matched"] for line in lines]
    return np.array([1.0 - max(value for _, value in curve) for curve in curves])


def deberta(folder: Path, n_replays: int, seed: int) -> dict[str, Any]:
    """Studies drawn from the pool of one model against another of it, and against the other model's."""
    pools = {model: deberta_values(folder, model) for model in ("deberta-base", "deberta-v3-base")}
    rng = np.random.default_rng(seed)
    figures: dict[str, Any] = {}
    for n in (10, 20, 50):
        same = [_replay(rng, pools["deberta-base"], pools["deberta-base"], n) for _ in range(n_replays)]
        other = [_replay(rng, pools["deberta-base"], pools["deberta-v3-base"], n) for _ in range(n_replays)]
        figures[f"{n} trials"] = {
            "A against A: adopted": float(np.mean([verdict.ruling is Ruling.ADOPT for verdict in same])),
            "A against A: setting said better": float(np.mean([v.settings[0].probability >= 0.95 for v in same])),
            "A against A: 0.1 point rule": float(np.mean([_best(v, 0.001) for v in same])),
            "A against B: setting said better": float(np.mean([v.settings[0].probability >= 0.95 for v in other])),
            "A against B: mean probability": float(np.mean([v.settings[0].probability for v in other])),
        }
    return figures


def _best(verdict: Verdict, margin: float) -> bool:
    return verdict.settings[0].improvement.estimate > margin


def _replay(rng: np.random.Generator, a: np.ndarray, b: np.ndarray, n: int) -> Verdict:
    rows = Rows()
    if a is b:
        drawn = rng.choice(len(a), 2 * n, replace=False)
        parts = a[drawn[:n]], a[drawn[n:]]
    else:
        parts = rng.choice(a, n, replace=False), rng.choice(b, n, replace=False)
    for side, values in zip(SIDES, parts, strict=True):
        for number, value in enumerate(values):
            rows.add(side, number / n, float(value))
    return decide(rows.evidence())


def figures(n_worlds: int, seed: int, *, has_real: bool = True) -> dict[str, Any]:
    """All figures."""
    found: dict[str, Any] = {
        "simulated rounds": simulated(n_worlds, seed),
        "adopted when equal": adopted(n_worlds, seed + 1, 0.0),
        "adopted when 2 SD better": adopted(max(n_worlds // 2, 50), seed + 2, 2.0),
        "every configuration repeated": {
            "adopted when equal": crossed(max(n_worlds // 3, 50), seed + 4, 0.0),
            "adopted when 2 SD better": crossed(max(n_worlds // 6, 50), seed + 5, 2.0),
        },
    }
    folder = data_folder()
    if folder is not None and has_real:
        found["AlgoPerf, decided on three studies of five"] = algoperf(folder)
        found["DeBERTa, one run a configuration"] = deberta(folder, max(n_worlds // 5, 50), seed + 3)
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="200 worlds")
    parser.add_argument("--no-real", action="store_true", help="simulated rounds only")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = figures(200 if options.quick else options.worlds, options.seed, has_real=not options.no_real)
    _show(found, 0)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def _show(found: dict[str, Any], depth: int) -> None:
    for name, value in found.items():
        if isinstance(value, dict):
            print(f"{'  ' * depth}{name}")
            _show(value, depth + 1)
        else:
            print(f"{'  ' * depth}{name:{max(56 - 2 * depth, 1)}} {value:.3f}" if isinstance(value, float) else
                  f"{'  ' * depth}{name:{max(56 - 2 * depth, 1)}} {value}")  # fmt: skip


if __name__ == "__main__":
    main()
