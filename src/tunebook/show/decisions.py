"""What the commands of a decision show: repeats, the verdict, the ledger, the next round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tunebook.core.config import Config, spelled
from tunebook.core.launch import Launch
from tunebook.core.next_round import NextRound
from tunebook.core.verdict import ConfigurationAnswer, Improvement, RestsOn, Ruling, SettingAnswer, Verdict
from tunebook.evidence import Evidence
from tunebook.show.tables import table
from tunebook.show.terminal import INDENT
from tunebook.show.words import config_text

STYLES = {Ruling.ADOPT: "bold green", Ruling.KEEP: "bold", Ruling.UNRESOLVED: "bold yellow"}


def repeats(evidence: Evidence) -> Table:
    """Every configuration that ran with several seeds: how many, mean, standard deviation, range."""
    scores = evidence.scores().values
    runs: dict[Config, list[int]] = {}
    for number, trial in enumerate(evidence.trials):
        runs.setdefault(trial.config, []).append(number)
    metric = evidence.round.objective.metric
    made = table(
        "Configurations with several seeds",
        ["trial", "study", "runs", f"mean {metric}", "sd", "from", "to", "infeasible"],
    )
    for numbers in runs.values():
        if len(numbers) < 2:
            continue
        values = scores[numbers]
        finite = values[np.isfinite(values)]
        first = evidence.trials[numbers[0]]
        spread = f"{finite.std(ddof=1):.3g}" if len(finite) > 1 else "–"
        told = [f"{number:.6g}" for number in (finite.min(), finite.max())] if len(finite) else ["–", "–"]
        mean = f"{finite.mean():.6g}" if len(finite) else "–"
        made.add_row(first.name, first.study, str(len(numbers)), mean, spread, *told, str(len(values) - len(finite)))
    return made


def verdict(found: Verdict, *, is_written: bool = False) -> RenderableType:
    """The verdict, the two questions with their answers, the reasons and the caveats."""
    adopts = found.ruling is Ruling.ADOPT and not is_written
    return Group(
        Text.assemble("Verdict: ", (str(found.ruling), STYLES[found.ruling])),
        _indented(*found.because),
        Text(),
        Text("Is this configuration better than the baseline's?", style="bold"),
        _indented(*_contenders(found), _first_answer(found)),
        Text(),
        Text("Is this setting better, once everything else is tuned?", style="bold"),
        _indented(*[setting_text(answer) for answer in found.settings] or ["not compared"]),
        *(Text(f"caveat: {caveat}", style="dim") for caveat in found.caveats),
        *(
            [Text(f"Nothing is written yet: `tunebook decide {found.round} --adopt` makes it the baseline.")]
            if adopts
            else []
        ),
    )


def _first_answer(found: Verdict) -> str:
    if found.baseline is None or found.baseline == found.candidate:
        return "unknown: there is no baseline to compare with"
    return configuration_text(found.configuration, found.threshold)


def configuration_text(answer: ConfigurationAnswer, threshold: float) -> str:
    """The first question's answer in one sentence."""
    if answer.rests_on is RestsOn.NONE or answer.probability is None:
        return "unknown: nothing tells how much runs of one configuration differ"
    better = f"better with a probability of {answer.probability:.1%} (asked for: {threshold:.0%})"
    found = answer.improvement
    size = "" if found is None else _by(found) if found.estimate >= 0 else f"; the improvement is {_range(found)}"
    return f"{better}{size}; this rests on {answer.rests_on}"


def setting_text(answer: SettingAnswer) -> str:
    """One pair of settings in one sentence, said of the one that is more likely the better one."""
    pair = f"{_setting(answer.setting)} against {_setting(answer.against)}"
    better, found = answer.probability, answer.improvement
    if better >= 0.5:
        return f"{pair}: better with a probability of {better:.1%}{_by(found)}"
    turned = Improvement(estimate=-found.estimate, low=-found.high, high=-found.low, level=found.level)
    return f"{pair}: worse with a probability of {1.0 - better:.1%}{_by(turned)}"


def launch(entry: Launch) -> RenderableType:
    """One entry of the ledger."""
    if entry.rolls_back is not None:
        head = f"Entry {entry.number} takes launch {entry.rolls_back} out of force"
    elif entry.examines is not None:
        head = f"Entry {entry.number} records the test set of launch {entry.examines}: trial {entry.trial}"
    elif entry.keeps:
        head = f"Entry {entry.number} records that the baseline stayed after {entry.round}: trial {entry.trial}"
    else:
        head = f"Launch {entry.number}: trial {entry.trial} of {entry.round}"
    facts = {
        "when": entry.at.isoformat(timespec="seconds"),
        "who": entry.who,
        "configuration": config_text(entry.config),
        "revision": entry.revision,
        "evidence": evidence_text(entry.evidence),
        "reproduce": entry.command,
        "note": entry.note,
        "test set": _test_set(entry),
    }
    lines = [Text.assemble((f"  {name}: ", "dim"), said) for name, said in facts.items() if said]
    return Group(Text(head, style="bold"), *lines)


