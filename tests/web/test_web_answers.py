from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import web_kit
from starlette.testclient import TestClient
from web_kit import NASTY, change, client_of, make_project, unpacked

from tunebook.core.round import Round
from tunebook.project import Project
from tunebook.run.folders import OUTPUT, attempt_folder, trial_folder
from tunebook.show.data.curves import FRONT_POINTS
from tunebook.web import round_page
from tunebook.web.project_page import part_of

NAME = "01-dropout"


def packed(client: TestClient, name: str, **query: str) -> Any:
    answer = client.get(f"/api/{name}", params=query)
    assert answer.status_code == 200, answer.text
    return unpacked(answer.content)


def drawings(document: Any) -> dict[str, Any]:
    return {drawing["id"]: drawing for chapter in document["chapters"] for drawing in chapter["drawings"]}


def test_a_round_arrives_whole(client: TestClient, paged: Project) -> None:
    found = packed(client, "round", round=NAME)
    evidence = paged.evidence(NAME)
    assert found["table"]["names"] == [trial.name for trial in evidence.trials]
    np.testing.assert_allclose(found["table"]["values"], evidence.scores().values, rtol=1e-3)
    assert found["counts"]["complete"] + found["counts"]["infeasible"] == len(evidence.trials)
    rate = next(column for column in found["columns"] if column["name"] == "learning_rate")
    np.testing.assert_allclose(rate["x"], [trial.config["learning_rate"] for trial in evidence.trials], rtol=1e-3)
    word = next(column for column in found["columns"] if column["name"] == "activation")
    assert [word["categories"][place] for place in word["x"]] == [
        trial.config["activation"] for trial in evidence.trials
    ]


def test_lines_say_whose_they_are(client: TestClient, paged: Project) -> None:
    plot = drawings(packed(client, "round", round=NAME))["curves-0"]
    evidence = paged.evidence(NAME)
    seen = set()
    for trace in plot["data"]:
        if "trials" not in trace:
            seen |= {trace["trial"]} if "trial" in trace else set()
            continue
        parts = np.split(trace["y"], np.flatnonzero(np.isnan(trace["x"])) + 1)[:-1]
        assert len(parts) == len(trace["trials"])
        for number, part in zip(trace["trials"].tolist(), parts, strict=True):
            logged = evidence.curves["valid/error"][number][1]
            np.testing.assert_allclose(part[:-1][:3], logged[:3], rtol=1e-3)
        seen |= set(trace["trials"].tolist())
    assert seen == set(range(len(evidence.trials)))


def test_curves_of_other_metrics_come_when_asked_for(client: TestClient) -> None:
    later = drawings(packed(client, "round", round=NAME))["curves-1"]
    assert later["data"] is None
    assert packed(client, "plot", round=NAME, id="curves-1")["data"]


def test_zooming_brings_back_every_point(tmp_path: Path) -> None:
    root = tmp_path / "long"
    with make_project(root, n_trials=4, n_repeats=0) as project:
        random = np.random.default_rng(1)
        config = {"use_dropout": True, "learning_rate": 0.01, "activation": "relu", "batch_size": 64}
        made = web_kit.trial(900, config, 7, web_kit.TrialPurpose.SEARCH, random, 30)
        steps = np.arange(100_000)
        values = 0.5 + 0.1 * np.sin(steps)
        made.curves["valid/error"] = (steps, values)
        project.store.import_round(
            "02-long", web_kit.design("02-long", 4), [made], now=datetime(2026, 1, 3, tzinfo=UTC), origin="x"
        )
        with client_of(project) as client:
            whole = drawings(packed(client, "round", round="02-long"))["curves-0"]
            near = packed(client, "plot", round="02-long", id="curves-0", low="5000", high="5100")
    full = next(trace for trace in whole["data"] if "trial" in trace and len(trace["x"]))
    assert len(full["x"]) <= FRONT_POINTS + 2
    part = next(trace for trace in near["data"] if "trial" in trace and len(trace["x"]))
    inside = (part["x"] >= 5000) & (part["x"] <= 5100)
    assert inside.sum() == 101
    np.testing.assert_allclose(part["y"][inside], values[5000:5101], rtol=1e-3)
    assert part["x"][0] < 5000  # the line reaches the edge of the window
    assert part["x"][-1] > 5100


