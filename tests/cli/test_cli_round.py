"""A round from design to sheet through the command line, as a person and as a program."""

import json
from pathlib import Path

import pytest


def test_suggest_gives_the_same_configurations_every_time(project, tunebook):
    first = tunebook("suggest", "rounds/01-it.toml", "-n", 64, "--json")
    assert first.status == 0
    assert first.out == tunebook("suggest", "01-it", "-n", "64", "--json").out
    assert first.out == tunebook("suggest", 1, "-n", "64", "--json").out
    configurations = first.document["configurations"]
    assert first.document["round"] == "01-it"
    assert [item["study"] for item in configurations].count("use_it=true") == 64
    assert all(("rate" in item["config"]) == item["config"]["use_it"] for item in configurations)
    assert not list(project.glob("*.db*"))  # looking costs nothing and leaves nothing


def test_more_trials_extend_the_sequence(project, tunebook):
    few = tunebook("suggest", "01-it", "-n", 6, "--json").document["configurations"]
    many = tunebook("suggest", "01-it", "-n", 12, "--json").document["configurations"]
    assert {item["trial"] for item in few} < {item["trial"] for item in many}


@pytest.fixture
def ran(project, tunebook):
    answer = tunebook("run", "rounds/01-it.toml", "--executor", "inline", "--json")
    assert answer.status == 0, answer.err
    return answer


def test_run_reports_in_json_and_goes_on(ran, project, tunebook):
    counts = ran.document["trials"]
    assert counts["complete"] + counts["infeasible"] == 12
    assert counts["infeasible"] > 0
    assert "trials done" in ran.err
    design = project / "rounds" / "01-it.toml"
    design.write_text(design.read_text().replace("trials = 6", "trials = 8"))
    again = tunebook("run", design, "--executor", "inline", "--json").document["trials"]
    assert again["complete"] + again["infeasible"] == 16
    assert again["complete"] >= counts["complete"]


def test_what_was_suggested_is_what_was_run(ran, tunebook):
    suggested = {item["trial"] for item in tunebook("suggest", "01-it", "--json").document["configurations"]}
    curves = tunebook("curves", "01-it", "--json").document["trials"]
    assert {item["trial"] for item in curves} == suggested


def test_status_lists_every_round(ran, tunebook):
    [entry] = tunebook("status", "--json").document["rounds"]
    assert entry["round"] == "01-it"
    assert set(entry["trials"]) == {"pending", "running", "complete", "infeasible", "failed"}
    assert entry["trials"] == ran.document["trials"]
    assert tunebook("status", "1", "--json").document["rounds"] == [entry]
    assert "01-it" in tunebook("status").out


def test_learn_has_the_shape_of_the_contract(ran, project, tunebook):
    document = tunebook("learn", "01-it", "--json").document
    assert document["objective"] == {"metric": "valid/error", "direction": "minimize", "reduce": "best"}
    assert {study["study"] for study in document["studies"]} == {"use_it=false", "use_it=true"}
    best = document["studies"][0]["best"]
    assert set(best) == {"trial", "value", "step", "config"}
    keys = {"code", "requirement", "severity", "confidence", "subject", "evidence", "says", "why", "next"}
    assert document["findings"]
    assert all(keys <= set(finding) for finding in document["findings"])
    ranks = [("blocking", "warning", "note").index(finding["severity"]) for finding in document["findings"]]
    assert ranks == sorted(ranks)


def test_the_objective_can_be_changed_afterwards(ran, tunebook):
    final = tunebook("learn", "01-it", "--objective", "train/loss final maximize", "--json").document
    assert final["objective"] == {"metric": "train/loss", "direction": "maximize", "reduce": "final"}
    own = tunebook("learn", "01-it", "--json").document
    assert final["studies"][0]["best"]["value"] > own["studies"][0]["best"]["value"]


