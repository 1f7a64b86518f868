"""How right the curve labels are: precision, recall and F1 on AlgoPerf trials labelled by eye, beside a naive rule.

    python benchmarks/truth_curves.py [--data DIR] [--errors]

``DIR`` holds ``algoperf/`` (logs, ``parquet/`` tables, ``labels_dev.csv``); by default ``TUNEBOOK_DATA`` or
``../shared/data`` beside the repository. The trials of ``HELD_OUT`` workloads were not looked at while the
rules were made; the first look, after that, gave a mean F1 of 0.88 on them (overfitting 0.50 with one true case
and two false alarms, loss_spike 0.77, still_improving 0.92, the others 1.00). The faults seen there were then
mended, so by now both parts are trials the rules were fitted to: new ones will do worse. Needs the extra ``frames``.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tunebook.bridges.algoperf_workloads import objective_of
from tunebook.core.config import Config
from tunebook.core.objective import Objective
from tunebook.core.outcome import Status
from tunebook.core.round import Round
from tunebook.core.trial import Study
from tunebook.evidence import Curves, Evidence, TrialRecord
from tunebook.learn.curve_diagnosis import GIVEN, diagnose
from tunebook.learn.curve_inputs import CurveReader, TrialCurves
from tunebook.learn.material import material
from tunebook.stats.curve_smooth import finite

JUDGED = (
    "diverged",
    "overfitting",
    "still_improving",
    "saturated_early",
    "late_variance",
    "loss_spike",
    "train_loss_rising",
)
TARGETS = {label: 0.70 if label in ("late_variance", "train_loss_rising") else 0.80 for label in JUDGED}
HELD_OUT = (
    "imagenet_resnet_large_bn_init",
    "criteo1tb_embed_init",
    "librispeech_conformer_layernorm",
    "wmt_glu_tanh",
    "fastmri_tanh",
    "finewebedu_lm",
)
Points = tuple[np.ndarray, np.ndarray]
Scores = dict[str, Mapping[str, float]]


class Tables:
    """The tables of the data set, and rounds made from them: one per submission and workload."""

    def __init__(self, folder: Path) -> None:
        self.labels = pd.read_csv(folder / "labels_dev.csv").set_index("trial_id")
        self.trials = pd.read_parquet(folder / "parquet/trials.parquet").set_index("trial_id")
        self.curves = self._read_curves(folder / "parquet")

    def _read_curves(self, folder: Path) -> dict[str, dict[str, Points]]:
        found: dict[str, dict[str, Points]] = defaultdict(dict)
        evals = pd.read_parquet(folder / "evals.parquet")
        for (trial, metric), group in evals.groupby(["trial_id", "metric"], observed=True):
            name = metric.replace("validation/", "valid/")
            found[trial][name] = (group.step.to_numpy(np.int64), group.value.to_numpy(float))
        for trial, group in pd.read_parquet(folder / "train.parquet").groupby("trial_id", observed=True):
            for column, name in (("loss", "train/batch_loss"), ("grad_norm", "grad_norm")):
                if group[column].notna().any():
                    found[trial][name] = (group.step.to_numpy(np.int64), group[column].to_numpy(float))
        return found

    def rounds(self, is_single: bool = False) -> list[list[str]]:
        """Ids of the trials that are judged together; alone with ``is_single``."""
        groups: dict[object, list[str]] = defaultdict(list)
        for trial in self.curves:
            place = (re.sub(r"/study_\d+/.*", "", trial), self.trials.workload[trial])
            groups[trial if is_single else place].append(trial)
        return [ids for ids in groups.values() if any(trial in self.labels.index for trial in ids)]

    def evidence(self, ids: Sequence[str], is_stated: bool) -> Evidence:
        """A round of these trials, with the benchmark's material unit and chance level, or without."""
        first = self.trials.loc[ids[0]]
        objective = objective_of(first.workload, {"workload.target_metric_name": first.target_metric}, ())
        assert objective is not None
        if not is_stated:
            objective = Objective(metric=objective.metric, direction=objective.direction)
        design = Round(goal="-", question="understand", pipeline="a.py:b", max_train_steps=1, objective=objective)
        metrics = sorted({metric for trial in ids for metric in self.curves[trial]})
        empty = (np.empty(0), np.empty(0))
        return Evidence(
            name="-",
            round=design,
            studies=(Study("all"),),
            trials=tuple(self._record(trial) for trial in ids),
            curves={m: Curves.pack([self.curves[trial].get(m, empty) for trial in ids]) for m in metrics},
        )

    def _record(self, trial: str) -> TrialRecord:
        row = self.trials.loc[trial]
        point = Config({"point": int(row.trial)})
        return TrialRecord(name=trial, study="all", config=point, seed=int(row.study), status=Status.COMPLETE)


def tunebook_scores(tables: Tables, is_stated: bool = True, is_single: bool = False) -> Scores:
    """The product's scores of every labelled trial."""
    found: Scores = {}
    for ids in tables.rounds(is_single):
        for diagnosis in diagnose(tables.evidence(ids, is_stated)):
            found[diagnosis.trial] = diagnosis.scores
    return found


def naive_scores(tables: Tables) -> Scores:
    """What a first attempt would write: end points, extremes and thresholds, without smoothing."""
    found: Scores = {}
    for ids in tables.rounds():
        evidence = tables.evidence(ids, True)
        objective = evidence.round.objective
        reader = CurveReader(evidence, objective)
        unit, chance = material(evidence).unit, objective.sign * (objective.chance or np.inf)
        for position, trial in enumerate(ids):
            found[trial] = naive(reader[position], unit, chance)
    return found


