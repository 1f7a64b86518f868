"""What the curve findings say: the playbook's causes and remedies, with numbers from the evidence (L6)."""

from __future__ import annotations

from tunebook.core.finding import Words

OVERFITTING_WHY = (
    "Its best value is a lucky stop on the way to a worse model, and settings compared at that stop are compared by "
    "how late they overfit rather than by what they can reach."
)
OVERFITTING_FIX = (
    "Search more regularisation in the next round: dropout, weight decay, label smoothing, augmentation. Make each "
    "one's strength a nuisance hyperparameter, and keep checkpoints so that the best one can be used."
)
LOSS_OVERFITTING = Words(
    says=(
        "The best trial of study {study}, {trial}, overfits: from step {first_step} to step {last_step} the validation "
        "loss rises by {size:.1%} that the training loss does not share."
    ),
    why=OVERFITTING_WHY,
    fix=OVERFITTING_FIX,
)

#: code -> words about the best trial of a study
CURVE_WORDS: dict[str, Words] = {
    "overfitting": Words(
        says=(
            "The best trial of study {study}, {trial}, overfits: from step {first_step} to step {last_step} {metric} "
            "worsens by {size:.3g} that training does not share; {material:.3g} (from the {source}) matters."
        ),
        why=OVERFITTING_WHY,
        fix=OVERFITTING_FIX,
    ),
    "still_improving": Words(
        says=(
            "The best trial of study {study}, {trial}, is still improving at its end: over the last 15 % of its "
            "{last_step} steps {metric} gains {size:.3g}, {units:.1f} times what matters ({material:.3g}, from the "
            "{source})."
        ),
        why=("The round compares settings by how fast they train rather than by what they reach. {schedule}"),
        fix="Train longer, with the decay of the learning rate stretched over the longer run and tuned again.",
    ),
    "saturated_early": Words(
        says=(
            "The second half of the {last_step} steps of {trial}, the best trial of study {study}, improved its best "
            "{metric} by {size:.3g}, less than the {material:.3g} (from the {source}) that matters."
        ),
        why="The second half of every such run is paid for and brings little; the same budget buys more trials.",
        fix=(
            "Train for fewer steps, with the decay of the learning rate shrunk to fit, or change what limits the "
            "model: its size, the learning rate schedule, too much regularisation."
        ),
    ),
    "late_variance": Words(
        says=(
            "The best trial of study {study}, {trial}, scatters late: over the last quarter {metric} swings by "
            "{size:.3g} around its trend, {units:.1f} times what matters ({material:.3g}, from the {source})."
        ),
        why=(
            "The best checkpoint is partly a lucky one, so trials are ranked by luck, and another seed will not reach "
            "the same value."
        ),
        fix=(
            "Decay the learning rate to a small value at the end, average the weights (Polyak), use a larger batch, or "
            "evaluate on more validation examples."
        ),
    ),
    "loss_spike": Words(
        says=(
            "The training loss of the best trial of study {study}, {trial}, jumps to {factor:.3g} times its level at "
            "step {first_step}."
        ),
        why=(
            "A spike is a sign of instability: this configuration is near the edge where training diverges, and a "
            "slightly larger learning rate or another seed may not recover."
        ),
        fix="Add warmup or clip gradients at the 90th percentile of their norm, then search higher learning rates.",
    ),
    "train_loss_rising": Words(
        says=(
            "The training loss of the best trial of study {study}, {trial}, rises by {size:.0%} from step {first_step} "
            "to step {last_step}."
        ),
        why=(
            "Training on a fixed objective should not make the training loss grow for long: the learning rate is too "
            "high, or there is a bug in the pipeline (data order, loss scaling, a schedule that grows)."
        ),
        fix=(
            "Look at the learning rate schedule and the data order at that step; add warmup or clipping, or lower the "
            "learning rate."
        ),
    ),
    "periodic_validation": Words(
        says=(
            "The validation curve of the best trial of study {study}, {trial}, goes up and down with a period of about "
            "{period} steps (autocorrelation {size:.2f} at that lag)."
        ),
        why=(
            "A period that is no property of the schedule hints at the data: no shuffling between epochs, or an "
            "evaluation on a part of the validation set that changes. The best value is then the best part, not the "
            "best model."
        ),
        fix=(
            "Compare the period with an epoch and with a cycle of the learning rate; shuffle, and evaluate on a fixed "
            "set of examples."
        ),
    ),
}

SUMMARY = Words(
    says="{n_shown} of {n_trials} trials that trained show {label}, among them {n_best} of the best {n_top}.",
    why="What most of the good trials share is a property of the round rather than of one trial.",
    fix="{remedy}",
)

DECAYING = "The learning rate falls over that stretch, and under a decay nearly every curve ends improving."
NOT_DECAYING = "The learning rate does not fall over that stretch, so the gain is not the last step of a decay."
SCHEDULE_UNKNOWN = (
    "No learning rate was logged: under a decaying one nearly every curve ends improving, which proves little."
)