def _test_set(entry: Launch) -> str | None:
    if not entry.test_set_looked_at:
        return None
    values = ", ".join(f"{name} {value:.6g}" for name, value in entry.evidence.get("test", {}).items())
    return f"was looked at{': ' * bool(values)}{values}"


def evidence_text(evidence: Mapping[str, Any]) -> str:
    """What a launch rests on, in a line: the verdict's numbers, or the baseline's against chance."""
    is_compared = evidence.get("baseline") != evidence.get("candidate")
    configuration = (is_compared and evidence.get("configuration")) or {}
    improvement = configuration.get("improvement") or {}
    parts = {
        "verdict": evidence.get("verdict"),
        "probability of improvement": configuration.get("probability_of_improvement"),
        "improvement": improvement.get("estimate"),
        "rests on": configuration.get("rests_on"),
        "in the search": evidence.get("searched"),
        "repeats": ", ".join(f"{value:.6g}" for value in evidence.get("repeats", ())),
        str(evidence.get("metric")): ", ".join(f"{value:.6g}" for value in evidence.get("values", ())),
        "chance": evidence.get("chance"),
    }
    known = {name: value for name, value in parts.items() if value not in (None, "")}
    return "; ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in known.items()
    )


def ledger(launches: Sequence[Launch], current: Launch | None) -> RenderableType:
    """All launches, the one in force marked."""
    if not launches:
        return Text(
            "The ledger is empty. `tunebook baseline DESIGN` makes launch 0; so does `tunebook decide ROUND --adopt`."
        )
    made = table("", ["", "launch", "round", "trial", "when", "note"])
    for entry in launches:
        mark = "in force" if current is not None and entry.number == current.number else ""
        what = entry.trial
        if entry.rolls_back is not None:
            what = f"takes back {entry.rolls_back}"
        elif entry.examines is not None:
            what = f"test set of {entry.examines}"
        elif entry.keeps:
            what = f"keeps {entry.trial}"
        made.add_row(mark, str(entry.number), entry.round, what, entry.at.isoformat(timespec="minutes"), entry.note)
    return made


def next_document(proposed: NextRound, text: str, target: Path | None) -> dict[str, Any]:
    """``next --json``."""
    return {
        "design": text,
        "file": str(target) if target else None,
        "changes": [
            {
                "key": ".".join(change.key),
                "text": change.text,
                "source": change.source,
                "finding": change.finding.code if change.finding else None,
            }
            for change in proposed.changes
        ],
        "first": list(proposed.first),
        "left": list(proposed.left),
        "carries": list(proposed.carries),
        "saturated": proposed.is_saturated,
    }


def next_steps(proposed: NextRound, target: Path | None) -> RenderableType:
    """What is different in the next round, what to do before it, what was left out."""
    lines = [Text(f"{'.'.join(change.key)}: {change.text} ({change.source})") for change in proposed.changes]
    if not lines:
        lines = [Text("Nothing in the findings asks for a change of the search.", style="green")]
    lines += [Text(f"before it: {step}", style="yellow") for step in proposed.first]
    lines += [Text(said) for said in proposed.carries]
    lines += [Text(f"left: {said}", style="dim") for said in proposed.left]
    if target is not None:
        lines.append(Text(f"The design is in {target}; edit it as you like, then: tunebook run {target}"))
    return Group(*lines)


def _indented(*lines: str) -> RenderableType:
    return Padding(Group(*(Text(line) for line in lines)), (0, 0, 0, INDENT))


def _contenders(found: Verdict) -> list[str]:
    is_alone = found.baseline is not None and found.baseline == found.candidate
    pairs = (
        (("best trial", found.candidate),)
        if is_alone
        else (("baseline", found.baseline), ("candidate", found.candidate))
    )
    return [
        f"{name} {one.trial} ({one.repeats} repeats): {config_text(one.config)}"
        for name, one in pairs
        if one is not None
    ]


def _by(improvement: Improvement) -> str:
    return f", by {_range(improvement)}"


def _range(improvement: Improvement) -> str:
    interval = f"{improvement.low:.3g} to {improvement.high:.3g} at {improvement.level:.0%}"
    return f"{improvement.estimate:.3g} ({interval})"


def _setting(setting: Config) -> str:
    return ", ".join(f"{name}={spelled(value)}" for name, value in setting.items()) or "the only setting"
