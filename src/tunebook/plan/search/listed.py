"""Configurations that a person listed, as trials (R5)."""

from __future__ import annotations

from tunebook.core.config import Config
from tunebook.core.round import Round, active_fixed
from tunebook.core.trial import Study, TrialSpec


def studies(design: Round) -> tuple[Study, ...]:
    """One study per scientific setting that is listed, in the order of the list; one study when joint."""
    return tuple(dict.fromkeys(study_of(design, _whole(design, listed)) for listed in design.search.configurations))


def trials(design: Round) -> tuple[TrialSpec, ...]:
    """Every listed configuration once, study by study. There is no sequence, so no index and no point."""
    whole = [_whole(design, listed) for listed in design.search.configurations]
    specs = [
        TrialSpec(
            study=study_of(design, config).name,
            config=config,
            seed=design.search.seed,
            max_train_steps=design.max_train_steps,
            way_to_train=design.way_to_train,
        )
        for config in dict.fromkeys(whole)
    ]
    order = {study.name: number for number, study in enumerate(studies(design))}
    return tuple(sorted(specs, key=lambda spec: order[spec.study]))


def study_of(design: Round, config: Config) -> Study:
    """The study that a configuration of this round belongs to."""
    if design.search.studies == "joint":
        return Study.of(Config())
    active = (item.name for item in design.scientific if item.is_active(config))
    return Study.of(Config({name: config[name] for name in active}))


def _whole(design: Round, listed: Config) -> Config:
    """A listed configuration with its fixed values, in the order of the round."""
    values = listed.merged(active_fixed(design.fixed, listed))
    active = (item.name for item in design.hyperparameters if item.is_active(values))
    return Config({name: values[name] for name in active})
