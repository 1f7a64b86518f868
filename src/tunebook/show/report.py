"""The report of one round: a single HTML file that opens from disk, with nothing loaded from elsewhere (L7, B3)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from tunebook._optional import require
from tunebook.core.finding import Finding
from tunebook.core.objective import Objective
from tunebook.core.round import Round
from tunebook.evidence import Evidence
from tunebook.show.data.numbers import short
from tunebook.show.data.page import Intervals, plot_data
from tunebook.show.data.studies import StudySummary, study_summaries
from tunebook.show.data.table import TrialTable
from tunebook.show.draw.drawing import Drawing, hover_lines
from tunebook.show.draw.page import Chapter, chapters
from tunebook.show.report_links import drawing_for
from tunebook.show.report_page import PAGE, POLICY, SCRIPT, STYLE
from tunebook.show.theme import template
from tunebook.show.words import (
    confidence_text,
    config_text,
    count_text,
    next_step,
    sorted_findings,
    subject_text,
)

#: Rows of the table of trials; the rest is in the store.
MOST_ROWS = 50


def render(
    evidence: Evidence,
    findings: Sequence[Finding] = (),
    *,
    objective: Objective | None = None,
    title: str = "",
    intervals: Intervals | None = None,
    caveats: Iterable[str] = (),
    reproduce: Iterable[str] = (),
    extra: Sequence[Chapter] = (),
) -> str:
    """The report as one HTML document, ``extra`` chapters before the round's own.

    ``intervals`` are drawn in the isolation plots (see ``plot_data``), ``caveats`` are sentences
    and ``reproduce`` command lines. ``MissingExtra`` when Plotly, whose script is put into the
    file, is not installed.
    """
    script = plotly_script()
    data = plot_data(evidence, objective, intervals, findings)
    told = (*extra, *chapters(data))
    title = title or evidence.name
    return PAGE.substitute(
        policy=POLICY,
        title=escape(title),
        style=STYLE,
        body="\n".join(
            [
                _head(title, evidence.round, data.table, told),
                finding_cards(findings, [drawing for chapter in told for drawing in chapter.drawings]),
                _studies(study_summaries(data.table), data.table),
                *[_chapter(number, chapter) for number, chapter in enumerate(told)],
                _trials(data.table),
                _caveats(evidence.round, caveats),
                _reproduce(reproduce),
            ]
        ),
        plots=plot_script([drawing for chapter in told for drawing in chapter.drawings], hover_lines(data.table)),
        plotly=script,
        script=SCRIPT,
    )


def plotly_script() -> str:
    """Plotly's own script, from inside its Python package."""
    require("plotly")
    return files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")


def plot_script(drawings: Sequence[Drawing], hover: Sequence[str] = ()) -> str:
    """The drawings as the page's script wants them; ``hover`` says what pointing at each trial shows."""
    return _script_safe(
        {
            "templates": {"light": template("light"), "dark": template("dark")},
            "hover": list(hover),
            "drawings": {drawing.id: _without_title(drawing) for drawing in drawings},
        }
    )


def _without_title(drawing: Drawing) -> dict[str, Any]:
    mapping = drawing.to_mapping()
    layout = {key: value for key, value in mapping["layout"].items() if key != "title"}
    return {"data": mapping["data"], "layout": {"margin": {"l": 60, "r": 16, "t": 44, "b": 48}, **layout}}


