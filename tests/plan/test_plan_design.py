"""The design file: round trip, and every problem with its place, all of them at once."""

import math
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunebook import Choice, Constant, Hyperparameter, InputError, Range, Round
from tunebook.core.hyperparameter import Condition
from tunebook.plan.design import MAX_BYTES, dumps, load, loads, save

CONTRACT = """\
goal = "Does dropout lower the validation error of the digits CNN?"
question = "compare"                      # compare | understand | minimize
pipeline = "train.py:train"
max_train_steps = 1500

[objective]
metric = "valid/error"
direction = "minimize"
reduce = "best"
material = 0.003
chance = 0.9

[scientific]
use_dropout = [false, true]

[nuisance]
learning_rate = { low = 1e-4, high = 1.0, scale = "log" }
one_minus_momentum = { low = 1e-3, high = 1.0, scale = "log" }
layers = { low = 1, high = 4, type = "int" }
activation = ["relu", "gelu"]             # a list is a choice

[nuisance.when.use_dropout.true]          # exists only for that value
dropout_rate = { low = 0.05, high = 0.7 }

[fixed]
batch_size = 128

[search]
algorithm = "halton"
trials = 16
seed = 0
studies = "separate"
"""


def replaced(old, new):
    assert CONTRACT.count(old) == 1
    return CONTRACT.replace(old, new)


def problems(text):
    with pytest.raises(InputError) as caught:
        loads(text, "rounds/d.toml")
    return [(p.line, p.column, ".".join(p.key), p.message) for p in caught.value.problems]


def test_the_example_of_the_contract_is_read_as_it_is_meant():
    design = loads(CONTRACT, "rounds/02-dropout.toml")
    assert design.name == "02-dropout"
    assert design.scientific == (Hyperparameter("use_dropout", Choice(False, True)),)
    assert design.nuisance[2] == Hyperparameter("layers", Range(low=1, high=4, type="int"))
    assert design.nuisance[4] == Hyperparameter(
        "dropout_rate", Range(low=0.05, high=0.7), (Condition("use_dropout", True),)
    )
    assert design.fixed == (Hyperparameter("batch_size", Constant(128)),)
    assert design.search.trials == 16


