"""Adopt or keep: the posterior of the improvement, a threshold, and what the change costs (D3, L9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tunebook.core.config import Config
from tunebook.core.objective import Objective
from tunebook.core.verdict import (
    Complexity,
    ConfigurationAnswer,
    Contender,
    Improvement,
    Ruling,
    SettingAnswer,
    Verdict,
)
from tunebook.decide.arms import Arm, Arms, Choice, choose, search_keys
from tunebook.decide.baseline import Baseline
from tunebook.decide.case import Case, case_of, comparable, replica, sides
from tunebook.decide.caveats import caveats_of, way_caveat
from tunebook.decide.words import Reasons
from tunebook.errors import InputError
from tunebook.evidence import Evidence
from tunebook.stats.posterior import (
    Posterior,
    difference,
    seeds_to_settle,
)
from tunebook.stats.selection import refuted
from tunebook.stats.setting import MIN_TRIALS, BestFound, averaged, best_found, gaps
from tunebook.stats.variance import Spread

#: What the probability of the configuration question must reach (contract, ``decide --json``).
THRESHOLDS = {Complexity.NONE: 0.75, Complexity.SOME: 0.95, Complexity.MUCH: 0.95}
#: The baseline stays when the candidate is that unlikely to be better by what matters.
NEGLIGIBLE = 0.05
#: Repeats that are asked for when there are none (D1).
FIRST_SEEDS = 5
#: Settings beyond this are too many for one corrected comparison to say anything.
MAX_SETTINGS = 40


def decide(
    evidence: Evidence,
    baseline: Baseline | None = None,
    *,
    complexity: str = "some",
    earlier: Spread | None = None,
    objective: Objective | None = None,
    threshold: float | None = None,
    replicas: Sequence[Evidence] = (),
    expected_best: Config | None = None,
) -> Verdict:
    """Answer both questions of a round and rule on its candidate.

    ``baseline``: the ledger's current launch; where there is none, the best trial of the first
    scientific setting. ``earlier``: the trial standard deviation from earlier rounds of the same
    pipeline (S7). ``threshold``: in place of that of ``complexity``. ``replicas``: the same round searched
    with other search seeds (``repeated_study``), which measures study variance (D2). ``expected_best``: the
    configuration that a model of the round names, which is the candidate until there are repeats.
    ``InputError``: nothing is complete, or the baseline was measured by another objective or for another
    number of steps and did not run in this round.
    """
    level = _read_complexity(complexity)
    wanted = THRESHOLDS[level] if threshold is None else _read_threshold(threshold)
    arms = Arms.of(evidence, objective)
    if baseline is not None:
        baseline = comparable(arms, baseline)
    case = case_of(arms, baseline, level, wanted, earlier, expected_best)
    case = replace(case, replicas=tuple(replica(other, evidence, objective) for other in replicas))
    return _verdict(evidence, case, baseline, caveats_of(evidence) + way_caveat(evidence, baseline))


def _verdict(evidence: Evidence, case: Case, baseline: Baseline | None, caveats: tuple[str, ...]) -> Verdict:
    posterior = _posterior(case)
    reasons = Reasons(case.objective, evidence.name)
    if baseline is not None and not baseline.is_launch and case.baseline is not None:
        reasons.stands_in(case.baseline.arm.trial, baseline.round)
    ruling, seeds = _rule(case, posterior, reasons)
    settings = _settings(case, reasons)
    return Verdict(
        round=evidence.name,
        baseline=_contender(case.baseline or case.candidate, case.objective.sign),
        candidate=_contender(case.candidate, case.objective.sign),
        configuration=_answer(case, posterior),
        settings=settings,
        threshold=case.threshold,
        ruling=ruling,
        because=tuple(reasons),
        caveats=caveats,
        seeds=seeds,
        complexity=case.complexity,
    )


def _contender(choice: Choice | None, sign: int) -> Contender | None:
    if choice is None:
        return None
    arm = choice.arm
    return Contender(
        trial=arm.trial,
        config=arm.config,
        repeats=len(choice.values),
        infeasible=choice.infeasible,
        values=tuple(sign * value for value in (arm.fresh if arm.first is not None else choice.values)),
        searched=None if arm.first is None else sign * arm.first,
    )


def _answer(case: Case, posterior: Posterior | None) -> ConfigurationAnswer:
    if posterior is None:
        return ConfigurationAnswer()
    low, high = posterior.interval()
    return ConfigurationAnswer(
        probability=posterior.above(0.0),
        improvement=Improvement(estimate=posterior.mean, low=low, high=high),
        rests_on=case.rests_on,
    )


def _posterior(case: Case) -> Posterior | None:
    """Of the improvement, positive when the candidate is better; None without a variance to rest on."""
    both = sides(case)
    if both is None or case.variance is None:
        return None
    baseline, candidate = both
    return difference(baseline, candidate, case.variance)


def _rule(case: Case, posterior: Posterior | None, reasons: Reasons) -> tuple[Ruling, int]:
    """The ruling, the seeds it needs to be settled, and the sentences for both."""
    if case.baseline is None or case.candidate is None:
        reasons.no_comparison(_contender(case.candidate, case.objective.sign) if case.baseline is None else None)
        reasons.not_borne_out(_not_borne_out(case))
        return Ruling.UNRESOLVED, 0
    reasons.passed_over([arm for arm in case.arms.every if arm.is_unusable and arm != case.candidate.arm])
    if posterior is None or case.variance is None:
        reasons.no_variance(case.baseline, case.candidate, is_deterministic=_is_deterministic(case), seeds=FIRST_SEEDS)
        return Ruling.UNRESOLVED, FIRST_SEEDS
    reasons.probability(
        case.candidate, posterior, case.threshold, case.complexity, case.rests_on, case.spread, case.variance
    )
    if case.baseline.sample is not None and case.candidate.sample is not None:
        reasons.means(case.baseline.sample.mean, case.candidate.sample.mean)
    reasons.not_borne_out(_not_borne_out(case))
    blocked = _blocked_by_failures(case, reasons) or _blocked_by_crowding(case, reasons)
    if blocked is not None:
        return blocked, FIRST_SEEDS if blocked is Ruling.UNRESOLVED else 0
    return _weigh(case, posterior, reasons)


def _weigh(case: Case, posterior: Posterior, reasons: Reasons) -> tuple[Ruling, int]:
    """Compare the probability with the threshold and the improvement with what matters."""
    probability, (_, high) = posterior.above(0.0), posterior.interval()
    stated = case.objective.material is not None
    if stated and high < case.material:
        reasons.immaterial(high, case.material)
        return Ruling.KEEP, 0
    enough = case.complexity is not Complexity.MUCH or posterior.mean >= case.material
    if probability >= case.threshold and enough:
        return Ruling.ADOPT, 0
    if probability <= 1.0 - case.threshold:
        reasons.worse(probability)
        return Ruling.KEEP, 0
    if posterior.above(case.material) <= NEGLIGIBLE:
        reasons.hardly_material(posterior.above(case.material), case.material, stated=stated)
        return Ruling.KEEP, 0
    if probability >= case.threshold:
        reasons.costs_more(posterior.mean, case.material, stated=stated)
    seeds = _seeds(case)
    reasons.more_seeds(seeds, posterior.mean)
    return Ruling.UNRESOLVED, seeds


def _seeds(case: Case) -> int:
    both = sides(case)
    if both is None or case.variance is None:
        return FIRST_SEEDS
    seeds = seeds_to_settle(*both, case.variance, threshold=case.threshold, material=case.material)
    is_first = not (case.baseline and case.baseline.values and case.candidate and case.candidate.values)
    return max(seeds, FIRST_SEEDS) if is_first else seeds


def _blocked_by_failures(case: Case, reasons: Reasons) -> Ruling | None:
    """A candidate that cannot always be trained is never adopted by its good runs alone (issue: bad input)."""
    candidate = case.candidate
    if candidate is None or not candidate.infeasible:
        return None
    n_runs = candidate.infeasible + len(candidate.values)
    baseline = case.baseline
    reasons.infeasible(candidate.infeasible, n_runs, baseline.infeasible if baseline else 0)
    return Ruling.KEEP if candidate.arm.is_unusable else Ruling.UNRESOLVED


def _blocked_by_crowding(case: Case, reasons: Reasons) -> Ruling | None:
    """The trials of a search that learns crowd where it hopes, so they do not show how lucky their best one was."""
    crowds = case.arms.evidence.round.search.algorithm == "bayes"
    if not crowds or case.candidate is None or case.candidate.values:
        return None
    reasons.crowded(FIRST_SEEDS)
    return Ruling.UNRESOLVED


def _not_borne_out(case: Case) -> tuple[Contender, float] | None:
    """The candidate and the value of a typical trial, where its repeats are no better than that (D3)."""
    candidate = case.candidate
    if candidate is None or candidate.arm.first is None:
        return None
    keys = search_keys(case.arms.settings[candidate.arm.setting])
    typical = refuted(candidate.arm.first, candidate.arm.fresh, keys)
    contender = _contender(candidate, case.objective.sign)
    return (contender, case.objective.sign * typical) if typical is not None and contender is not None else None


def _is_deterministic(case: Case) -> bool:
    """Whether there are repeats and none of them differ."""
    return bool(case.arms.samples) and case.variance is None


def _settings(case: Case, reasons: Reasons) -> tuple[SettingAnswer, ...]:
    """Every other setting against that of the baseline, or against the first one."""
    pools = case.arms.settings
    if not 2 <= len(pools) <= MAX_SETTINGS:
        return ()
    found = {setting: _found(case, setting) for setting in pools}
    known = {setting: best for setting, best in found.items() if best is not None}
    reasons.nothing_feasible([setting for setting in pools if setting not in known])
    own = case.baseline.arm.setting if case.baseline is not None else None
    against = own if own in known else next(iter(known))
    others = [setting for setting in known if setting != against]
    compared = gaps([known[setting] for setting in others], known[against]) if others else None
    if compared is None:
        reasons.too_few_trials(MIN_TRIALS, others)
        return ()
    chosen = [choose(pools[setting]) for setting in known]
    has_repeats = any(choice.values for choice in chosen if choice is not None)
    reasons.settings_rest_on(len(others), len(case.replicas), has_repeats=has_repeats)
    return tuple(
        SettingAnswer(
            setting=setting,
            against=against,
            probability=gap.probability,
            improvement=Improvement(estimate=gap.estimate, low=gap.low, high=gap.high),
        )
        for setting, gap in zip(others, compared, strict=True)
    )


def _found(case: Case, setting: Config) -> BestFound | None:
    """What was found for a setting, over the round and its replicas; None where nothing could be trained."""
    pools = [arms.settings.get(setting, ()) for arms in (case.arms, *case.replicas)]
    found = [best for pool in pools if (best := _found_in(case, pool)) is not None]
    return averaged(found) if found else None


def _found_in(case: Case, pool: Sequence[Arm]) -> BestFound | None:
    chosen = choose(pool) if pool else None
    return best_found(search_keys(pool), chosen.sample, case.variance) if chosen is not None else None


def _read_complexity(word: str) -> Complexity:
    accepted = [item.value for item in Complexity]
    if word not in accepted:
        raise InputError(f"--complexity {word!r} is not accepted; accepted: {', '.join(accepted)}")
    return Complexity(word)


def _read_threshold(value: float) -> float:
    if not 0.5 < value < 1.0:
        raise InputError(f"a threshold of {value} is not a probability between 0.5 and 1")
    return value
