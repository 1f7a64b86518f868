"""The next round: the design of this one with every finding's change in it, each traced to its finding (D5).

Every change is tried on the design before it is made: one that the design cannot take, or that the
linter would warn of, is left out and said so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tunebook.core.action import (
    Action,
    AddSeeds,
    AddTrials,
    Clip,
    Exploit,
    Fix,
    Lengthen,
    Narrow,
    Regularise,
    Shorten,
    WarmUp,
    Widen,
    find,
)
from tunebook.core.config import Config, spelled
from tunebook.core.finding import Finding, Severity
from tunebook.core.hyperparameter import Hyperparameter, Range
from tunebook.core.next_round import Change, KeyPath, NextRound
from tunebook.core.round import Question, Round
from tunebook.core.verdict import Ruling, Verdict
from tunebook.decide.conflicts import resolve
from tunebook.decide.gradient_noise import gradient_noise_note, noisier
from tunebook.decide.opened import opened_decay, opened_warmup, replaced, with_range
from tunebook.decide.proposals import STAGE_WORDS, Proposal, Stage, proposals
from tunebook.decide.schedule import Rescaled, with_steps
from tunebook.errors import InputError
from tunebook.plan.lint import lint
from tunebook.plan.rules.scales import LEAST_RATIO

#: A setting is settled when its probability of being the better one is this far from one half.
SETTLED = 0.95
#: The linter may ask for more trials than the round had, up to this many times as many.
MAX_GROWTH = 4
#: A search of listed configurations goes on as a search of the space, with at least this many trials.
LEAST_TRIALS = 16
#: What stands in the way of settling the question of a round.
OPEN_STAGES = (Stage.FEASIBILITY, Stage.STABILITY, Stage.BOUNDARY, Stage.DENSITY)

SATURATED = (
    "tuning has saturated: nothing found in this round asks for another search; adopt what was found, "
    "or run this one, which is the same search with fresh configurations"
)


class Draft:
    """A design on its way to the next one; ``make`` takes a change or says why it cannot be taken."""

    def __init__(self, design: Round) -> None:
        self.design = design
        self.changes: list[Change] = []
        self.left: list[str] = []
        self._known = _warnings(design)

    def make(self, changed: Round, changes: Sequence[Change], *, what: str) -> bool:
        """Take ``changed`` unless the linter has something new against it."""
        new = [warning for key, warning in _warnings(changed).items() if key not in self._known]
        blocking = [finding for finding in new if finding.next is None]
        if blocking:
            self.left.append(f"{what}: left out, as the linter would warn: {blocking[0].says}")
            return False
        self.design = changed
        self.changes.extend(changes)
        return True


def next_round(
    design: Round,
    findings: Iterable[Finding],
    verdict: Verdict | None = None,
    *,
    name: str = "",
) -> NextRound:
    """The round that follows ``design`` from what was found in it and decided on it."""
    kept, dropped = resolve(proposals(findings, design), design)
    draft = Draft(_continued(design, name))
    first: list[str] = []
    for proposal in kept:
        _take(draft, proposal, first, design.name)
    is_open = any(proposal.stage in OPEN_STAGES for proposal in kept)
    if verdict is not None:
        _answer(draft, verdict, first, is_open=is_open)
    _repair(draft, MAX_GROWTH * max(design.search.trials, LEAST_TRIALS))
    noisy = noisier(design, draft.design)
    if noisy:
        first.append(gradient_noise_note(noisy))
    is_unstable = any(proposal.stage <= Stage.STABILITY for proposal in kept)
    is_same_search = not draft.changes
    is_saturated = is_same_search and not is_unstable
    _minimise(draft)
    if is_saturated:
        first.append(SATURATED)
    if is_same_search:
        _draw_afresh(draft)
    left = [f"{_said(item.proposal)}: not now, {item.why}" for item in dropped] + draft.left
    return NextRound(
        design=_told(draft, design),
        changes=tuple(draft.changes),
        first=tuple(dict.fromkeys(first)),
        left=tuple(left),
        is_saturated=is_saturated,
    )


def _continued(design: Round, name: str) -> Round:
    """The design under another name; listed configurations have been run, so the space is searched on."""
    search = design.search
    if search.algorithm == "list" and design.searched:
        trials = max(search.trials, len(search.configurations), LEAST_TRIALS)
        search = replace(search, algorithm="halton", trials=trials, configurations=())
    return replace(design, name=name, search=search)


def _draw_afresh(draft: Draft) -> None:
    """The same search with other configurations: running it shows study variance instead of nothing new (D2)."""
    search = draft.design.search
    changed = replace(draft.design, search=replace(search, seed=search.seed + 1))
    text = f"was {search.seed}: the same search with fresh configurations, which shows study variance"
    draft.make(changed, [Change(key=("search", "seed"), text=text, source="saturated D2")], what="draw afresh")


def _told(draft: Draft, before: Round) -> Round:
    """The goal says what the round is for now that it differs from the one before."""
    design = draft.design
    if not draft.changes:
        return design
    said = f" (after {before.name})" if before.name else " (continued)"
    goal = design.goal if design.goal.endswith(said) else design.goal.partition(" (after ")[0] + said
    return replace(design, goal=goal)


# -- single proposals --------------------------------------------------------------------------


def _take(draft: Draft, proposal: Proposal, first: list[str], name: str) -> None:
    """Put one proposal into the draft, or into the steps to take before it."""
    action = proposal.action
    if isinstance(action, WarmUp):
        first.append(_stabilise(draft, action, proposal, name))
        return
    if isinstance(action, Clip) and action.hyperparameter is None:
        first.append(
            f"see whether training is unstable with `tunebook stability {name}`; where it is, "
            f"`tunebook clipping {name}` says at which norm to clip, once the training code reads one "
            f"[{proposal.source}]"
        )
        return
    try:
        changed, changes = _applied(draft.design, action, proposal)
    except (KeyError, InputError, ValueError) as error:
        draft.left.append(f"{_said(proposal)}: left out, it does not fit the design any more ({_short(error)})")
        return
    if changed != draft.design:
        draft.make(changed, changes, what=_said(proposal))


def _short(error: Exception) -> str:
    return str(error).splitlines()[0].strip("'\"")


def _said(proposal: Proposal) -> str:
    label = getattr(proposal.action, "hyperparameter", None)
    words = proposal.action.kind.replace("_", " ")
    return f"{words} {label} [{proposal.source}]" if label else f"{words} [{proposal.source}]"


def _applied(design: Round, action: Action, proposal: Proposal) -> tuple[Round, list[Change]]:
    """The design after an action, and the keys it touched."""
    if isinstance(action, Lengthen | Shorten):
        return _new_length(design, action.max_train_steps, proposal)
    if isinstance(action, Narrow):
        action = _roomy(design, action)
    changed = action.apply(design)
    keys = _touched(design, changed, action)
    return changed, [_change(key, text, proposal) for key, text in keys]


def _roomy(design: Round, action: Narrow) -> Narrow:
    """At least a decade of what is searched by its order of magnitude, around the good region (R3)."""
    domain = find(design, action.hyperparameter).domain
    if not isinstance(domain, Range) or domain.scale != "log" or domain.type == "int":
        return action
    if not 0.0 < action.low < action.high < LEAST_RATIO * action.low:
        return action
    low, high = domain.low, domain.high
    middle = math.sqrt(action.low * action.high)
    # slid into the old range where the decade would reach over its end; rounded outward
    start = min(max(middle / math.sqrt(LEAST_RATIO), low), max(high / LEAST_RATIO, low))
    start = max(float(f"{start:.2e}"), low)
    return Narrow(hyperparameter=action.hyperparameter, low=start, high=min(float(f"{LEAST_RATIO * start:.4g}"), high))


def _change(key: KeyPath, text: str, proposal: Proposal) -> Change:
    return Change(key=key, text=text, source=proposal.source, finding=proposal.finding)


def _touched(before: Round, after: Round, action: Action) -> list[tuple[KeyPath, str]]:
    if isinstance(action, AddTrials):
        return [(("search", "trials"), f"was {before.search.trials}: more of the same sequence")]
    if isinstance(action, Exploit | AddSeeds):
        return [(("question",), f"was {before.question}")]
    item = find(before, str(getattr(action, "hyperparameter", "")))
    key = path_of(after, find(after, item.label))
    was = item.domain.describe()
    words = {
        Widen: f"widened, was {was}",
        Narrow: f"narrowed to the good region, was {was}",
        Fix: f"fixed, was searched over {was}",
        Regularise: f"stronger regularisation, was {was}",
        Clip: f"clipping norm searched, was {was}",
    }
    return [(key, words[type(action)])]


def path_of(design: Round, item: Hyperparameter) -> KeyPath:
    """Where a hyperparameter stands in the design file."""
    role = design.role_of(item)
    inner = tuple(part for condition in item.branch for part in ("when", condition.parent, spelled(condition.value)))
    return (role.value, *inner, item.name)


def _new_length(design: Round, steps: int, proposal: Proposal) -> tuple[Round, list[Change]]:
    """Another number of steps, the schedule with it, and a held decay opened for tuning (T2, T4)."""
    changed, moved = with_steps(design, steps)
    changes = [_change(("max_train_steps",), f"was {design.max_train_steps}", proposal)]
    changes += [_moved(changed, rescaled, proposal) for rescaled in moved]
    for item in changed.fixed:
        opened = opened_decay(item, changed)
        if opened is not None:
            was = item.domain.describe()
            changed = replaced(changed, item, opened)
            changes.append(_change(path_of(changed, opened), f"the decay is tuned again, was {was}", proposal))
    return changed, changes


def _moved(design: Round, rescaled: Rescaled, proposal: Proposal) -> Change:
    was = rescaled.before.domain.describe()
    return _change(path_of(design, rescaled.after), f"was {was}: {rescaled.rule}", proposal)


def _stabilise(draft: Draft, action: WarmUp, proposal: Proposal, name: str) -> str:
    """Warmup is the procedure's business; where the design has a warmup, its range is opened as well."""
    for item in draft.design.hyperparameters:
        opened = opened_warmup(item, draft.design)
        if opened is not None:
            was = item.domain.describe()
            changed = with_range(draft.design, item, opened)
            text = f"up to a tenth of the run, was {was}"
            draft.make(changed, [_change(path_of(changed, opened), text, proposal)], what=_said(proposal))
            break
    return (
        f"stabilise training: `tunebook warmup {name}` finds the shortest warmup that survives about ten times "
        f"{action.hyperparameter} = {action.best:.3g} [{proposal.source}]"
    )


