"""The parts of a comparison that take the verdict: repeats as points, and its sentences."""

from __future__ import annotations

from typing import Any

import numpy as np

from tunebook.core.config import Config, spelled
from tunebook.core.verdict import Improvement, Ruling, SettingAnswer, Verdict
from tunebook.decide.arms import Arm, Arms, choose
from tunebook.decide.baseline import Baseline
from tunebook.decide.verdict import decide
from tunebook.show.decisions import configuration_text, setting_text
from tunebook.show.words import config_text
from tunebook.stats.variance import Spread

#: Configurations whose repeats are shown; the best come first.
MOST_ARMS = 12
#: From this probability on a setting is said to be better, as ``decide`` asks of a change with some complexity.
SURE = 0.95


def verdict_document(
    verdict: Verdict, metric: str, second: Verdict | None = None, baseline_round: str | None = None
) -> dict[str, Any]:
    """``decide --json`` with its sentences beside the numbers.

    ``second``: against the runner-up. ``baseline_round``: where the baseline's trial is, unless it is the round's own.
    """
    rival = second.baseline if second else None
    return {
        **verdict.to_mapping(),
        "answers": answers(verdict, metric, second),
        "runner_up": {"trial": rival.trial, "text": config_text(rival.config)} if rival else None,
        "configuration_text": configuration_text(verdict.configuration, verdict.threshold),
        "setting_texts": [setting_text(answer) for answer in verdict.settings],
        "baseline_round": baseline_round or verdict.round,
        "baseline_text": config_text(verdict.baseline.config) if verdict.baseline else "",
        "candidate_text": config_text(verdict.candidate.config) if verdict.candidate else "",
    }


def answers(verdict: Verdict, metric: str, second: Verdict | None = None) -> list[str]:
    """Which is better and how sure, in sentences for somebody who knows nothing of the round."""
    said = [_setting_answer(answer, metric) for answer in verdict.settings]
    if _is_alone(verdict):
        return [*said, _best_answer(verdict, metric, second)]
    chance = verdict.configuration.probability
    lead = {
        Ruling.ADOPT: "The candidate is better than the baseline",
        Ruling.KEEP: "The baseline stays",
        Ruling.UNRESOLVED: "Whether the candidate is better than the baseline is open",
    }[verdict.ruling]
    if chance is None:
        return [*said, f"{lead}: nothing tells how much runs of one configuration differ."]
    much = _by(verdict.configuration.improvement, metric)
    is_short = verdict.ruling is Ruling.UNRESOLVED and chance < verdict.threshold
    asked = f", which is less than the {verdict.threshold:.0%} asked for" if is_short else ""
    return [*said, f"{lead}: the candidate is the better one with a probability of {_percent(chance)}{asked}{much}."]


def _setting_answer(answer: SettingAnswer, metric: str) -> str:
    this, other, chance = _named(answer.setting), _named(answer.against), answer.probability
    much = _by(answer.improvement, metric)
    if chance >= SURE:
        return f"{this} is better than {other}, with a probability of {_percent(chance)}{much}."
    if chance <= 1 - SURE:
        return f"{this} is worse than {other}, with a probability of {_percent(1 - chance)}{much}."
    return (
        f"Whether {this} or {other} is better is open: {this} is the better one with a probability of "
        f"{_percent(chance)}{much}."
    )


def _best_answer(verdict: Verdict, metric: str, second: Verdict | None) -> str:
    """The best configuration where there is no baseline to compare it with."""
    if verdict.candidate is None and verdict.baseline is not None:
        return "Nothing but the baseline itself was trained here, so there is nothing to compare."
    if verdict.candidate is None:
        return "No configuration could be trained, so there is no best one."
    n_runs = verdict.candidate.repeats
    lead = f"The candidate has the best mean, of {n_runs} runs" if n_runs > 1 else "The candidate had the best run"
    chance = second.configuration.probability if second else None
    if second is None or chance is None:
        return f"{lead}; nothing tells how sure that is, because no configuration of it and the next ran twice."
    much = _by(second.configuration.improvement, metric)
    luck = ", the luck of being picked taken off"
    if chance >= SURE:
        return f"{lead}: it is better than the runner-up with a probability of {_percent(chance)}{luck}{much}."
    doubt = "whether it is better than the runner-up is open"
    return f"{lead}; {doubt}: it is with a probability of {_percent(chance)}{luck}{much}."


