"""What the guided procedures show: plots from the numbers that a conclusion holds, and from nothing else.

The numbers may be those of ``Conclusion.numbers`` or the same read back from JSON, where what is not finite is null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tunebook.evidence import FloatArray
from tunebook.show.data.numbers import wants_log
from tunebook.show.data.plot import Plot, Scale, Series, Style, wall

Numbers: TypeAlias = Mapping[str, Any]
Made: TypeAlias = Iterator[Plot]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

#: Shares of a step below this, drawn on a log axis, lie on the line itself.
SEEN = 0.05
#: Points of a fitted curve.
N_FINE = 100

THROUGHPUT = (
    "Throughput against batch size, medians with the range of the repeats. The dashed line is what every doubling "
    "would give if a step took no longer. The answer is the largest size up to which each doubling pays."
)
STEP_SECONDS = (
    "Seconds per step, and how much of it is waiting for data. Where a step takes no longer with twice the examples, "
    "the larger batch is free."
)
FIT = (
    "Steps in which each constant learning rate fits the training set perfectly. Crosses never did. The fastest rate "
    "has to lie between slower ones, else a faster one may lie outside of the sweep."
)
CLOSEST = "How close each learning rate came to a perfect fit of the training set; the dashed line is a perfect fit."
BEST_STEPS = (
    "When each trial of the sweep was best on the objective. Where nearly all were best early, much of the run is for "
    "fitting the training set and not for the objective."
)
SWEEP = (
    "The objective against the learning rate. Crosses are rates at which at least half of the runs were unstable: "
    "the loss rose by more than a third of what a good run gains, or training ended, which is drawn at the edge. "
    "Trouble within ten times the best rate (grey) is what instability is judged by."
)
SURVIVORS = (
    "Warmups that were tried at {base:.3g}, from which on the rate stays constant for twice as long. Crosses did not "
    "survive; the answer is the shortest that did."
)
WHOLE = (
    "Whole runs with the warmup, against the runs without it. Crosses were unstable. The warmup mends the trouble when "
    "the rates that failed before survive, and is worth it when their objective is better."
)
NORMS = (
    "Gradient norms before clipping at the best learning rate, without the first tenth of the run. The threshold "
    "starts at the 90th percentile and is halved where that does not mend the trouble."
)
CLIPPED = (
    "Whole runs with gradients clipped at {threshold:.3g}, against the runs without. Crosses were unstable. Clipping "
    "mends the trouble when the rates that failed before survive."
)
STEPS_TO_GOAL = (
    "Steps of the fastest trial to {goal:.4g} against batch size, each size tuned anew. Along the dashed line twice "
    "the batch halves the steps (perfect scaling); where the fit leaves it returns diminish, and where it is flat "
    "nothing is saved. The critical size is between the two{interval}."
)
RATES = (
    "The learning rates of the fastest trials, divided by one minus the momentum where there is one, against the "
    "linear and the square-root rule from the smallest size on. No rule holds for all workloads."
)
BUDGETS = (
    "The best value within {steps} steps, and within {examples} examples (the same number of epochs). Steps favour "
    "large batches and examples small ones, so neither is a fair comparison of batch sizes."
)


def guided_plots(procedure: str, numbers: Numbers) -> tuple[Plot, ...]:
    """The plots of one procedure, named as its command is; empty where nothing was measured."""
    return tuple(PLOTS[procedure](numbers))


def _batch_size(numbers: Numbers) -> Made:
    rows = numbers.get("sizes") or []
    if not rows:
        return
    sizes, rates, seconds = (_column(rows, key) for key in ("batch_size", "examples_per_second", "seconds_per_step"))
    lows, highs = (_column(rows, key) for key in ("low", "high"))
    waits = _column(rows, "wait_share")
    measured = Series(name="measured", x=sizes, y=rates, style=Style.LINKED, low=sizes / highs, high=sizes / lows)
    ideal = Series(name="every doubling for free", x=sizes, y=rates[0] * sizes / sizes[0], style=Style.DASHED)
    marks = [(f"pays up to {numbers['knee']}", float(numbers["knee"]))]
    unfit = numbers.get("smallest_that_does_not_fit")
    marks += [(f"{unfit} does not fit", float(unfit))] if unfit else []
    free = [Series(name="if data never had to be waited for", x=sizes, y=rates / (1 - waits), style=Style.LINE)]
    x = Scale(label="batch size", is_log=True, ticks=tuple(sizes))
    yield Plot(
        id="throughput",
        title="Throughput",
        caption=THROUGHPUT,
        x=x,
        y=Scale(label="examples per second", is_log=True),
        series=(ideal, *(free if (waits > SEEN).any() else ()), measured),
        marks=tuple(marks),
    )
    waiting = [Series(name="waiting for data", x=sizes, y=seconds * waits, style=Style.LINKED)]
    yield Plot(
        id="step-seconds",
        title="Seconds per step",
        caption=STEP_SECONDS,
        x=x,
        y=Scale(label="seconds", is_log=True),
        series=(
            Series(name="step", x=sizes, y=seconds, style=Style.LINKED, low=lows, high=highs),
            *(waiting if (waits > 0).any() else ()),
        ),
    )


def _steps(numbers: Numbers) -> Made:
    rates, steps, closest = (_array(numbers[key]) for key in ("rates", "steps_to_fit", "closest"))
    x = Scale(label="learning rate", is_log=True)
    found = numbers["max_train_steps"]
    yield Plot(
        id="steps-to-fit",
        title="Steps to a perfect fit",
        caption=FIT,
        x=x,
        y=Scale(label=f"steps to {numbers['metric']} = {numbers['perfect']:g}", is_log=True),
        series=_with_crosses("perfect fit", "no perfect fit", rates, steps, 1, is_log=True),
        marks=((f"fastest: {found} steps", float(rates[np.nanargmin(steps)])),) if found else (),
    )
    perfect = np.full(2, float(numbers["perfect"]))
    yield Plot(
        id="closest-fit",
        title="How close each rate came",
        caption=CLOSEST,
        x=x,
        y=Scale(label=str(numbers["metric"])),
        series=(
            Series(name="perfect", x=rates[[0, -1]], y=perfect, style=Style.DASHED),
            *_with_crosses("closest value", "diverged", rates, closest, 1 if perfect[0] <= np.nanmin(closest) else -1),
        ),
    )
    yield _histogram("best-step", "Steps at which trials were best", BEST_STEPS, "step", numbers["histogram"], "trials")


def _sweep(numbers: Numbers) -> Plot:
    rates, values, shares = (_array(numbers[key]) for key in ("rates", "objective", "unstable_share"))
    best, unstable = numbers["best_rate"], numbers["unstable_rate"]
    marks = [("best", best), ("unstable", unstable)]
    if best is not None and best == unstable:
        marks = [("best, and unstable", best)]
    return _over_rates(
        numbers,
        name="sweep",
        title="Objective against learning rate",
        caption=SWEEP,
        runs=("stable", rates, values, shares >= 0.5),
        marks=tuple((label, float(at)) for label, at in marks if at is not None),
        band=(float(best), 10 * float(best)) if best is not None else None,
    )


def _over_rates(
    numbers: Numbers,
    *,
    name: str,
    title: str,
    caption: str,
    runs: tuple[str, FloatArray, FloatArray, BoolArray],
    marks: tuple[tuple[str, float], ...],
    before: Series | None = None,
    band: tuple[float, float] | None = None,
) -> Plot:
    """The objective at some rates: linked where runs were stable, crosses where they were not, at the edge where those
    reached nothing. ``runs``: the name of the stable ones, rates, values, and which were unstable.
    """
    stable, rates, values, is_bad = runs
    every = np.concatenate([values, *([before.y] if before else [])])
    is_log = wants_log(every)
    edge = wall(every, 1 if numbers["direction"] == "minimize" else -1, is_log=is_log)
    is_good = ~is_bad & np.isfinite(values)
    crosses = np.where(np.isfinite(values), values, edge)[~is_good]
    series = [
        *([before] if before else []),
        Series(name=stable, x=rates[is_good], y=values[is_good], style=Style.LINKED),
        Series(name="unstable", x=rates[~is_good], y=crosses, style=Style.CROSSES),
    ]
    return Plot(
        id=name,
        title=title,
        caption=caption,
        x=Scale(label="learning rate", is_log=True),
        y=Scale(label=_better(numbers), is_log=is_log),
        series=tuple(one for one in series if len(one.x)),
        marks=marks,
        band=band,
    )


def _stability(numbers: Numbers) -> Made:
    if len(numbers.get("rates", ())):
        yield _sweep(numbers)


def _warmup(numbers: Numbers) -> Made:
    yield from _stability(numbers)
    if not numbers.get("lengths"):
        return
    lengths = np.array([float(length) for length in numbers["lengths"]])
    survives = np.array(list(numbers["lengths"].values()), dtype=bool)
    order = np.argsort(lengths)
    found = numbers["warmup_steps"]
    yield Plot(
        id="survivors",
        title="Which warmups survive",
        caption=SURVIVORS.format(base=numbers["base_rate"]),
        x=Scale(label="warmup (steps)", is_log=True, ticks=tuple(lengths[order])),
        y=Scale(label="", ticks=(0.0, 1.0), words=("fails", "survives")),
        series=(
            Series(name="survives", x=lengths[survives], y=np.ones(int(survives.sum()))),
            Series(name="does not", x=lengths[~survives], y=np.zeros(int((~survives).sum())), style=Style.CROSSES),
        ),
        marks=((f"{found} steps", float(found)),) if found else (),
    )
    if numbers["finals"]:
        yield _against_sweep("whole-runs", "Whole runs with the warmup", WHOLE, numbers, numbers["finals"])


def _clipping(numbers: Numbers) -> Made:
    yield from _stability(numbers)
    if not numbers.get("runs"):
        return
    marks = [("90th percentile", numbers["first_threshold"])]
    threshold = numbers["threshold"]
    if threshold is not None and threshold != numbers["first_threshold"]:
        marks.append((f"clipped at {threshold:.3g}", threshold))
    if len(numbers["norms"]["counts"]):
        yield _histogram(
            "norms", "Gradient norms", NORMS, "gradient norm", numbers["norms"], "steps", marks, is_log=True
        )
    last = numbers["runs"][-1]["threshold"]
    runs = [run for run in numbers["runs"] if run["threshold"] == last]
    yield _against_sweep("clipped-runs", "Whole runs with clipping", CLIPPED.format(threshold=last), numbers, runs)


def _against_sweep(name: str, title: str, caption: str, numbers: Numbers, runs: list[dict[str, Any]]) -> Plot:
    """Whole runs at some rates beside the sweep that went before."""
    rates, keys, shares = (_column(runs, key) for key in ("rate", "key", "unstable"))
    sign = 1 if numbers["direction"] == "minimize" else -1
    unstable = numbers["unstable_rate"]
    return _over_rates(
        numbers,
        name=name,
        title=title,
        caption=caption,
        runs=("survives", rates, sign * keys, shares > 0),
        marks=(("unstable without", float(unstable)),) if unstable is not None else (),
        before=Series(name="without", x=_array(numbers["rates"]), y=_array(numbers["objective"]), style=Style.DASHED),
    )


def _scaling(numbers: Numbers) -> Made:
    rows = [row for row in numbers["sizes"] if row["steps"] is not None]
    if rows:
        yield _steps_to_goal(numbers, rows)
    found = numbers.get("best_rates")
    if found:
        yield _best_rates(found)
    budgets = numbers["budgets"]
    sizes = _array(budgets["batch_sizes"])
    yield Plot(
        id="budgets",
        title="A budget of steps and one of epochs",
        caption=BUDGETS.format(steps=budgets["steps"], examples=budgets["examples"]),
        x=Scale(label="batch size", is_log=True, ticks=tuple(sizes)),
        y=Scale(label="best value within the budget"),
        series=(
            Series(name=f"{budgets['steps']} steps", x=sizes, y=_array(budgets["best_by_steps"]), style=Style.LINKED),
            Series(
                name=f"{budgets['examples']} examples",
                x=sizes,
                y=_array(budgets["best_by_examples"]),
                style=Style.LINKED,
            ),
        ),
    )


def _steps_to_goal(numbers: Numbers, rows: list[dict[str, Any]]) -> Plot:
    sizes, steps = _column(rows, "batch_size"), _column(rows, "steps")
    series = [Series(name="fastest trial", x=sizes, y=steps)]
    series.append(Series(name="perfect scaling", x=sizes, y=steps[0] * sizes[0] / sizes, style=Style.DASHED))
    marks: tuple[tuple[str, float], ...] = ()
    band, interval = None, ""
    if "critical_batch_size" in numbers:
        fine = np.geomspace(sizes[0], sizes[-1], N_FINE)
        least, examples, power = (float(numbers[key]) for key in ("least_steps", "least_examples", "sharpness"))
        perfect = Series(name="perfect scaling", x=fine, y=examples / fine, style=Style.DASHED)
        fit = Series(name="fit", x=fine, y=(least**power + (examples / fine) ** power) ** (1 / power), style=Style.LINE)
        series = [series[0], perfect, fit]
        marks = ((f"critical {numbers['critical_batch_size']:.3g}", float(numbers["critical_batch_size"])),)
        if numbers["interval"] is not None:
            band, interval = (float(numbers["interval"][0]), float(numbers["interval"][1])), ", its 95 % interval grey"
    return Plot(
        id="steps-to-goal",
        title="Steps to the goal",
        caption=STEPS_TO_GOAL.format(goal=numbers["goal"], interval=interval),
        x=Scale(label="batch size", is_log=True, ticks=tuple(sizes)),
        y=Scale(label="steps", is_log=True),
        series=tuple(series),
        marks=marks,
        band=band,
    )


def _best_rates(found: Numbers) -> Plot:
    sizes, rates = _array(found["batch_sizes"]), _array(found["rates"])
    growth = sizes / sizes[0]
    return Plot(
        id="best-rates",
        title="Best learning rates",
        caption=RATES,
        x=Scale(label="batch size", is_log=True, ticks=tuple(sizes)),
        y=Scale(label="effective learning rate", is_log=True),
        series=(
            Series(name="linear rule", x=sizes, y=rates[0] * growth, style=Style.DASHED),
            Series(name="square-root rule", x=sizes, y=rates[0] * growth**0.5, style=Style.LINE),
            Series(name="fastest trial", x=sizes, y=rates),
        ),
    )


def _histogram(
    name: str,
    title: str,
    caption: str,
    label: str,
    found: Numbers,
    counted: str,
    marks: list[tuple[str, float]] | None = None,
    *,
    is_log: bool = False,
) -> Plot:
    bars = Series(name=counted, x=_array(found["edges"]), y=_array(found["counts"]), style=Style.BARS)
    return Plot(
        id=name,
        title=title,
        caption=caption,
        x=Scale(label=label, is_log=is_log),
        y=Scale(label=counted),
        series=(bars,),
        marks=tuple((text, float(at)) for text, at in marks or ()),
    )


def _with_crosses(
    good: str, bad: str, x: FloatArray, y: FloatArray, sign: int, *, is_log: bool = False
) -> tuple[Series, ...]:
    """A linked series of what is finite, and crosses at the wall for the rest."""
    known = np.isfinite(y)
    series = [Series(name=good, x=x[known], y=y[known], style=Style.LINKED)] if known.any() else []
    if not known.all():
        edge = np.full(int((~known).sum()), wall(y, sign, is_log=is_log))
        series.append(Series(name=bad, x=x[~known], y=edge, style=Style.CROSSES))
    return tuple(series)


def _better(numbers: Numbers) -> str:
    return f"{numbers['metric']} ({'lower' if numbers['direction'] == 'minimize' else 'higher'} is better)"


def _column(rows: list[dict[str, Any]], key: str) -> FloatArray:
    return _array([row[key] for row in rows])


def _array(values: Any) -> FloatArray:
    """As numbers; null is NaN."""
    return np.array(values, dtype=np.float64)


#: Procedure, as its command is called -> what makes its plots.
PLOTS: Mapping[str, Callable[[Numbers], Made]] = MappingProxyType(
    {
        "batch-size": _batch_size,
        "steps": _steps,
        "stability": _stability,
        "warmup": _warmup,
        "clipping": _clipping,
        "scaling": _scaling,
    }
)