# -- the question of the round -----------------------------------------------------------------


def _answer(draft: Draft, verdict: Verdict, first: list[str], *, is_open: bool) -> None:
    """Settle the scientific hyperparameters, or say what would settle them."""
    if verdict.ruling is Ruling.UNRESOLVED and verdict.seeds:
        first.append(
            f"`tunebook repeat {verdict.round} --seeds {verdict.seeds}` and decide again: "
            f"the verdict is unresolved ({verdict.because[0]})"
        )
    if not draft.design.scientific or is_open:
        return
    winner = _settled(verdict)
    if winner is not None:
        setting, because = winner
        _settle(draft, setting, because, verdict)
    elif verdict.settings and verdict.ruling is not Ruling.UNRESOLVED:
        trials = 2 * draft.design.search.trials
        doubt = max(answer.probability for answer in verdict.settings)
        change = Change(
            key=("search", "trials"),
            text=f"was {draft.design.search.trials}: which setting is better is open (probability {doubt:.2f})",
            source="verdict L9",
        )
        draft.make(AddTrials(trials=trials).apply(draft.design), [change], what="add trials [verdict L9]")


def _settled(verdict: Verdict) -> tuple[Config, str] | None:
    """The setting to go on with and why: a launch settles it, and so does a clear answer either way."""
    if verdict.ruling is Ruling.ADOPT and verdict.candidate is not None:
        probability = verdict.configuration.probability or 0.0
        return verdict.candidate.config, f"adopted after {verdict.round}: better with probability {probability:.3f}"
    best = max(verdict.settings, key=lambda answer: answer.probability, default=None)
    if best is None:
        return None
    if best.probability >= SETTLED:
        return best.setting, f"{verdict.round}: better than the others with probability {best.probability:.3f}"
    if best.probability <= 1.0 - SETTLED or verdict.ruling is Ruling.KEEP:
        odds = 1.0 - best.probability
        return best.against, f"{verdict.round}: kept, no other setting is better with probability above {1 - odds:.3f}"
    return None