def test_another_objective_recomputes_everything(client: TestClient) -> None:
    own = packed(client, "round", round=NAME)
    other = packed(client, "round", round=NAME, objective="train/loss final maximize")
    assert other["objective"]["metric"] == "train/loss"
    assert other["own_objective"]["metric"] == "valid/error"
    assert own["table"]["order"].tolist() != other["table"]["order"].tolist()
    best = other["table"]["values"][other["table"]["order"][0]]
    assert best == np.nanmax(other["table"]["values"])
    answer = client.get("/api/round", params={"round": NAME, "objective": "no/such"})
    assert answer.status_code == 400
    assert "valid/error" in answer.json()["error"]


def test_findings_open_plots_that_are_there(client: TestClient) -> None:
    found = packed(client, "findings", round=NAME)
    known = {*drawings(packed(client, "round", round=NAME)), *(one["id"] for one in found["derived"])}
    assert found["is_current"]
    assert found["cards"]
    ranks = [["blocking", "warning", "note"].index(card["severity"]) for card in found["cards"]]
    assert ranks == sorted(ranks)
    assert {card["plot"] for card in found["cards"] if card["plot"]} <= known
    region = next(card for card in found["cards"] if card["code"] == "infeasible_region")
    words = [note["text"] for note in found["layouts"][region["plot"]]["annotations"]]
    assert any("infeasible" in word for word in words)


def test_a_trial_is_told_with_its_differences_from_the_baseline(client: TestClient, paged: Project) -> None:
    paged.adopt(paged.decide(NAME), note="first")
    found = packed(client, "trial", round=NAME, trial="trial-0004", diagnosed="1")
    rows = {row["name"]: row for row in found["config"]}
    assert rows["learning_rate"]["differs"]
    assert not rows["batch_size"]["differs"]
    assert found["diagnosis"]
    assert [line["metric"] for line in found["curves"][0]["lines"]] == ["train/error", "valid/error"]
    repeated = packed(client, "trial", round=NAME, trial="trial-0001")
    assert len(repeated["repeats"]) == 5
    nasty = packed(client, "trial", round=NAME, trial=NASTY)
    assert nasty["trial"] == NASTY


def test_the_end_of_the_output_is_shown_and_nothing_outside(client: TestClient, paged: Project, tmp_path: Path) -> None:
    def output() -> Any:
        return packed(client, "trial", round=NAME, trial="trial-0004")["output"]

    assert output() is None
    folder = trial_folder(paged.root, NAME, "trial-0004")
    for number in (1, 2, 10):
        attempt_folder(folder, number).mkdir(parents=True)
        (attempt_folder(folder, number) / OUTPUT).write_text("x" * 30_000 + f"the end of {number}\xff")
    assert output()["attempt"] == 10
    assert output()["text"].endswith("the end of 10\xff")
    assert output()["is_cut"]
    secret = tmp_path / "secret"
    secret.write_text("secret")
    newest = attempt_folder(folder, 10) / OUTPUT
    newest.unlink()
    newest.symlink_to(secret)
    assert output() is None


def test_the_comparison_has_both_probabilities_and_every_run(client: TestClient, paged: Project) -> None:
    found = packed(client, "compare", round=NAME)
    verdict = paged.decide(NAME)
    assert found["verdict"]["configuration"]["probability_of_improvement"] == verdict.configuration.probability
    assert found["verdict"]["settings"][0]["probability_of_improvement"] == verdict.settings[0].probability
    assert [row["part"] for row in found["repeats"][:2]] in (["candidate", "baseline"], ["baseline", "candidate"])
    assert all(len(row["values"]) == 5 for row in found["repeats"][:2])
    isolated = found["isolation"][0]["data"]
    best = next(trace for trace in isolated if trace["name"] == "best of each setting")
    assert best["error_y"]["visible"]
    assert found["next_name"] == "02-next"


