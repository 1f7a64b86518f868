"""The documentation says what is there: links lead somewhere, every command, code and requirement appears."""

import importlib.util
import re
from pathlib import Path

import pytest
import typer

from tunebook import Round
from tunebook.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
TOML_BLOCK = re.compile(r"```toml\n(.*?)```", re.DOTALL)
REQUIREMENTS = {
    **{letter: range(1, last + 1) for letter, last in {"S": 7, "R": 7, "E": 7, "L": 10, "D": 5, "T": 5}.items()},
    **{letter: range(1, last + 1) for letter, last in {"I": 4, "P": 8, "X": 3, "B": 4}.items()},
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_reference_is_what_the_code_says():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    page = ROOT / "docs" / "reference" / "commands.md"
    assert page.read_text(encoding="utf-8") == generate.commands_page(), "run: python docs/generate.py"


def test_every_command_stands_in_a_guide():
    guides = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "guides").glob("*.md"))
    for name in typer.main.get_command(app).commands:
        assert f"tunebook {name}" in guides, f"no guide shows tunebook {name}"


def test_coverage_has_every_requirement_once_with_a_state():
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z]\d+) \|.*\| (done|partly|not yet)[^|]*\|$", text, re.MULTILINE)
    assert [row for row, _ in rows] == [f"{letter}{n}" for letter, numbers in REQUIREMENTS.items() for n in numbers]


def test_modules_and_tests_named_in_coverage_exist():
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    for path in set(re.findall(r"`((?:tests|benchmarks|examples)/[\w/.-]+)`", text)):
        assert (ROOT / path).exists(), path
    for path in set(
        re.findall(
            r"`((?:core|handle|stats|plan|store|run|learn|bridges|decide|show|cli|kit|procedures|web)/[\w/.]+)`", text
        )
    ):
        assert (ROOT / "src" / "tunebook" / path).exists(), path


def test_whole_designs_in_the_readme_are_accepted():
    blocks = TOML_BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    designs = [block for block in blocks if "goal" in block]
    assert designs
    for block in designs:
        import tomllib

        Round.from_mapping(tomllib.loads(block))


#: Two protocols of "which optimizer" leave untuned what the linter wants tuned: that this decides the ranking is
#: what the example shows.
LINTED = {"which-optimizer/rounds/01-learning-rate.toml", "which-optimizer/rounds/02-schedule.toml"}


@pytest.mark.parametrize("design", sorted((ROOT / "examples").rglob("rounds/*.toml")), ids=lambda path: path.stem)
def test_example_designs_are_accepted_and_clean(design):
    from tunebook.plan.lint import lint

    loaded = Round.load(design)
    expected = {"role_optimizer_hyperparameter"} if str(design.relative_to(ROOT / "examples")) in LINTED else set()
    assert {finding.code for finding in lint(loaded)} - {"caveat"} == expected