values = st.one_of(
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
names = st.text("abcxyz_-./09é", min_size=1, max_size=6).filter(lambda name: name != "when")
choices = st.lists(values, min_size=1, max_size=4, unique_by=str).filter(
    lambda drawn: len({str(v).lower() for v in drawn} | {repr(v) for v in drawn}) >= len(drawn)
)


def choice_or_none(drawn):
    try:
        return Choice(*drawn)
    except InputError:
        return None


ranges = st.sampled_from(
    [
        Range(low=1e-5, high=1, scale="log"),
        Range(low=0, high=0.999, scale="reverse_log"),
        Range(low=1, high=4, type="int"),
        Range(low=-1.5, high=1e22),
        Range(low=1, high=4096, type="int", scale="log"),
    ]
)
constants = st.builds(Constant, values, st.text("why ", max_size=5))


@st.composite
def designs(draw):
    """Designs with conditionals at any depth and in any order."""
    roles = {"scientific": [], "nuisance": [], "fixed": []}
    for name in draw(st.lists(names, max_size=7, unique=True)):
        role = draw(st.sampled_from(list(roles)))
        searched = st.one_of(ranges, choices.map(choice_or_none).filter(bool))
        domain = draw(constants if role == "fixed" else searched)
        parents = [item for items in roles.values() for item in items if not isinstance(item.domain, Range)]
        branch = ()
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            options = parent.domain.values if isinstance(parent.domain, Choice) else (parent.domain.value,)
            branch = (*parent.branch, Condition(parent.name, draw(st.sampled_from(options))))
        roles[role].append(Hyperparameter(name, domain, branch))
    return roles


@given(designs(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_what_is_written_reads_back_as_the_same_round(roles, goal):
    design = Round(
        goal=goal, question="minimize", pipeline="t.py:t", max_train_steps=9, objective={"metric": goal}, **roles
    )
    again = loads(dumps(design))
    assert again == design
    assert dumps(again) == dumps(design)


def test_options_and_lists_read_back():
    design = Round(
        name="x",
        goal="g",
        question="understand",
        command=["python", "t.py", "--lr={lr}", 'a "quoted" \\ word'],
        max_train_steps=7,
        objective={"metric": "v", "direction": "maximize", "reduce": "last:5"},
        nuisance={"lr": [0.1, 1.0]},
        search={"algorithm": "list", "studies": "joint", "configurations": [{"lr": 0.1}, {"lr": 1.0}]},
        run={"retries": 0, "memory_gib": 2, "seconds_per_step": 1e-7},
        purpose="batch_size_scaling",
    )
    again = loads(dumps(design))
    assert again == design
    assert again.name == "x"


def test_save_and_load_keep_the_round_and_leave_nothing_else_behind(tmp_path):
    design = loads(CONTRACT)
    path = tmp_path / "03-next.toml"
    save(design, path)
    assert Round.load(path) == design
    assert load(path).name == "03-next"
    assert "name" not in path.read_text()
    load(path).save(path)
    assert "name" not in path.read_text()
    assert [file.name for file in tmp_path.iterdir()] == ["03-next.toml"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o400


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "d.toml"
    save(loads(CONTRACT), path)
    before = path.read_text()
    broken = Round(goal="\ud800", question="minimize", pipeline="t.py:t", max_train_steps=9, objective={"metric": "m"})
    with pytest.raises(InputError, match=r"d\.toml: cannot be written"):
        save(broken, path)
    with pytest.raises(InputError, match="cannot be written"):
        save(loads(CONTRACT), tmp_path / "missing" / "d.toml")
    assert path.read_text() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("text", "line", "column", "key", "words"),
    [
        (replaced("trials = 16", "trails = 16"), 30, 1, "search.trails", "did you mean 'trials'"),
        (replaced("goal = ", "gaol = "), 1, 1, "gaol", "did you mean 'goal'"),
        (
            replaced("low = 0.05", "low = 0.9"),
            23,
            18,
            "nuisance.when.use_dropout.true.dropout_rate.low",
            "below high = 0.7",
        ),
        (replaced("low = 1e-4", "low = 0"), 17, 19, "nuisance.learning_rate.low", "above 0 on a log scale"),
        (
            replaced('high = 4, type = "int"', 'high = 4, type = "integer"'),
            19,
            31,
            "nuisance.layers.type",
            "accepted: float, int",
        ),
        (replaced("low = 1, high = 4", "high = 4"), 19, 1, "nuisance.layers.low", "a range needs low"),
        (
            replaced("batch_size = 128", "batch_size = 128\nlayers = 3"),
            27,
            1,
            "fixed.layers",
            "two roles, nuisance and fixed",
        ),
        (
            replaced("batch_size = 128", "max_train_steps = 9"),
            26,
            1,
            "fixed.max_train_steps",
            "one number for all trials",
        ),
        (
            replaced("[nuisance]\n", "[nuisance]\nmax_train_steps = [1, 2]\n"),
            17,
            1,
            "nuisance.max_train_steps",
            "never searched",
        ),
        (
            replaced("[nuisance.when.use_dropout.true]", "[nuisance.when.use_dropot.true]"),
            23,
            1,
            "nuisance.when.use_dropot.true.dropout_rate",
            "did you mean 'use_dropout'",
        ),
        (
            replaced("[nuisance.when.use_dropout.true]", "[nuisance.when.use_dropout.maybe]"),
            23,
            1,
            "nuisance.when.use_dropout.maybe.dropout_rate",
            "it is false | true",
        ),
        (
            replaced('pipeline = "train.py:train"', 'command = ["t", "{learning_rat}"]'),
            3,
            1,
            "command",
            "did you mean 'learning_rate'",
        ),
        (replaced('pipeline = "train.py:train"', 'pipeline = "train.py"'), 3, 1, "pipeline", "FILE.py:FUNCTION"),
        (replaced('algorithm = "halton"', 'algorithm = "haltom"'), 29, 1, "search.algorithm", "did you mean 'halton'"),
        (replaced("trials = 16", "trials = 0"), 30, 1, "search.trials", "from 1 to"),
        (replaced("trials = 16", "trials = 1e99"), 30, 1, "search.trials", "not a whole number"),
        (replaced('reduce = "best"', 'reduce = "at"'), 9, 1, "objective.reduce", "at:STEP"),
        (replaced("chance = 0.9", "chance = nan"), 11, 1, "objective.chance", "not a finite number"),
        (replaced("high = 0.7", "high = inf"), 23, 30, "nuisance.when.use_dropout.true.dropout_rate.high", "finite"),
        (replaced("batch_size = 128", "batch_size = nan"), 26, 1, "fixed.batch_size", "nan"),
        (replaced("batch_size = 128", "batch_size = 1979-05-27"), 26, 1, "fixed.batch_size", "not a value"),
        (replaced("batch_size = 128", f"batch_size = {10**400}"), 26, 1, "fixed.batch_size", "not a value"),
        (
            replaced('activation = ["relu", "gelu"]', 'activation = ["relu", "relu"]'),
            20,
            1,
            "nuisance.activation",
            "twice",
        ),
        (replaced("max_train_steps = 1500\n", ""), 1, 1, "max_train_steps", "missing"),
        (replaced('metric = "valid/error"\n', ""), 6, 1, "objective.metric", "name of a metric"),
        (replaced('goal = "Does', 'name = 3\ngoal = "Does'), 1, 1, "name", "not a name"),
        (
            replaced("batch_size = 128", "batch_size = { value = 1, because = 2 }"),
            26,
            27,
            "fixed.batch_size.because",
            "2 is not",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_is_accepted(text, line, column, key, words):
    found = problems(text)
    assert (line, column, key) in [problem[:3] for problem in found]
    assert any(words in problem[3] for problem in found if problem[2] == key)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file():
    text = replaced("low = 1e-4", "low = 2").replace("trials = 16", "trials = -1").replace("compare", "compere", 1)
    assert [(line, key) for line, _, key, _ in problems(text)] == [
        (2, "question"),
        (17, "nuisance.learning_rate.low"),
        (30, "search.trials"),
    ]


def test_a_message_reads_like_that_of_a_compiler():
    with pytest.raises(InputError) as caught:
        loads(replaced("trials = 16", "trails = 16"), "rounds/d.toml")
    assert str(caught.value).startswith("rounds/d.toml:30:1: search.trails: unknown key, did you mean 'trials'?")
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("goal = \n", 1, 8),
        ('goal = "x"\nquestion = ]\n', 2, 12),
        ('goal = "x"\ngoal = "y"\n', 2, 11),
        ("goal = 'x", 1, 10),
        ("[nuisance\n", 1, 10),
        ("a = 1\n\n\nb = [1, 2", 4, 10),
    ],
)
def test_what_is_not_toml_is_told_with_its_place(text, line, column):
    (found,) = problems(text)
    assert found[:2] == (line, column)
    assert "not valid TOML" in found[3]


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 3000 + "]" * 3000,
        "a = " + "{a=" * 3000 + "1" + "}" * 3000,
        "[" + ".".join("a" * 5000) + "]\nx = 1",
        "[nuisance" + ".when.a.b" * 2000 + "]\nx = [1]",
        "max_train_steps = " + "9" * 5000,
        "".join(f"[nuisance.x{n}]\n" for n in range(20_000)),
        "[fixed]\n" + "".join(f"x{n} = {n}\n" for n in range(20_000)),
        "[nuisance.when.x]\n" + "9" * 5000 + " = 1",
        "[nuisance]\nx = { low = 1, high = 4, type = 'int' }\n[nuisance.when.x.²]\ny = [1]",
        "[objective]\nreduce = 'last:²'\nmetric = []",
        "question = ['compare']\nsearch = []\nrun = 3\nobjective = 4\ncommand = {}\nscientific = [1]\nfixed = 'a'",
        "[search]\nstudies = {}\nalgorithm = []\nconfigurations = 3\nseed = true",
        "\x00",
        "",
    ],
    ids=range(14),
)
def test_hostile_text_is_wrong_input_and_nothing_worse(text):
    assert problems(text)


@given(st.binary(max_size=60))
def test_bytes_at_random_are_wrong_input_and_nothing_worse(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("fuzz") / "d.toml"
    path.write_bytes(raw)
    with pytest.raises(InputError):
        load(path)


_toml_value = st.recursive(
    st.one_of(values, st.just(math.nan), st.dates(), st.just(10**500)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(["goal", "question", "nuisance", "search", "objective", "run", "fixed", "command", "name"]),
        _toml_value,
    )
)
def test_values_of_any_kind_anywhere_are_wrong_input_and_nothing_worse(tables):
    with pytest.raises(InputError):
        Round.from_mapping(tables)


def test_files_that_cannot_be_read(tmp_path):
    missing = tmp_path / "no.toml"
    with pytest.raises(InputError, match=r"no\.toml: cannot be read: No such file"):
        load(missing)
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        load("nul\0byte.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# ok\ngoal = '\xe9'\n")
    with pytest.raises(InputError, match=r"latin\.toml:2:9: is not UTF-8"):
        load(latin)
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(InputError, match="larger than 1,000,000 bytes"):
        load(huge)


def test_a_mark_of_byte_order_and_other_line_ends_are_read(tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + CONTRACT.replace("\n", "\r\n").encode())
    assert load(path) == loads(CONTRACT)