def test_a_round_without_a_verdict_says_why(client: TestClient, paged: Project) -> None:
    planned = web_kit.design("02-planned", 4)
    paged.store.save_round("02-planned", planned, now=datetime(2026, 1, 3, tzinfo=UTC))
    found = packed(client, "compare", round="02-planned")
    assert found["verdict"] is None
    assert found["why_not"]
    assert client.get("/api/verdict", params={"round": "02-planned"}).json()["why_not"] == found["why_not"]
    assert packed(client, "round", round="02-planned")["table"]["names"] == []


def test_adopting_writes_the_launch_that_was_shown(client: TestClient, paged: Project) -> None:
    shown = packed(client, "compare", round=NAME)["verdict"]
    assert shown["verdict"] == "adopt"
    fields = {"round": NAME, "candidate": shown["candidate"]["trial"], "verdict": "adopt", "note": "it is better"}
    stale = change(client, "adopt", {**fields, "candidate": "trial-0000"})
    assert stale.status_code == 409
    assert paged.launches() == []
    assert change(client, "adopt", fields).json() == {"launch": 0, "trial": shown["candidate"]["trial"]}
    [launch] = paged.launches()
    assert launch.note == "it is better"
    story = client.get("/api/project").json()
    assert story["current"] == 0
    assert story["rounds"][0]["launches"] == [0]
    low, high = story["improvement"]["low"], story["improvement"]["high"]
    assert low < story["improvement"]["estimate"] < high


def test_keeping_the_baseline_is_recorded(client: TestClient, paged: Project) -> None:
    assert change(client, "keep", {"round": NAME, "note": "not now"}).json()["entry"] == 0
    [said] = paged.store.notes(NAME)
    assert "not now" in said.text
    [entry] = paged.launches()
    assert (entry.keeps, entry.round, entry.note) == (True, NAME, "not now")
    story = client.get("/api/project").json()
    assert (story["current"], story["improvement"]) == (None, None)


def test_the_next_design_is_saved_and_reads_back(client: TestClient, paged: Project) -> None:
    proposed = client.get("/api/next", params={"round": NAME}).json()
    assert change(client, "save-next", {"round": NAME, "name": proposed["name"]}).status_code == 200
    path = paged.root / "rounds" / f"{proposed['name']}.toml"
    assert Round.load(path).scientific == paged.store.design(NAME).scientific
    before = path.read_text()
    assert change(client, "save-next", {"round": NAME, "name": proposed["name"]}).status_code == 400
    assert path.read_text() == before
    assert client.get("/api/next", params={"round": NAME}).json()["name"] == "03-next"


def test_the_newest_note_of_a_round_is_in_the_sheet(client: TestClient) -> None:
    for words in ("first", "=HYPERLINK(1)"):
        assert change(client, "note", {"round": NAME, "note": words}).status_code == 200
    rows = client.get("/api/sheet").json()["rows"]
    assert {row["note"] for row in rows} == {"=HYPERLINK(1)"}
    answer = client.get("/api/sheet-file", params={"form": "csv"})
    assert "'=HYPERLINK(1)" in answer.text
    assert answer.headers["content-disposition"].startswith("attachment")
    assert client.get("/api/sheet-file", params={"form": "exe"}).status_code == 400
    assert change(client, "note", {"round": NAME, "trial": "no-such", "note": "x"}).status_code == 400
    assert change(client, "note", {"round": NAME, "note": ["x"]}).status_code == 400


def test_what_the_curves_show_counts_trials(client: TestClient, paged: Project) -> None:
    found = client.get("/api/diagnoses", params={"round": NAME}).json()
    report = paged.curves(NAME)
    for label, names in found["labels"].items():
        assert names == [one.trial for one in report.trials if label in one.labels]
    assert "diverged" in found["labels"]


def test_a_large_answer_is_compressed_when_the_browser_can(client: TestClient) -> None:
    small = client.get("/api/round", params={"round": NAME}, headers={"accept-encoding": "gzip"})
    plain = client.get("/api/round", params={"round": NAME}, headers={"accept-encoding": "identity"})
    assert small.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert small.content == plain.content