def _settle(draft: Draft, setting: Config, because: str, verdict: Verdict) -> None:
    """Hold every scientific hyperparameter at the winner's value and go on to minimise."""
    before = draft.design
    design, changes = before, []
    try:
        for item in before.scientific:
            if item not in design.scientific or item.name not in setting or not item.is_active(setting):
                continue
            if setting[item.name] not in item.domain:
                return  # a stretch of a range stands for no single value
            design = Fix(hyperparameter=item.label, value=setting[item.name], because=because).apply(design)
            key = path_of(design, find(design, item.label))
            changes.append(Change(key=key, text=f"settled, was {item.domain.describe()}", source="verdict D3"))
        if not design.scientific:
            design = replace(design, question=Question.MINIMIZE)
            text = f"was {before.question}: nothing is left to compare"
            changes.append(Change(key=("question",), text=text, source="verdict D3"))
    except (KeyError, InputError) as error:
        draft.left.append(f"settle {', '.join(setting)}: left out, it does not fit the design ({_short(error)})")
        return
    if changes:
        draft.make(design, changes, what=f"settle the question of {verdict.round}")


# -- the linter --------------------------------------------------------------------------------


def _warnings(design: Round) -> dict[tuple[str, str | None], Finding]:
    """What the linter has against a design, beside caveats."""
    found = (finding for finding in lint(design) if finding.severity is not Severity.NOTE)
    return {(finding.code, finding.subject.hyperparameter): finding for finding in found}