def test_export_and_import_round_trip(ran, project, tunebook, tmp_path):
    out = tmp_path / "out"
    assert tunebook("export", "01-it", out).status == 0
    assert {path.name for path in out.iterdir()} == {"design.toml", "trials.csv", "curves.csv"}
    other = tmp_path / "other"
    other.mkdir()
    (other / "tunebook.toml").write_text("")
    answer = tunebook("import", "csv", out, "--project", other, "--json").document
    assert answer["trials"] == 12
    assert answer["skipped"] == []
    mine = tunebook("learn", "01-it", "--json").document["studies"]
    theirs = tunebook("learn", answer["rounds"][0], "--project", other, "--json").document["studies"]
    assert [study["best"]["value"] for study in mine] == [study["best"]["value"] for study in theirs]
    assert tunebook("import", "csv", out, "--project", other, "--json").document["trials"] == 12  # twice is once
    counts = tunebook("status", "--project", other, "--json").document["rounds"][0]["trials"]
    assert sum(counts.values()) == 12


@pytest.mark.parametrize("name", ["t.csv", "t.json", "t.parquet"])
def test_export_writes_single_files(ran, project, tunebook, name):
    answer = tunebook("export", "01-it", name, "--json")
    assert answer.status == 0, answer.err
    files = [Path(file) for file in answer.document["files"]]
    assert files[0].name == name
    assert all((project / file).stat().st_size > 100 for file in files)
    if name.endswith("json"):
        document = json.loads((project / name).read_text())
        assert len(document["trials"]) == 12
        assert document["design"]["goal"] == "Does it help?"


def test_sheet_in_every_format(ran, project, tunebook):
    rows = tunebook("sheet", "--json").document["sheet"]
    assert [row["study"] for row in rows] == ["use_it=false", "use_it=true"]
    assert rows[0]["design"] == "rounds/01-it.toml"
    assert "use_it=true" in tunebook("sheet").out
    assert tunebook("sheet", "--format", "csv").out.startswith("round,study,")
    assert tunebook("sheet", "--format", "md").out.startswith("| round |")
    assert tunebook("sheet", "-o", "s.parquet").status == 0
    assert (project / "s.parquet").read_bytes()[:4] == b"PAR1"


def test_check_prints_plan_and_json(project, tunebook):
    shown = tunebook("check", "rounds/01-it.toml")
    assert shown.status == 0
    assert "12 trials of 20 steps" in shown.out
    document = tunebook("check", "01-it", "--json").document
    assert document["trials"] == 12
    assert [study["study"] for study in document["studies"]] == ["use_it=false", "use_it=true"]


def test_init_makes_a_project_that_passes_its_own_check(tmp_path, monkeypatch, tunebook):
    monkeypatch.chdir(tmp_path)
    made = tunebook("init", "moons", "--json")
    assert made.status == 0
    assert set(made.document["files"]) == {"tunebook.toml", "train.py", "rounds/01-learning-rate.toml"}
    monkeypatch.chdir(tmp_path / "moons")
    assert tunebook("check", "01-learning-rate", "--strict").status == 0
    again = tunebook("init", ".")
    assert again.status == 2
    assert "is there already" in again.err


def test_code_that_changed_between_trials_of_a_round_is_named(ran, project, tunebook):
    """Results of the old code stay, and are compared with those of the new one: somebody has to say so (E6)."""
    design = project / "rounds" / "01-it.toml"
    design.write_text(design.read_text().replace("trials = 6", "trials = 7"))
    assert "changed since" not in tunebook("run", "01-it", "--executor", "inline").out
    script = project / "train.py"
    script.write_text(script.read_text() + "\n# mended\n")
    assert "changed since" not in tunebook("run", "01-it", "--executor", "inline").out  # nothing is left to run
    design.write_text(design.read_text().replace("trials = 7", "trials = 8"))
    said = " ".join(tunebook("run", "01-it", "--executor", "inline").out.split())
    assert "train.py changed since 14 of these trials ran" in said


@pytest.mark.parametrize("words", [["status"], ["learn", 1], ["decide", "01-it"], ["next", 1], ["sheet"], ["final", 1]])
def test_reading_from_a_mistyped_store_makes_none(project, tunebook, tmp_path, words):
    missing = tmp_path / "typo.db"
    refused = tunebook(*words, "--store", f"sqlite:///{missing}")
    assert refused.status == 2
    assert "there is no store at" in refused.err
    assert not missing.exists()
    if words[0] not in ("status", "sheet"):
        assert "has run yet" in tunebook(*words).err
    assert not list(project.glob("*.db*"))
