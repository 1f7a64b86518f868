"""The sentences of a verdict, each with the numbers it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunebook.core.config import Config, spelled
from tunebook.core.objective import Objective
from tunebook.core.verdict import Complexity, Contender, RestsOn
from tunebook.decide.arms import Arm, Choice
from tunebook.stats.posterior import MAX_SEEDS, Posterior, TrialVariance

ASKED = {
    Complexity.NONE: "for a change that adds no complexity",
    Complexity.SOME: "for a change that adds complexity",
    Complexity.MUCH: "for a change that adds much complexity",
}


class Reasons:
    """Collects the sentences of ``because`` in the order they are said."""

    def __init__(self, objective: Objective, round_name: str) -> None:
        self._objective = objective
        self._round = round_name
        self._said: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return iter(self._said)

    def no_comparison(self, best: Contender | None) -> None:
        """There are not two configurations to compare; ``best`` is the only one where a baseline lacks."""
        if best is None:
            self._said.append("no configuration other than the baseline's could be trained in this round")
            return
        self._said.append(
            "no launch is in force and the round has one setting only, so there is no baseline to compare with"
        )
        self._said.append(self._told(best))
        first = "" if best.repeats else f"see whether that holds with `tunebook repeat {self._round}`, then "
        self._said.append(f'{first}adopt it as the first launch with --adopt --note "why"')

    def _told(self, one: Contender) -> str:
        """What the search and the repeats said of one configuration."""
        metric = self._objective.metric
        found = one.trial if one.searched is None else f"{one.trial} reached {metric} {one.searched:.4g} in the search"
        if not one.values:
            return f"{found}, once; how much of that is luck nothing tells"
        low, high = min(one.values), max(one.values)
        n_fresh = len(one.values)
        runs = f"{n_fresh} runs with fresh seeds average" if n_fresh > 1 else "one run with a fresh seed gave"
        spread = f" ({low:.4g} to {high:.4g})" if n_fresh > 1 else ""
        return f"{found}; {runs} {sum(one.values) / len(one.values):.4g}{spread}"

    def stands_in(self, trial: str, round_name: str) -> None:
        """The baseline is no launch."""
        self._said.append(
            f"no launch is in force, so the baseline is {trial}, the best of {round_name}, from which this "
            "search started"
        )

    def not_borne_out(self, found: tuple[Contender, float] | None) -> None:
        """Repeats that are no better than a typical trial: what the search found was luck."""
        if found is None:
            return
        best, typical = found
        self._said.append(
            f"the repeats do not bear the search out: {self._told(best)}, no better than half of the trials "
            f"({typical:.4g}); repeat the next best ones, each with `tunebook repeat {self._round} --trial ID`"
        )

    def crowded(self, seeds: int) -> None:
        """The candidate of a search that learns, which ran once."""
        self._said.append(
            "it ran once, and trials of a search that learns crowd where it hopes, so they do not tell how lucky the "
            f"best of them was: run `tunebook repeat {self._round}` with {seeds} seeds first"
        )

    def passed_over(self, arms: Sequence[Arm]) -> None:
        """Configurations that fail too often to be candidates."""
        for arm in arms:
            failed = arm.infeasible + arm.first_infeasible
            self._said.append(f"{arm.trial} is passed over: {failed} of its {arm.n_runs} runs were infeasible")

    def no_variance(self, baseline: Choice, candidate: Choice, *, is_deterministic: bool, seeds: int) -> None:
        """Nothing tells how much runs of one configuration differ."""
        if is_deterministic:
            self._said.append(
                "all repeats of a configuration ended with exactly the same value: training seems to ignore its seed, "
                "so how much runs differ is unknown; use trial.seed for initialisation and data order"
            )
            return
        sides = (("baseline", baseline), ("candidate", candidate))
        missing = [name for name, choice in sides if not choice.values]
        lacking = f"the {' and the '.join(missing)} {'have' if len(missing) > 1 else 'has'}"
        self._said.append(
            (f"{lacking} no repeats with fresh seeds" if missing else "no configuration ran more than once")
            + f", and one lucky run proves nothing: run `tunebook repeat` with {seeds} seeds first"
        )

    def probability(
        self,
        candidate: Choice,
        posterior: Posterior,
        threshold: float,
        complexity: Complexity,
        rests_on: RestsOn,
        spread: float,
        variance: TrialVariance,
    ) -> None:
        """The answer to the first question, and where its variance comes from."""
        low, high = posterior.interval()
        found = posterior.above(0.0)
        against = "reaches" if found >= threshold else "is below"
        name = candidate.arm.trial
        self._said.append(
            f"the probability that {name} is better than the baseline is {found:.3f}, which {against} the "
            f"{threshold:g} asked {ASKED[complexity]}; improvement of {self._objective.metric} {posterior.mean:.3g} "
            f"(95 % interval {low:.3g} to {high:.3g})"
        )
        self._said.append(
            f"trial standard deviation of the two {spread:.3g}, on {variance.pooled.degrees} degrees of freedom of all "
            "repeats that are known, from "
            + ("repeats; the run that won the search is left out" if rests_on is RestsOn.REPEATS else _EARLIER)
        )
        if candidate.luck > 0.0:
            self._said.append(
                f"the candidate was chosen among {candidate.n_others + 1} configurations by the same repeats: "
                f"{candidate.luck:.3g} is taken off its mean as the expected luck of that choice"
            )

    def means(self, baseline: float, candidate: float) -> None:
        """The means of both, from which the improvement can be worked out, and why it is another one."""
        sign = self._objective.sign
        self._said.append(
            f"the means are {sign * baseline:.4g} and {sign * candidate:.4g}; the improvement is their difference "
            "pulled towards 0 as far as the runs leave it open, because most differences are small"
        )

    def infeasible(self, n_infeasible: int, n_runs: int, n_baseline: int) -> None:
        """The candidate could not always be trained."""
        self._said.append(
            f"{n_infeasible} of the {n_runs} repeats of the candidate were infeasible ({n_baseline} of the baseline): "
            "the numbers are of the runs that trained, and a configuration that fails like this is not adopted on them"
        )

    def immaterial(self, high: float, material: float) -> None:
        """Even the optimistic end does not matter."""
        self._said.append(f"even the upper end of the interval, {high:.3g}, is less than the {material:g} that matters")

    def worse(self, probability: float) -> None:
        """The candidate probably is not better."""
        self._said.append(f"the baseline is the better one with probability {1.0 - probability:.3f}")

    def hardly_material(self, probability: float, material: float, *, stated: bool) -> None:
        """An improvement that matters is ruled out."""
        self._said.append(
            f"an improvement of {material:.3g} ({_unit(stated)}) or more has a probability of {probability:.3f} only"
        )

    def costs_more(self, estimate: float, material: float, *, stated: bool) -> None:
        """Better, but not by what much complexity asks for."""
        self._said.append(
            f"a change that adds much complexity has to improve by {material:.3g} ({_unit(stated)}) at least, "
            f"not by {estimate:.3g}"
        )

    def more_seeds(self, seeds: int, estimate: float) -> None:
        """What would settle it."""
        self._said.append(
            f"about {seeds} more seed{'s' * (seeds > 1)} of both settle it at even odds, if the true difference is the "
            f"{abs(estimate):.3g} expected now"
            if seeds < MAX_SEEDS
            else f"not even {MAX_SEEDS} more seeds would settle it: for practical purposes the two are equal"
        )

    def nothing_feasible(self, settings: Sequence[Config]) -> None:
        """Settings without a single trial that trained."""
        for setting in settings:
            self._said.append(f"no trial of {spelled_setting(setting)} could be trained, so it is not compared")

    def too_few_trials(self, needed: int, settings: Sequence[Config]) -> None:
        """The second question stays open."""
        if settings:
            self._said.append(
                f"the settings are not compared: no study has {needed} feasible trials, which is the least that shows "
                "how much searching again would change"
            )

    def settings_rest_on(self, n_compared: int, n_replicas: int, *, has_repeats: bool) -> None:
        """What the comparison of settings takes into account."""
        source = (
            f"seen between {n_replicas + 1} searches with different seeds and within each"
            if n_replicas
            else "how the best configuration found changes between halves of each study"
        )
        pulled = "; without repeats the winning values are pulled back for their luck, as far as known"
        several = f"; intervals and probabilities are corrected for {n_compared} comparisons"
        self._said.append(
            f"the comparison of settings adds study variance: {source}"
            + ("" if has_repeats else pulled)
            + (several if n_compared > 1 else "")
        )


_EARLIER = (
    "an earlier estimate; where there are no repeats, the value that won the search is pulled back towards its study"
)


def _unit(stated: bool) -> str:
    return "the design's material difference" if stated else "one trial standard deviation"


def spelled_setting(setting: Config) -> str:
    """``use_dropout=true, optimizer=adam``, or ``the round`` for the empty setting."""
    return ", ".join(f"{name}={spelled(value)}" for name, value in setting.items()) or "the round"