def _repair(draft: Draft, most: int) -> None:
    """Grant the trials the linter asks for, within reason."""
    for _ in range(3):
        asked = [finding for finding in _warnings(draft.design).values() if isinstance(finding.next, AddTrials)]
        wanted = max((finding.next.trials for finding in asked if isinstance(finding.next, AddTrials)), default=0)
        trials = min(wanted, most)
        if trials <= draft.design.search.trials:
            return
        reason = max(asked, key=lambda finding: finding.next.trials if isinstance(finding.next, AddTrials) else 0)
        text = f"was {draft.design.search.trials}: {reason.says}"
        change = Change(
            key=("search", "trials"), text=text, source=f"{reason.code} {reason.requirement}", finding=reason
        )
        draft.design = AddTrials(trials=trials).apply(draft.design)
        draft.changes = [other for other in draft.changes if other.key != change.key] + [change]


def _minimise(draft: Draft) -> None:
    """A round in which nothing is scientific has only one question left (R1)."""
    if draft.design.scientific or draft.design.question is Question.MINIMIZE:
        return
    text = f"was {draft.design.question}: nothing is scientific"
    change = Change(key=("question",), text=text, source="nothing_compared R1")
    draft.make(replace(draft.design, question=Question.MINIMIZE), [change], what="minimise")


def order_of_conflicts() -> str:
    """The order in which conflicting findings win, in words."""
    return ", then ".join(STAGE_WORDS[stage] for stage in Stage)
