"""Terminal, notebook and sheet: the words are all there, and stay words."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from show_builders import make_evidence

from tunebook.core.action import Widen
from tunebook.core.finding import Finding, Severity, Subject, Words
from tunebook.show.data.studies import study_summaries
from tunebook.show.data.table import trial_table
from tunebook.show.notebook import Summary, summary_html
from tunebook.show.sheet import COLUMNS, SheetRow, rows, to_csv, to_markdown, write_parquet
from tunebook.show.terminal import diagnosis_table, findings_view, plain, studies_view
from tunebook.show.words import action_text, confidence_text, next_step


def make(severity: Severity, says: str, confidence: float = 0.9, **more: object) -> Finding:
    return Finding(
        code="boundary",
        requirement="L2",
        severity=severity,
        words=Words(says=says, why="Because.", fix="Do it."),
        evidence={},
        confidence=confidence,
        **more,  # type: ignore[arg-type]
    )


FINDINGS = (
    make(Severity.NOTE, "A note."),
    make(Severity.BLOCKING, "Less sure.", 0.8),
    make(Severity.BLOCKING, "Surer.", 0.95, next=Widen(hyperparameter="lr", low=1e-4, high=10.0)),
    make(Severity.WARNING, "A warning.", subject=Subject(study="s1", trial="t1", hyperparameter="lr")),
)


def test_findings_in_plain_text_say_everything_in_order() -> None:
    text = plain(findings_view(FINDINGS))
    assert "2 blocking, 1 warning, 1 note" in text
    places = [text.index(said) for said in ("Surer.", "Less sure.", "A warning.", "A note.")]
    assert places == sorted(places)
    assert text.count("BLOCKING") == 2
    assert "very likely (95 %)" in text
    assert "Do it. [widen: hyperparameter lr, low 0.0001, high 10]" in text
    assert "study s1, trial t1, lr" in text
    assert "\x1b" not in text


def test_severity_has_a_colour_on_a_terminal() -> None:
    console = Console(force_terminal=True, color_system="truecolor", width=80)
    with console.capture() as captured:
        console.print(findings_view(FINDINGS))
    assert "\x1b[1;31mBLOCKING" in captured.get()


def test_markup_in_texts_is_text() -> None:
    hostile = "[bold red]x[/] [link=file:///]y[/link]"
    assert hostile in plain(findings_view([make(Severity.NOTE, hostile)]), width=200)


def test_no_findings_is_said_in_words() -> None:
    assert "No findings" in plain(findings_view([]))


@pytest.mark.parametrize(
    ("confidence", "said"),
    [
        (1.0, "certain"),
        (0.9999, "almost certain (99.9 %)"),
        (0.97, "very likely (97 %)"),
        (0.5, "about as likely as not (50 %)"),
        (0.1, "unlikely (10 %)"),
    ],
)
def test_confidence_in_words_and_number(confidence: float, said: str) -> None:
    assert confidence_text(confidence) == said


def test_actions_in_words() -> None:
    action = Widen(hyperparameter="lr", low=0.001, high=1.0)
    assert action_text(action) == "widen: hyperparameter lr, low 0.001, high 1"
    assert next_step(make(Severity.NOTE, "x")) == "Do it."


def test_studies_and_their_best() -> None:
    evidence = make_evidence(20)
    table = trial_table(evidence)
    text = plain(studies_view(study_summaries(table), "valid/error"))
    best = evidence.trials[int(table.order[0])]
    assert f"{best.name}: " in text
    assert "best valid/error" in text
    assert "use_dropout=false" in text


def test_diagnoses_with_scores() -> None:
    trial = {"trial": "t1", "study": "all", "best_step": 1300, "last_step": 1500}
    sick = trial | {"labels": ["overfitting"], "scores": {"overfitting": 0.934, "diverged": 0.1}}
    well = trial | {"trial": "t2", "labels": [], "scores": {"overfitting": 0.2}, "best_step": None}
    text = plain(diagnosis_table([sick, well]))
    assert "overfitting (0.93)" in text
    assert "diverged" not in text
    assert "1,300" in text
    assert text.count("–") == 2


def test_the_summary_reads_in_a_notebook_and_as_text() -> None:
    studies = study_summaries(trial_table(make_evidence(12)))
    summary = Summary(title="01-<b>", metric="valid/error", findings=FINDINGS, studies=studies)
    html = summary._repr_html_()
    assert "01-&lt;b&gt;" in html
    for finding in FINDINGS:
        assert finding.says in html
        assert finding.says in str(summary)
    assert html.index("Surer.") < html.index("A note.")
    assert "<script>x" not in summary_html([make(Severity.NOTE, "<script>x")], studies)


def hostile_row() -> SheetRow:
    evidence = make_evidence(4, names="=cmd|{}")
    return rows(
        evidence, design="rounds/01.toml", reproduce="tunebook run a.toml --trial {trial}", note="@SUM(A1)|<b>\nx"
    )[0]


def test_a_sheet_has_a_row_a_study_with_what_e7_asks_for() -> None:
    evidence = make_evidence(20)
    found = rows(evidence, design="rounds/01.toml", reproduce="tunebook repeat 01 --trial {trial}")
    assert [row.study for row in found] == ["use_dropout=false", "use_dropout=true"]
    assert sum(row.trials for row in found) == 20
    assert all(row.description == "Does dropout help?" and row.metric == "valid/error" for row in found)
    assert found[0].reproduce.endswith(found[0].best_trial or "?")


def test_csv_reads_back_and_holds_no_formula() -> None:
    text = to_csv([hostile_row()])
    (read,) = csv.DictReader(io.StringIO(text))
    assert list(read) == list(COLUMNS)
    assert read["best_trial"].startswith("'=cmd|")
    assert read["note"].startswith("'@SUM")
    assert float(read["best_value"]) == hostile_row().best_value
    assert not [cell for cell in read.values() if cell.startswith(("=", "+", "-", "@"))]


def test_negative_numbers_stay_numbers_in_csv() -> None:
    evidence = make_evidence(4)
    curves = {n: type(c)(c.offsets, c.steps, -c.values) for n, c in evidence.curves.items()}
    row, _ = rows(replace(evidence, curves=curves))
    (read,) = csv.DictReader(io.StringIO(to_csv([row])))
    assert float(read["best_value"]) < 0


def test_markdown_cells_cannot_end_their_row() -> None:
    lines = to_markdown([hostile_row()]).splitlines()
    assert len(lines) == 3
    unescaped = [line.replace("\\|", "").count("|") for line in lines]
    assert len(set(unescaped)) == 1
    assert "<b>" not in lines[2]
    assert "[rounds/01.toml](rounds/01.toml)" in lines[2]


def test_parquet_keeps_types_even_when_a_column_is_empty(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    row = hostile_row()
    path = tmp_path / "sheet.parquet"
    write_parquet([row], path)
    table = parquet.read_table(path)
    assert table.column_names == list(COLUMNS)
    assert table.to_pylist()[0]["best_trial"] == row.best_trial
    assert str(table.schema.field("best_value").type) == "double"
    assert str(table.schema.field("trials").type) == "int64"
