"""Everything that ``tunebook check`` tells about a design before anything is run (R6, S6)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tunebook.core.finding import Finding
from tunebook.core.round import Round
from tunebook.plan.branches import obstacles
from tunebook.plan.budget import BranchPlan, Cost, StudyPlan, predict_cost, study_plans
from tunebook.plan.lint import lint


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSummary:
    """The plan of a round. ``studies`` is empty when a blocking finding says why nothing can be planned."""

    round: str
    goal: str
    question: str
    algorithm: str
    max_train_steps: int
    studies: tuple[StudyPlan, ...]
    cost: Cost
    findings: tuple[Finding, ...]

    @property
    def n_trials(self) -> int:
        """Trials of all studies."""
        return sum(plan.n_trials for plan in self.studies)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What is fixed, as sentences."""
        return tuple(finding.says for finding in self.findings if finding.code == "caveat")

    def to_mapping(self) -> dict[str, Any]:
        """The summary as JSON shows it."""
        return {
            "round": self.round,
            "goal": self.goal,
            "question": self.question,
            "algorithm": self.algorithm,
            "max_train_steps": self.max_train_steps,
            "trials": self.n_trials,
            "studies": [_study_mapping(plan) for plan in self.studies],
            "predicted": asdict(self.cost),
            "caveats": list(self.caveats),
            "findings": [finding.to_mapping() for finding in self.findings],
        }


def summarise(design: Round, seconds_per_step: float | None = None, workers: int = 1) -> PlanSummary:
    """Plan and lint a design without running it.

    ``seconds_per_step`` is what trials of this pipeline took so far; without it the design's own figure
    predicts the time. ``workers`` run at the same time, each one trial.
    """
    plans = () if obstacles(design) else study_plans(design)
    n_trials = sum(plan.n_trials for plan in plans)
    return PlanSummary(
        round=design.name,
        goal=design.goal,
        question=str(design.question),
        algorithm=design.search.algorithm,
        max_train_steps=design.max_train_steps,
        studies=plans,
        cost=predict_cost(design, n_trials, seconds_per_step, workers),
        findings=lint(design),
    )


def _study_mapping(plan: StudyPlan) -> dict[str, Any]:
    return {
        "study": plan.study.name,
        "setting": dict(plan.study.setting),
        "trials": plan.n_trials,
        "settings": plan.n_settings,
        "dimensions": plan.n_dimensions,
        "branches": [_branch_mapping(branch) for branch in plan.branches],
        "chance_of_a_trial_in_the_best": {f"{share:g}": chance for share, chance in plan.chances},
        "starves": [str(want) for want in plan.starves],
    }


def _branch_mapping(branch: BranchPlan) -> dict[str, Any]:
    return {"values": dict(branch.values), "trials": branch.n_trials, "dimensions": branch.n_dimensions}