def test_unknown_rounds_and_plots_are_named(client: TestClient) -> None:
    assert "01-dropout" in client.get("/api/round", params={"round": "01-dropot"}).json()["error"]
    assert client.get("/api/plot", params={"round": NAME, "id": "curves-9", "low": "0", "high": "1"}).status_code == 400
    assert client.get("/api/plot", params={"round": NAME, "id": "curves-0", "low": "x", "high": "1"}).status_code == 400
    assert client.get("/api/verdict", params={"round": NAME, "complexity": "huge"}).status_code == 400
    assert client.get("/api/trial", params={"round": NAME, "trial": "nope"}).status_code == 400


def test_the_next_name_passes_files_and_rounds(client: TestClient, paged: Project) -> None:
    (paged.root / "rounds").mkdir()
    (paged.root / "rounds" / "07-other.toml").write_text("")
    assert packed(client, "compare", round=NAME)["next_name"] == "08-next"


def test_a_window_says_whose_lines_it_has(tmp_path: Path) -> None:
    with make_project(tmp_path / "short", n_trials=4, n_repeats=0) as project:
        found = web_kit.trials(14, 0)
        for one in found[6:10]:  # they logged the first third only
            one.curves.update({metric: (steps[:10], values[:10]) for metric, (steps, values) in one.curves.items()})
        project.store.import_round(
            "02-short", web_kit.design("02-short", 14), found, now=datetime(2026, 1, 3, tzinfo=UTC), origin="x"
        )
        with client_of(project) as client:
            names = packed(client, "round", round="02-short")["table"]["names"]
            near = packed(client, "plot", round="02-short", id="curves-0", low="60", high="80")
    seen = set()
    for trace in near["data"]:
        if "trials" not in trace:
            continue
        assert int(np.isnan(trace["x"]).sum()) == len(trace["trials"])
        seen |= {names[trial] for trial in trace["trials"].tolist()}
    assert seen
    assert not seen & {one.name for one in found[6:10]}


def test_what_comes_later_says_that_it_has_nothing_to_show(tmp_path: Path) -> None:
    with make_project(tmp_path / "norms", n_trials=4, n_repeats=0) as project:
        found = web_kit.trials(4, 0)
        steps = next(iter(found[0].curves.values()))[0]
        for one in found:
            one.curves["grad_norm"] = (steps, np.full(len(steps), np.nan))
        project.store.import_round(
            "02-norms", web_kit.design("02-norms", 4), found, now=datetime(2026, 1, 3, tzinfo=UTC), origin="x"
        )
        with client_of(project) as client:
            listed = drawings(packed(client, "round", round="02-norms"))
            assert listed["grad-norm"]["data"] is None
            assert packed(client, "plot", round="02-norms", id="grad-norm") == {}
            assert packed(client, "plot", round="02-norms", id="curves-1")["title"] == listed["curves-1"]["title"]


def test_notes_about_a_trial_are_shown_with_it(client: TestClient) -> None:
    assert change(client, "note", {"round": NAME, "trial": "trial-0001", "note": NASTY}).status_code == 200
    [note] = packed(client, "trial", round=NAME, trial="trial-0001")["notes"]
    assert note["text"] == NASTY
    assert packed(client, "trial", round=NAME, trial="trial-0002")["notes"] == []


def test_what_is_too_few_is_what_the_check_says() -> None:
    from tunebook.learn import boundary

    assert round_page.TOO_FEW == boundary.MIN_TRIALS


@pytest.mark.parametrize(
    ("name", "parent"),
    [
        ("02-b-stability-sweep", "02-b"), ("02-b-again-1", "02-b"), ("02-b-exploit-stability-sweep-2", "02-b-exploit"),
        ("02-b-exploit", None), ("02-b", None), ("02-bold-steps", None), ("02-b-steps", "02-b"), ("02-b-warmup", None),
        ("02-b-again-1-stability-sweep", "02-b"), ("02-b-warmup-clipping-at-1", "02-b"),
    ],
)  # fmt: skip
def test_rounds_of_procedures_belong_to_the_round_they_were_made_from(name: str, parent: str | None) -> None:
    assert part_of(name, ["02-b", "02-b-exploit", "02-b-again-1", name]) == parent
