"""clipping: a threshold for gradient norms from the norms themselves, and whether it helps (I3).

States: the sweep of stability without clipping; whole runs at the rates that failed, clipped at the 90th
percentile of the unclipped norms; where those still fail, half of the threshold, and half again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from tunebook.core.config import Config, Value
from tunebook.core.finding import Finding
from tunebook.core.round import Round
from tunebook.errors import InputError
from tunebook.evidence import Evidence, FloatArray
from tunebook.plan.names import Kind
from tunebook.procedures import clipping_words, stability_words
from tunebook.procedures.losses import course
from tunebook.procedures.procedure import Conclusion, Procedure, Run, Seen, carry_out, latest
from tunebook.procedures.single import base_config, check_positive, one_of_kind, required, varied_round, with_fixed
from tunebook.procedures.stability import Stability
from tunebook.procedures.sweep import RATES, TWICE, Sweep, Verdict

CLIP, NORM = "clip_norm", "grad_norm"
#: A threshold that no gradient reaches: the same as not to clip, for training code without a word for that.
OFF = 1e30
#: Bins of the histogram of norms.
N_BINS = 40
#: I3: start from this percentile of the unclipped norms.
PERCENTILE = 90.0
#: I3: more than this share of the steps clipped is extremely aggressive.
AGGRESSIVE = 0.5
#: Norms of the start of a run are left out: they say little about the rest of it (methods 8).
START_SHARE = 0.1
#: Fewer norms than this place their 90th percentile badly (its rank varies by 3 points either way).
MIN_NORMS = 100
#: How often the threshold is halved before clipping is given up.
HALVINGS = 3
SEEDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Clipped:
    """Whole runs at one rate and threshold: shares of unstable runs and of clipped steps, the median key."""

    rate: float
    threshold: float
    unstable: float
    share: float
    key: float


@dataclass(frozen=True, kw_only=True)
class Clipping(Procedure):
    """The training code clips at ``clip_norm`` and logs the unclipped norm as ``grad_norm`` at every step, as
    ``tunebook.kit.GradientClipper`` does. ``threshold`` replaces the percentile to start from.
    """

    name: ClassVar[str] = "clipping"

    design: Round
    config: Mapping[str, Value] = field(default_factory=dict)
    hyperparameter: str | None = None
    clip_name: str = CLIP
    low: float | None = None
    high: float | None = None
    rates: int = RATES
    threshold: float | None = None
    seeds: int = SEEDS
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive(seeds=self.seeds, threshold=1.0 if self.threshold is None else self.threshold)
        required(self._base, self.clip_name, clipping_words.HOW_TO_CLIP)

    @property
    def outlook(self) -> str:
        return (
            f"{self._stability.outlook}, all without clipping. If it is unstable: whole runs at the best, twice the "
            f"best and the unstable rate, clipped, {self.seeds} seeds, with up to {HALVINGS + 1} thresholds"
        )

    def next_round(self, seen: Seen) -> Round | None:
        planned = self._stability.next_round(seen)
        if planned is not None:
            return planned
        if not self._is_unstable(seen):
            return None
        sweep = self._stability.sweep.read(seen)
        for threshold in self._thresholds(seen, sweep):
            for number in range(self.seeds):
                wanted = self._clipped_round(sweep, threshold, number)
                if latest(seen, wanted.name) is None:
                    return wanted
            if self._is_mended(self._read(seen, sweep, threshold), sweep):
                return None
        return None

    def conclude(self, seen: Seen) -> Conclusion:
        if not self._is_unstable(seen):
            return replace(self._stability.conclude(seen), procedure=self.name)
        sweep = self._stability.sweep.read(seen)
        first, *_ = thresholds = self._thresholds(seen, sweep)
        tried = [runs for threshold in thresholds if (runs := self._read(seen, sweep, threshold))]
        mended = next((runs for runs in tried if self._is_mended(runs, sweep)), None)
        chosen = _chosen(mended or tried[-1])
        is_aggressive = chosen.share > AGGRESSIVE
        design = self._applied(chosen) if mended and not is_aggressive else None
        return Conclusion(
            procedure=self.name,
            answer="clipping" if design else "clipping does not mend it",
            findings=tuple(self._findings(sweep, tried, chosen, is_mended=mended is not None)),
            design=design,
            changes=(f"{self.clip_name} = {chosen.threshold:.4g}, fixed",) if design else (),
            numbers=sweep.to_mapping()
            | {
                "percentile": PERCENTILE,
                "first_threshold": first,
                "threshold": chosen.threshold if design else None,
                "clipped_share": chosen.share,
                "norms": norm_histogram(self._norms(seen, sweep)),
                "runs": [
                    {
                        "rate": one.rate,
                        "threshold": one.threshold,
                        "unstable": one.unstable,
                        "clipped_share": one.share,
                        "key": one.key,
                    }
                    for runs in tried
                    for one in runs
                ],
            },
        )

    # -- inside ------------------------------------------------------------------------------

    @cached_property
    def _base(self) -> Config:
        base = base_config(self.design, self.config)
        return base.merged({self.clip_name: OFF}) if self.clip_name in base else base

    @cached_property
    def _rate(self) -> str:
        return one_of_kind(self.design, self._base, Kind.LEARNING_RATE, self.hyperparameter)

    @cached_property
    def _stability(self) -> Stability:
        return Stability(
            design=replace(self.design, name=f"{self.design.name}-{self.name}" if self.design.name else self.name),
            config=self._base,
            hyperparameter=self._rate,
            low=self.low,
            high=self.high,
            rates=self.rates,
            seed=self.seed,
        )

    def _is_unstable(self, seen: Seen) -> bool:
        return self._stability.conclude(seen).answer == Verdict.UNSTABLE

    def _thresholds(self, seen: Seen, sweep: Sweep) -> list[float]:
        first = self.threshold if self.threshold is not None else self._percentile(self._norms(seen, sweep))
        return [float(f"{first / 2**number:.4g}") for number in range(HALVINGS + 1)]

    def _norms(self, seen: Seen, sweep: Sweep) -> FloatArray:
        """The norms at the best rate, without the start of the runs."""
        return np.concatenate(
            [
                norms_after_start(evidence, number)
                for evidence in self._stability.sweep.evidence(seen)
                for number, trial in enumerate(evidence.trials)
                if trial.config[self._rate] == sweep.best_rate
            ]
        )

    def _percentile(self, norms: FloatArray) -> float:
        if len(norms) < MIN_NORMS:
            raise InputError(
                f"the runs at the best learning rate logged {len(norms)} finite {NORM} after their start, and "
                f"{MIN_NORMS} are needed: {clipping_words.HOW_TO_LOG}"
            )
        return float(np.percentile(norms, PERCENTILE))

    def _clipped_round(self, sweep: Sweep, threshold: float, number: int) -> Round:
        rates = sorted({sweep.best_rate, TWICE * sweep.best_rate, sweep.unstable_rate or TWICE * sweep.best_rate})
        return varied_round(
            self._stability.design,
            suffix=f"at-{threshold:g}" + (f"-{number + 1}" if number else ""),
            goal=f"Which learning rates survive with gradients clipped at {threshold:g}?",
            config=self._base.merged({self.clip_name: threshold}),
            name=self._rate,
            values=rates,
            seed=self.seed + number,
        )

    def _read(self, seen: Seen, sweep: Sweep, threshold: float) -> tuple[Clipped, ...]:
        names = [self._clipped_round(sweep, threshold, number).name for number in range(self.seeds)]
        rounds = [evidence for name in names if (evidence := latest(seen, name)) is not None]
        rates = sorted({float(trial.config[self._rate]) for evidence in rounds for trial in evidence.trials})
        return tuple(self._at_rate(rounds, sweep, threshold, rate) for rate in rates)

    def _at_rate(self, rounds: list[Evidence], sweep: Sweep, threshold: float, rate: float) -> Clipped:
        runs = [
            (evidence, number)
            for evidence in rounds
            for number, trial in enumerate(evidence.trials)
            if trial.config[self._rate] == rate
        ]
        norms = [norms_after_start(evidence, number) for evidence, number in runs]
        keys = [evidence.round.objective.sign * evidence.scores().values[number] for evidence, number in runs]
        finite = [float(key) for key in keys if np.isfinite(key)]
        return Clipped(
            rate=rate,
            threshold=threshold,
            unstable=float(np.mean([course(one, number, sweep.loss, sweep.gain).is_unstable for one, number in runs])),
            share=float(np.mean(np.concatenate(norms) > threshold)) if sum(map(len, norms)) else 0.0,
            key=float(np.median(finite)) if finite else float("nan"),
        )

    def _is_mended(self, runs: tuple[Clipped, ...], sweep: Sweep) -> bool:
        """Whether every run at the rate that failed, and below it, now survives."""
        limit = sweep.unstable_rate or TWICE * sweep.best_rate
        return bool(runs) and all(one.unstable == 0.0 for one in runs if one.rate <= limit)

    def _findings(
        self, sweep: Sweep, tried: list[tuple[Clipped, ...]], chosen: Clipped, *, is_mended: bool
    ) -> Iterator[Finding]:
        yield stability_words.unstable(self._rate, sweep, 0, 0)
        sign = self.design.objective.sign
        before = sign * float(np.nanmin(sweep.keys))
        if chosen.share > AGGRESSIVE:
            yield clipping_words.aggressive(self.clip_name, chosen.threshold, chosen.share, is_mended=is_mended)
        elif is_mended:
            yield clipping_words.mended(self.clip_name, chosen, sign * chosen.key, before, self.design.objective.metric)
        else:
            yield clipping_words.not_mended([runs[0].threshold for runs in tried], sweep.unstable_rate or 0.0)

    def _applied(self, chosen: Clipped) -> Round:
        because = f"clips {chosen.share:.0%} of the steps at a learning rate of {chosen.rate:.3g}"
        return with_fixed(self.design, self.clip_name, chosen.threshold, because)


def run_clipping(run: Run, design: Round, **options: object) -> Conclusion:
    """Look for a clipping threshold with ``run``; options are the fields of ``Clipping``."""
    return carry_out(Clipping(design=design, **options), run)  # type: ignore[arg-type]


def norms_after_start(evidence: Evidence, trial: int) -> FloatArray:
    """The finite gradient norms of a trial, without the first tenth of its steps."""
    curves = evidence.curves.get(NORM)
    if curves is None:
        return np.zeros(0)
    steps, values = curves[trial]
    return values[(steps >= START_SHARE * evidence.round.max_train_steps) & np.isfinite(values)]


def norm_histogram(norms: FloatArray) -> dict[str, FloatArray]:
    """How many of ``norms`` lie between edges that are evenly apart on a log scale; empty without a norm above 0."""
    positive = norms[norms > 0]
    if not len(positive):
        return {"edges": np.zeros(0), "counts": np.zeros(0)}
    counts, edges = np.histogram(np.log10(positive), bins=N_BINS)
    return {"edges": 10.0**edges, "counts": counts}


def _chosen(runs: tuple[Clipped, ...]) -> Clipped:
    """The best of the runs at one threshold; the last rate where none has an objective."""
    finite = [one for one in runs if np.isfinite(one.key)]
    return min(finite, key=lambda one: one.key) if finite else runs[-1]