def _script_safe(value: Any) -> str:
    """JSON that can stand inside of a script element: no ``<`` can end it; null where numbers overflowed."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        known = json.loads(json.dumps(value), parse_constant=lambda _: None)
        text = json.dumps(known, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _head(title: str, design: Round, table: TrialTable, told: Sequence[Chapter]) -> str:
    objective = table.objective
    n_infeasible, n_studies = int(table.infeasible.sum()), len(study_summaries(table))
    facts = [
        f"Question: {design.question}.",
        f"Objective: {objective.metric}, {objective.direction}, {objective.reduction}.",
        f"{count_text(len(table), 'trial')} in {n_studies:,} {'study' if n_studies == 1 else 'studies'}, "
        f"{n_infeasible:,} infeasible.",
    ]
    places = [("findings", "Findings"), ("studies", "Studies")]
    places += [(f"chapter-{number}", chapter.title) for number, chapter in enumerate(told)]
    places += [("trials", "Trials"), ("caveats", "Caveats")]
    links = "".join(f'<a href="#{place}">{escape(words)}</a>' for place, words in places)
    return (
        f"<header><h1>{escape(title)}</h1><p>{escape(design.goal)}</p>"
        f'<p class="quiet">{escape(" ".join(facts))}</p><nav aria-label="Contents">{links}</nav>'
        "<noscript><p>The plots need JavaScript; everything in words is here without it.</p></noscript></header>"
    )


def finding_cards(findings: Sequence[Finding], shown: Sequence[Drawing] = ()) -> str:
    """The section of findings, each with a link to the drawing that shows it, where one of ``shown`` does."""
    drawings = {drawing.id: drawing for drawing in shown}
    cards = "\n".join(_card(finding, drawings) for finding in sorted_findings(list(findings)))
    nothing = (
        "<p>No check found anything to say. That is not proof that all is well: see how many trials there were.</p>"
    )
    return f'<section id="findings"><h2>Findings</h2><div class="cards">{cards or nothing}</div></section>'


def _card(finding: Finding, drawings: dict[str, Drawing]) -> str:
    shown = drawing_for(finding, drawings)
    link = f' <a href="#{shown.id}">See the plot: {escape(shown.title)}</a>' if shown else ""
    step = next_step(finding)
    about = subject_text(finding)
    return (
        f'<article class="card {finding.severity}"><p><span class="severity">{finding.severity}</span> '
        f'<span class="quiet">{escape(finding.code)} · {escape(finding.requirement)}'
        f"{' · ' + escape(about) if about else ''} · {escape(confidence_text(finding.confidence))}</span></p>"
        f'<p class="says">{escape(finding.says)}</p><p>{escape(finding.why)}{link}</p>'
        + (f'<p class="next"><strong>Next:</strong> {escape(step)}</p>' if step else "")
        + "</article>"
    )


def _studies(summaries: Sequence[StudySummary], table: TrialTable) -> str:
    head = (
        "study",
        "trials",
        "complete",
        "infeasible",
        "failed",
        f"best {table.objective.metric}",
        "step",
        "best trial",
    )
    rows = [
        [
            item.study,
            f"{item.trials:,}",
            f"{item.complete:,}",
            f"{item.infeasible:,}",
            f"{item.failed:,}",
            short(item.best.value) if item.best else "–",
            f"{item.best.step:,}" if item.best else "–",
            f"{item.best.trial}: {config_text(item.best.config)}" if item.best else "no trial has a finite objective",
        ]
        for item in summaries
    ]
    return f'<section id="studies"><h2>Studies</h2>{html_table(head, rows, names=(0, 7))}</section>'


def _chapter(number: int, chapter: Chapter) -> str:
    captions = {drawing.caption for drawing in chapter.drawings}
    common = captions.pop() if len(chapter.drawings) > 1 and len(captions) == 1 else ""
    figures = "\n".join(figure_block(drawing, has_caption=not common) for drawing in chapter.drawings)
    shared = f'<p class="quiet">{escape(common)}</p>' if common else ""
    title = f"<h2>{escape(chapter.title)}</h2>{shared}"
    return f'<section id="chapter-{number}">{title}<div class="plots">{figures}</div></section>'


def figure_block(drawing: Drawing, *, has_caption: bool = True) -> str:
    """The place of one drawing, which the script fills."""
    title = escape(drawing.title)
    caption = drawing.caption if has_caption else ""
    wide = ' class="wide"' if drawing.is_wide else ""
    return (
        f'<figure id="{drawing.id}"{wide}><h3>{title}</h3>'
        f'<div id="{drawing.id}-plot" role="img" aria-label="{title}" style="height:{drawing.height}px"></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _trials(table: TrialTable) -> str:
    shown = table.order[:MOST_ROWS].tolist()
    head = ("rank", "trial", "study", table.objective.metric, "step", "configuration")
    rows = [
        [
            str(rank),
            table.names[trial],
            table.studies[table.study[trial]],
            short(float(table.values[trial])),
            f"{table.steps[trial]:,}",
            config_text(table.configs[trial]),
        ]
        for rank, trial in enumerate(shown, start=1)
    ]
    note = f"The best {len(shown):,} of {count_text(len(table), 'trial')}. {_left_out(table)}"
    return (
        f'<section id="trials"><h2>Trials</h2><p>{escape(note)}</p>{html_table(head, rows, names=(1, 2, 5))}</section>'
    )


def _left_out(table: TrialTable) -> str:
    statuses = [
        table.statuses[trial] for trial in np.flatnonzero(~table.infeasible & ~np.isfinite(table.values)).tolist()
    ]
    parts = [f"{int(table.infeasible.sum()):,} infeasible"]
    parts += [f"{statuses.count(status):,} {status}" for status in dict.fromkeys(statuses)]
    return f"Without a value in this table: {', '.join(parts)}."


def _caveats(design: Round, caveats: Iterable[str]) -> str:
    fixed = [
        f"{item.label} was held at {item.domain.describe()}"
        + (f" ({because})" if (because := getattr(item.domain, "because", "")) else "")
        + ": the conclusions hold for that value."
        for item in design.fixed
    ]
    items = "".join(f"<li>{escape(text)}</li>" for text in [*caveats, *fixed])
    listed = f"<ul>{items}</ul>" if items else "<p>Nothing was held fixed, and no caveat was recorded.</p>"
    return f'<section id="caveats"><h2>Caveats</h2>{listed}</section>'


def _reproduce(commands: Iterable[str]) -> str:
    lines = "\n".join(commands)
    return f'<section id="reproduce"><h2>How to reproduce</h2><pre>{escape(lines)}</pre></section>' if lines else ""


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], names: Sequence[int] = ()) -> str:
    """A table of escaped texts; the columns ``names`` hold words, all others numbers."""
    kinds = ["name" if number in names else "number" for number in range(len(head))]
    titles = "".join(
        f'<th scope="col" class="{kind}">{escape(text)}</th>' for kind, text in zip(kinds, head, strict=True)
    )
    body = "\n".join(
        "<tr>"
        + "".join(f'<td class="{kind}">{escape(text)}</td>' for kind, text in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'
