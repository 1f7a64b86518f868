"""Project from Python: the same use cases as the command line, without it."""

from pathlib import Path

import pytest

import tunebook
from tunebook import InputError, Project, Round
from tunebook.use_cases.running import Runner


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("TUNEBOOK_STORE", raising=False)
    (tmp_path / "tunebook.toml").write_text("")
    with Project.open(tmp_path) as opened:
        yield opened


def design(**changed: object) -> Round:
    fields = {
        "name": "01-python",
        "goal": "Does it run from Python?",
        "question": "minimize",
        "pipeline": "train.py:train",
        "max_train_steps": 5,
        "objective": {"metric": "valid/error"},
        "nuisance": {"learning_rate": tunebook.Range(low=1e-3, high=1.0, scale="log")},
        "search": {"trials": 4},
    }
    return Round(**{**fields, **changed})


def test_a_function_at_hand_is_trained_in_this_process(project):
    seen = []

    def train(trial: tunebook.Trial) -> None:
        seen.append(trial["learning_rate"])
        for step in range(trial.max_train_steps):
            trial.log(step, {"valid/error": trial["learning_rate"] + 1.0 / (1 + step)})

    report = project.run(design(), executor="inline", function=train)
    assert len(seen) == report.n_ended == 4
    evidence = project.evidence("01-python")
    steps, values = evidence.curves["valid/error"][0]
    assert steps.tolist() == [0, 1, 2, 3, 4]
    assert values[-1] == pytest.approx(seen[0] + 0.2)
    assert not values.flags.writeable

    analysis = project.learn("01-python")
    assert "01-python" in str(analysis)
    assert "<table" in analysis._repr_html_()


def test_a_widened_range_keeps_what_ran_and_goes_on_in_the_wider_one(project):
    def train(trial: tunebook.Trial) -> None:
        trial.log(0, {"valid/error": 1.0})

    project.run(design(), executor="inline", function=train)
    before = {trial.name for trial in project.evidence("01-python")}
    wider = design(nuisance={"learning_rate": {"low": 1e-5, "high": 1.0, "scale": "log"}}, search={"trials": 12})
    project.run(wider, executor="inline", function=train)
    after = project.evidence("01-python")
    assert before < {trial.name for trial in after}
    assert len(after.trials) == 12
    assert any(trial.config["learning_rate"] < 1e-3 for trial in after)


def test_a_widened_range_with_nothing_left_to_run_is_told(project):
    def train(trial: tunebook.Trial) -> None:
        trial.log(0, {"valid/error": 1.0})

    project.run(design(search={"trials": 8}), executor="inline", function=train)
    assert "unseen_range" not in {finding.code for finding in project.check(design(search={"trials": 8})).findings}
    wide = {"learning_rate": {"low": 1e-3, "high": 1e6, "scale": "log"}}
    [told] = [
        finding
        for finding in project.check(design(nuisance=wide, search={"trials": 8})).findings
        if finding.code == "unseen_range"
    ]
    assert told.evidence["direction"] == "high"
    assert told.next.trials == 16
    more = project.check(design(nuisance=wide, search={"trials": 16}))
    assert "unseen_range" not in {finding.code for finding in more.findings}


def test_failed_trials_get_another_try_when_asked(project):
    def broken(trial: tunebook.Trial) -> None:
        raise RuntimeError("a slip in the code")

    def mended(trial: tunebook.Trial) -> None:
        trial.log(0, {"valid/error": 1.0})

    project.run(design(), executor="inline", function=broken)
    [failure, *_] = project.failures("01-python")
    assert "a slip in the code" in failure.detail
    project.run(design(), executor="inline", function=mended)
    assert len(project.failures("01-python")) == 4  # results stay unless a person asks
    project.run(design(), executor="inline", function=mended, retry_failed=True)
    assert project.failures("01-python") == []
    assert [row.attempts for row in project.store.trials("01-python")] == [2, 2, 2, 2]


def test_rounds_are_found_by_the_number_in_their_name(project):
    for name in ("04-two", "01-python"):
        project.plan(design(name=name))
    assert project.evidence("4").name == "04-two"
    assert project.evidence(1).name == "01-python"
    with pytest.raises(InputError, match="there is no round '2'"):
        project.evidence("2")  # the second that was made counts itself as the first
    project.plan(design(name="third"))
    assert project.evidence("3").name == "third"


def test_an_interrupted_repeat_goes_on_with_the_seeds_it_chose(project, monkeypatch):
    def train(trial: tunebook.Trial) -> None:
        trial.log(0, {"valid/error": trial["learning_rate"] + trial.seed % 7})

    project.run(design(), executor="inline", function=train)
    (project.root / "train.py").write_text("def train(trial): ...")
    ran = []
    monkeypatch.setattr(Runner, "run", lambda self, *args, **how: ran.append(args))
    project.repeat("01-python", seeds=3, executor="inline")
    project.repeat("01-python", seeds=3, executor="inline")
    assert len(ran) == 2
    assert len(project.evidence("01-python").trials) == 4 + 3


def test_repeats_that_cannot_run_are_not_planned(project):
    def train(trial: tunebook.Trial) -> None:
        trial.log(0, {"valid/error": trial["learning_rate"]})

    project.run(design(), executor="inline", function=train)
    with pytest.raises(InputError, match=r"there is no file .*train\.py"):
        project.repeat("01-python", seeds=3, executor="inline")
    assert len(project.evidence("01-python").trials) == 4


def test_a_store_that_was_named_has_to_be_there(tmp_path):
    with (
        Project.open(tmp_path, store=f"sqlite:///{tmp_path}/nowhere/x.db") as opened,
        pytest.raises(Exception, match="nowhere"),
    ):
        opened.status()


def test_a_narrowed_range_retires_what_lies_outside(project):
    def train(trial: tunebook.Trial) -> None:
        trial.log(0, {"valid/error": 1.0})

    project.run(design(search={"trials": 8}), executor="inline", function=train)
    narrower = design(nuisance={"learning_rate": {"low": 1e-2, "high": 1.0, "scale": "log"}}, search={"trials": 8})
    project.run(narrower, executor="inline", function=train)
    rates = [trial.config["learning_rate"] for trial in project.evidence("01-python")]
    assert len(rates) == 8
    assert min(rates) >= 1e-2
    assert len(project.store.trials("01-python", retired=True)) > 8


def test_a_round_without_a_name_is_refused(project):
    with pytest.raises(InputError, match="no name"):
        project.run(design(name=""), executor="inline", function=lambda trial: None)


def test_seconds_per_step_are_learned_from_what_ran(project):
    assert project.seconds_per_step(design()) is None
    assert project.check(design()).cost.seconds is None

    def train(trial: tunebook.Trial) -> None:
        trial.log(0, {"valid/error": 1.0})

    project.run(design(), executor="inline", function=train)
    assert project.check(design(), workers=2).cost.seconds > 0


def test_status_and_launches_of_an_empty_project_create_nothing(project):
    assert project.status() == ()
    assert project.launches() == []
    assert not list(project.root.glob("*.db"))


@pytest.mark.parametrize(
    ("text", "said"),
    [("stor = 'x'", "did you mean 'store'"), ("store = 3", "not a string"), ("store", "tunebook.toml")],
)
def test_what_is_wrong_in_tunebook_toml_is_told(tmp_path, monkeypatch, text, said):
    monkeypatch.delenv("TUNEBOOK_STORE", raising=False)
    (tmp_path / "tunebook.toml").write_text(text)
    with pytest.raises(InputError, match=said):
        Project.open(tmp_path)