def _is_alone(verdict: Verdict) -> bool:
    """Whether nothing stands against the candidate: no launch, and no second setting."""
    baseline, candidate = verdict.baseline, verdict.candidate
    return baseline is None or candidate is None or baseline.config == candidate.config


def against_second(arms: Arms, verdict: Verdict, earlier: Spread | None) -> Verdict | None:
    """The candidate of a round without a baseline against its runner-up; None where there is none.

    The runner-up was not picked for being the best, so its runs count as they are, and the luck of the
    candidate is taken off as always: the probability errs on the side of doubt.
    """
    if not _is_alone(verdict) or verdict.candidate is None:
        return None
    second = choose([arm for arm in arms.every if arm.config != verdict.candidate.config])
    if second is None:
        return None
    rival = Baseline(
        trial=second.arm.trial,
        config=second.arm.config,
        round=arms.evidence.name,
        objective=arms.objective,
        max_train_steps=arms.evidence.round.max_train_steps,
        values=tuple(arms.objective.sign * value for value in second.values),
        infeasible=second.infeasible,
    )
    return decide(arms.evidence, rival, earlier=earlier, objective=arms.objective)


def _named(setting: Config) -> str:
    return ", ".join(f"{name}={spelled(value)}" for name, value in setting.items()) or "the only setting"


def _by(improvement: Improvement | None, metric: str) -> str:
    """Its size in words: what is lower than nothing is a loss."""
    if improvement is None:
        return ""
    ends = f"{improvement.low:.3g} to {improvement.high:.3g} at {improvement.level:.0%}"
    if improvement.estimate < 0:
        return f"; the improvement of {metric} is {improvement.estimate:.3g} ({ends})"
    return f"; it gains {improvement.estimate:.3g} of {metric} ({ends})"


def _percent(chance: float) -> str:
    """A probability that is never said to be certain."""
    if chance > 0.995:
        return "over 99%"
    return "under 1%" if chance < 0.005 else f"{chance:.0%}"


def repeats(arms: Arms, verdict: Verdict | None, baseline: Baseline | None, sign: int) -> list[dict[str, Any]]:
    """Configurations that ran more than once, with every run; baseline and candidate first."""
    part: dict[Config, str] = {}
    if verdict and verdict.baseline:
        part[verdict.baseline.config] = "baseline"
    if verdict and verdict.candidate:
        part[verdict.candidate.config] = "candidate"
    several = [arm for arm in arms.every if arm.n_runs > 1 or arm.config in part]
    several.sort(key=lambda arm: (arm.config not in part, arm.every[:1] or (np.inf,)))
    rows = [_row(arm, part.get(arm.config, ""), sign) for arm in several[:MOST_ARMS]]
    if baseline and baseline.values and all(row["part"] != "baseline" for row in rows):
        rows.insert(0, _baseline_row(baseline))
    return rows


def _row(arm: Arm, part: str, sign: int) -> dict[str, Any]:
    return {
        "trial": arm.trial,
        "part": part,
        "config": config_text(arm.config),
        "setting": config_text(arm.setting),
        "chosen_by": None if arm.first is None else sign * arm.first,
        "values": [sign * value for value in arm.fresh],
        "infeasible": arm.infeasible + arm.first_infeasible,
    }


def _baseline_row(baseline: Baseline) -> dict[str, Any]:
    return {
        "trial": baseline.trial,
        "part": "baseline",
        "config": config_text(baseline.config),
        "setting": f"from {baseline.round}",
        "chosen_by": None,
        "values": list(baseline.values),
        "infeasible": baseline.infeasible,
    }
