"""Which plot shows what a finding says."""

from __future__ import annotations

from collections.abc import Mapping

from tunebook.core.finding import Finding
from tunebook.show.draw.drawing import Drawing

#: Code of a finding -> drawings that show it, the first that exists wins. Findings about a
#: hyperparameter go to its axis plot unless their code says otherwise.
SHOWN_IN: Mapping[str, tuple[str, ...]] = {
    "undersampled": ("best-of-n",),
    "unstable": ("grad-norm", "curves-0"),
    "overfitting": ("curves-0",),
    "late_variance": ("curves-0",),
    "still_improving": ("curves-0",),
    "saturated_early": ("curves-0",),
    "train_loss_rising": ("curves-1", "curves-0"),
    "loss_spike": ("curves-1", "curves-0"),
    "periodic_validation": ("curves-0",),
    "diverged": ("curves-0",),
    "best_step_early": ("best-step",),
    "best_step_late": ("best-step",),
    "interaction": ("parallel",),
    "clipping_aggressive": ("grad-norm-histogram",),
    "gradient_variance": ("grad-norm",),
    "comparison": ("isolation-0",),
    "not_reproduced": ("curves-0",),
    "inclusion": ("isolation-0",),
    "not_better_than_chance": ("curves-0",),
    "infeasible_fraction": ("parallel", "axis-0"),
    "infeasible_region": ("parallel", "axis-0"),
}


def drawing_for(finding: Finding, drawings: Mapping[str, Drawing]) -> Drawing | None:
    """The drawing that shows ``finding``; ``drawings`` maps their ids. None when no plot does."""
    subject = finding.subject.hyperparameter
    own = [item for item in drawings.values() if item.id.startswith("axis-") and item.subject == subject]
    if subject and own and finding.code != "comparison":
        return own[0]
    return next((drawings[name] for name in SHOWN_IN.get(finding.code, ()) if name in drawings), None)