def naive(curves: TrialCurves, unit: float, chance: float) -> dict[str, float]:
    """One trial by the naive rules, as scores of 0 and 1."""
    x, y = finite(*curves.primary)
    if len(y) < 2:
        return {label: float(label == "diverged") for label in JUDGED}
    loss_x, loss = finite(*(curves.training[0] if curves.training else (x, y)))
    late, best = y[x >= 0.75], int(np.argmin(y))
    steps = np.diff(loss)[loss_x[1:] >= 0.05]
    before = loss[:-1][loss_x[1:] >= 0.05]
    rules = {
        "diverged": y.min() >= chance or y[-1] >= chance or not np.isfinite(curves.primary[1][-1]),
        "overfitting": y[-1] - y.min() >= 2 * unit and x[best] < 0.9,
        "still_improving": np.interp(0.85, x, y) - y[-1] >= 2 * unit,
        "saturated_early": x[best] <= 0.5,
        "late_variance": len(late) > 1 and np.ptp(late) >= 2 * unit,
        "loss_spike": bool((steps >= 0.5 * np.abs(before)).any()),
        "train_loss_rising": loss[-1] >= 1.1 * loss.min(),
    }
    return {label: float(holds) for label, holds in rules.items()}


def confusion(labels: pd.Series, scores: Scores, label: str) -> tuple[int, int, int, int]:
    """True positives, false positives, false negatives, true negatives over the cells that are not blank."""
    counts = [0, 0, 0, 0]
    for trial, truth in labels.dropna().items():
        said = scores[str(trial)][label] >= GIVEN
        counts[(0 if truth else 1) if said else (2 if truth else 3)] += 1
    return counts[0], counts[1], counts[2], counts[3]


def rates(counts: tuple[int, int, int, int]) -> tuple[float, float, float]:
    """Precision, recall, F1."""
    tp, fp, fn, _ = counts
    return tp / max(tp + fp, 1), tp / max(tp + fn, 1), 2 * tp / max(2 * tp + fp + fn, 1)


def print_table(name: str, labels: pd.DataFrame, scores: Scores, baseline: Scores) -> list[float]:
    """One row per label; returns the F1 values."""
    print(f"\n{name} ({len(labels)} trials)")
    print(f"{'label':20s} {'prec':>5s} {'rec':>5s} {'F1':>5s}   tp fp fn tn   naive F1  target")
    found = []
    for label in JUDGED:
        counts = confusion(labels[label], scores, label)
        precision, recall, f1 = rates(counts)
        naive_f1 = rates(confusion(labels[label], baseline, label))[2]
        cells = " ".join(f"{count:2d}" for count in counts)
        print(
            f"{label:20s} {precision:5.2f} {recall:5.2f} {f1:5.2f}   {cells}   {naive_f1:8.2f}  {TARGETS[label]:6.2f}"
        )
        found.append(f1)
    print(f"{'mean':20s} {'':5s} {'':5s} {np.mean(found):5.2f}{'':35s}{0.85:.2f}")
    return found


def print_calibration(labels: pd.DataFrame, scores: Scores) -> None:
    """Of the scores in a bin, how many cells hold; Brier score and its value for always saying the base rate."""
    said = np.array([scores[t][label] for label in JUDGED for t in labels[label].dropna().index])
    true = np.array([value for label in JUDGED for value in labels[label].dropna()])
    print("\ncalibration of the scores (all labels together)\nscore         cells  mean score  share that holds")
    for low in np.arange(0.0, 1.0, 0.2):
        inside = (said >= low) & ((said < low + 0.2) | (low > 0.7))
        if inside.any():
            numbers = f"{inside.sum():5d}  {said[inside].mean():10.2f}  {true[inside].mean():16.2f}"
            print(f"{low:.1f} to {low + 0.2:.1f}    {numbers}")
    print(f"Brier score {np.mean((said - true) ** 2):.3f}; of the base rate {true.var():.3f}")


def print_errors(labels: pd.DataFrame, scores: Scores) -> None:
    """Every cell that is wrong."""
    for label in JUDGED:
        for trial, truth in labels[label].dropna().items():
            score = scores[str(trial)][label]
            if (score >= GIVEN) != bool(truth):
                print(f"  {label}: is {truth:.0f}, score {score:.2f}: {trial}")


def timed(make: Callable[[], Scores]) -> Scores:
    """Call ``make`` and print its processor time."""
    start = time.process_time()
    scores = make()
    print(f"{len(scores)} trials diagnosed in {time.process_time() - start:.1f} s of processor time")
    return scores


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TUNEBOOK_DATA", beside)))
    parser.add_argument("--errors", action="store_true", help="list every wrong cell of the development trials")
    parser.add_argument("--development-only", action="store_true", help="leave the held-out trials unseen")
    options = parser.parse_args()
    tables = Tables(options.data / "algoperf")
    is_held_out = tables.trials.workload[tables.labels.index].isin(HELD_OUT).to_numpy()
    parts = {"development workloads": tables.labels[~is_held_out]}
    if not options.development_only:
        parts["held-out workloads"] = tables.labels[is_held_out]
    naive_found = naive_scores(tables)
    ways = {
        "material unit and chance stated by the design": timed(lambda: tunebook_scores(tables)),
        "nothing stated, all trials of a submission": timed(lambda: tunebook_scores(tables, is_stated=False)),
        "nothing stated, one trial alone": timed(lambda: tunebook_scores(tables, is_stated=False, is_single=True)),
    }
    for way, scores in ways.items():
        for part, labels in parts.items():
            print_table(f"{way}; {part}", labels, scores, naive_found)
        if options.errors:
            print_errors(parts["development workloads"], scores)
    for labels in parts.values():
        print_calibration(labels, ways["material unit and chance stated by the design"])


if __name__ == "__main__":
    main()
