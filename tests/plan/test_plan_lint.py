"""The linter: each rule fires on what it is for, names the hyperparameter and the way out, and is silent else."""

from dataclasses import replace

import pytest
from test_plan_design import CONTRACT

from tunebook import Constant, Hyperparameter, Round
from tunebook.core.finding import Severity
from tunebook.plan.catalogue import CATALOGUE, lookup, n_to_tune, to_tune
from tunebook.plan.design import loads
from tunebook.plan.lint import lint
from tunebook.plan.names import Kind, kind_of, plain

LR = {"low": 1e-4, "high": 1.0, "scale": "log"}
SCALED = {"low": 1e-4, "high": 0.5, "scale": "log"}


def design(scientific=(), nuisance=(), fixed=(), question="minimize", purpose="tuning", **search):
    return Round(
        goal="g",
        question=question,
        pipeline="t.py:train",
        max_train_steps=100,
        objective={"metric": "v"},
        scientific=dict(scientific),
        nuisance=dict(nuisance),
        fixed=dict(fixed),
        search=search,
        purpose=purpose,
    )


def raised(round_, *, notes=False):
    found = lint(round_)
    return {(f.code, f.subject.hyperparameter) for f in found if notes or f.severity is not Severity.NOTE}


def test_the_example_of_the_contract_raises_nothing_but_its_caveat():
    (finding,) = lint(loads(CONTRACT))
    assert (finding.code, finding.requirement, finding.severity) == ("caveat", "R2", Severity.NOTE)
    assert finding.says == "batch_size is fixed at 128."


SHOULD_FIRE = [
    ("role_optimizer_hyperparameter", "learning_rate", design({"learning_rate": [0.1, 0.01]})),
    ("role_optimizer_hyperparameter", "lr", design(fixed={"lr": 0.1})),
    ("role_optimizer_hyperparameter", "momentum", design(nuisance={"lr": LR}, fixed={"momentum": 0.9})),
    (
        "role_optimizer_hyperparameter",
        "adam/beta_2",
        design(nuisance={"lr": LR}, fixed={"adam/beta_2": 0.9}, trials=60),
    ),
    ("role_optimizer", "optimizer", design(nuisance={"lr": LR, "optimizer": ["adam", "sgd"]})),
    ("role_regularizer", "use_dropout", design(nuisance={"lr": LR, "use_dropout": [False, True]})),
    ("role_regularizer", "label_smoothing", design(nuisance={"lr": LR, "label_smoothing": [False, True]})),
    ("role_regularizer", "dropout_rate", design({"dropout_rate": [0.1, 0.3]}, {"lr": LR})),
    ("role_regularizer", "weight_decay", design({"weight_decay": [0.1, 0.3]}, {"lr": LR})),
    ("role_architecture", "width", design(nuisance={"lr": LR, "width": {"low": 16, "high": 512, "type": "int"}})),
    ("role_architecture", "num_layers", design(nuisance={"lr": LR, "num_layers": [2, 16]})),
    ("role_architecture", "model", design(nuisance={"lr": LR, "model": ["resnet", "vit"]})),
    ("role_architecture", "use_batch_norm", design(nuisance={"lr": LR, "use_batch_norm": [True, False]})),
    ("searched_batch_size", "batch_size", design(nuisance={"lr": LR, "batch_size": [32, 64]})),
    ("searched_batch_size", "global_batch_size", design({"global_batch_size": [32, 64]}, {"lr": LR})),
    ("scale_learning_rate", "base_lr", design(nuisance={"base_lr": {"low": 0.001, "high": 1}})),
    ("narrow_learning_rate", "lr", design(nuisance={"lr": {"low": 0.1, "high": 0.5, "scale": "log"}})),
    ("scale_momentum", "beta1", design(nuisance={"lr": LR, "beta1": {"low": 0.5, "high": 0.999}})),
    ("scale_momentum", "one_minus_beta1", design(nuisance={"lr": LR, "one_minus_beta1": {"low": 0.001, "high": 1}})),
    ("scale_magnitude", "eps", design(nuisance={"lr": LR, "eps": {"low": 0, "high": 1}}, trials=40)),
    ("scale_magnitude", "weight_decay", design(nuisance={"lr": LR, "weight_decay": {"low": 1e-6, "high": 1}})),
    ("fractional_count", "width", design(nuisance={"lr": LR, "width": {"low": 4, "high": 64}})),
    ("few_trials", None, design(nuisance={"lr": LR}, trials=7)),
    ("starved", None, design(nuisance={f"x{n}": SCALED for n in range(9)}, trials=16)),
    ("starved", None, design({"a": ["x", "y", "z", "u"]}, {"lr": LR}, studies="joint", trials=16)),
    ("finite_space", None, design(nuisance={"act": ["relu", "gelu"]})),
    ("grid_incomplete", None, design(nuisance={"lr": LR}, algorithm="grid", trials=10)),
    ("optimizer_budget", "epsilon", design(nuisance={"lr": LR, "momentum": SCALED, "epsilon": LR}, trials=20)),
    ("nothing_compared", None, design(nuisance={"lr": LR}, question="compare")),
    ("adaptive_search", None, design(nuisance={"lr": LR}, question="understand", algorithm="bayes")),
    ("unplannable", "x", design({"x": {"low": 0, "high": 1}}, {"lr": LR})),
]


@pytest.mark.parametrize(("code", "name", "round_"), SHOULD_FIRE, ids=[f"{c}-{n}" for c, n, _ in SHOULD_FIRE])
def test_a_rule_fires_on_what_it_is_for(code, name, round_):
    assert (code, name) in raised(round_)
    for finding in lint(round_):
        assert finding.says.endswith(".")
        assert finding.why
        assert finding.fix or finding.code == "unplannable"
        assert "{" not in finding.says.replace("{ low", "")
        assert finding.requirement in {"R1", "R2", "R3", "R5", "R6", "R7", "S2", "S4"}


SHOULD_NOT = [
    design(nuisance={"lr": LR, "width_mult": {"low": 1, "high": 4}}),
    design(
        {"optimizer": ["adam", "sgd"]}, {"lr": LR, "one_minus_momentum": SCALED}, {"activation": "relu", "depth": 4}
    ),
    design(
        {"use_dropout": [False, True]},
        {"lr": LR, "when": {"use_dropout": {"true": {"dropout": {"low": 0.1, "high": 0.9}}}}},
    ),
    design(nuisance={"lr": LR}, fixed={"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}, trials=9),
    design(nuisance={"lr": LR, "one_minus_beta1": SCALED}, fixed={"beta2": 0.999, "epsilon": 1e-8}, trials=25),
    design(nuisance={"lr": LR, "momentum": {"low": 0, "high": 0.999, "scale": "reverse_log"}}),
    design(nuisance={"lr": LR, "layers": {"low": 2, "high": 8, "type": "int"}, "activation": ["relu", "gelu"]}),
    design({"batch_size": [64, 128, 256]}, {"lr": LR}, purpose="batch_size_scaling"),
    design(nuisance={"lr": LR, "weight_decay": SCALED, "warmup_fraction": {"low": 0.0, "high": 0.1}}),
    design(nuisance={"lr": LR}, algorithm="grid", trials=9),
    design(nuisance={"lr": LR, "x": SCALED}, algorithm="grid", trials=25),
    design({"width": [64, 1024]}, {"lr": LR}, question="compare"),
    design({"a": ["x", "y"]}, {"lr": LR}, algorithm="list", configurations=[{"a": "x", "lr": 0.1}], trials=1),
]


@pytest.mark.parametrize("round_", SHOULD_NOT, ids=range(len(SHOULD_NOT)))
def test_a_sound_design_raises_nothing_but_caveats(round_):
    assert {finding.code for finding in lint(round_)} <= {"caveat"}
    assert sum(finding.code == "caveat" for finding in lint(round_)) == len(round_.fixed)


def test_a_caveat_tells_the_reason_the_user_gave():
    kept = Hyperparameter("batch_size", Constant(128, "it fills the memory"))
    (finding,) = lint(replace(design(nuisance={"lr": LR}), fixed=(kept,)))
    assert finding.says == "batch_size is fixed at 128 because it fills the memory."


def test_a_blocking_finding_comes_first():
    found = lint(design({"x": {"low": 0, "high": 1}, "batch_size": [1, 2]}, {"lr": LR}, {"bs": 1}))
    assert [finding.severity.rank for finding in found] == sorted(finding.severity.rank for finding in found)
    assert found[0].severity is Severity.BLOCKING
    assert "studies = 'joint'" in found[0].says


def test_a_conditional_is_named_with_its_branch():
    round_ = design(
        {"opt": ["adam", "sgd"]}, {"when": {"opt": {"sgd": {"lr": {"low": 0, "high": 1}}, "adam": {"lr": LR}}}}
    )
    assert raised(round_) == {("scale_learning_rate", "lr[opt=sgd]")}


def test_understanding_one_hyperparameter_is_a_reason_to_make_it_scientific():
    round_ = design({"lr": [0.1, 0.01], "dropout": [0.1, 0.2]}, question="understand")
    assert {c for c, _ in raised(round_)} <= {"finite_space"}
    assert {("role_optimizer_hyperparameter", "lr"), ("role_regularizer", "dropout")} <= raised(round_, notes=True)


@pytest.mark.parametrize("trials", [8, 16, 30])
def test_the_trials_a_finding_proposes_are_enough(trials):
    for round_ in (
        design(nuisance={f"x{n}": SCALED for n in range(9)}, trials=trials),
        design(nuisance={"lr": LR}, trials=2),
        design({"a": [*"abcdefgh"]}, {"lr": LR}, studies="joint", trials=trials),
        design(nuisance={"lr": LR}, algorithm="grid", trials=trials + 1),
    ):
        changed = round_
        for _ in range(4):
            steps = [finding.next for finding in lint(changed) if finding.next is not None]
            changed = max(steps, key=lambda step: step.trials).apply(changed) if steps else changed
        assert not {finding.code for finding in lint(changed)} & {"starved", "few_trials", "grid_incomplete"}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            Kind.LEARNING_RATE,
            "learning_rate lr LR base_lr lr0 eta eta0 peak_lr opt.lr adam/learningRate init_learning_rate",
        ),
        (Kind.MOMENTUM, "momentum beta1 beta_1 b1 adam_beta1 sgd.momentum"),
        (
            Kind.ONE_MINUS_MOMENTUM,
            "one_minus_momentum oneMinusMomentum one_minus_beta1 one_minus_beta_1 1-beta1 1-momentum",
        ),
        (Kind.BETA2, "beta2 beta_2 b2 adam_beta2"),
        (Kind.ONE_MINUS_BETA2, "one_minus_beta2 one_minus_beta_2"),
        (Kind.EPSILON, "epsilon eps adam_epsilon adam_eps"),
        (Kind.OPTIMIZER, "optimizer optimiser opt optim optimizer_name"),
        (Kind.BATCH_SIZE, "batch_size bs batchSize global_batch_size batchsize train_batch_size"),
        (Kind.WEIGHT_DECAY, "weight_decay wd l2 l2_reg weightDecay"),
        (
            Kind.REGULARIZER_STRENGTH,
            "dropout dropout_rate dropoutProb attention_dropout label_smoothing mixup_alpha l1 drop_path",
        ),
        (Kind.REGULARIZER_PRESENCE, "use_dropout with_label_smoothing use_mixup dropout_enabled use_weight_decay"),
        (
            Kind.ARCHITECTURE_SIZE,
            "layers num_layers n_layers width hidden hidden_size hidden_dim depth units d_model n_heads channels",
        ),
        (
            Kind.ARCHITECTURE,
            "activation norm normalization model arch model_type batch_norm use_bias kernel_size residual",
        ),
        (
            Kind.OTHER,
            "warmup_steps decay_factor schedule clip_norm seed_of_data temperature "
            "window lrn batches_ahead alphabet optics",
        ),
    ],
)
def test_names_are_recognised_in_their_usual_spellings(kind, names):
    assert {name: kind_of(name) for name in names.split()} == dict.fromkeys(names.split(), kind)


def test_a_switch_is_told_by_its_values_too():
    assert kind_of("dropout", is_switch=True) is Kind.REGULARIZER_PRESENCE
    assert plain("Block/learningRate") == "learning_rate"


@pytest.mark.parametrize(
    ("trials", "names"),
    [
        (1, ("learning_rate",)),
        (9, ("learning_rate",)),
        (10, ("learning_rate", "one_minus_beta1")),
        (25, ("learning_rate", "one_minus_beta1")),
        (26, ("learning_rate", "one_minus_beta1", "epsilon")),
        (50, ("learning_rate", "one_minus_beta1", "epsilon")),
        (51, ("learning_rate", "one_minus_beta1", "epsilon", "one_minus_beta2")),
    ],
)
def test_what_to_tune_for_adam_with_a_number_of_trials(trials, names):
    assert to_tune("Adam", trials) == to_tune("adamw", trials) == names
    assert n_to_tune(trials) == len(names)


def test_the_catalogue_has_the_seven_optimizers_with_ranges_on_log_scales():
    assert set(CATALOGUE) == {"sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "nadam"}
    for optimizer in CATALOGUE.values():
        assert next(iter(optimizer.ranges)) == "learning_rate"
        assert all(domain.scale == "log" and domain.high / domain.low >= 100 for domain in optimizer.ranges.values())
        assert to_tune(optimizer.name, 3) == ("learning_rate",)
    assert to_tune("sgd", 500) == ("learning_rate",)
    assert to_tune("SGDM", 500) == ("learning_rate", "one_minus_momentum")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("AdamW", "adamw"),
        ("NAG", "nesterov"),
        ("heavy-ball", "momentum"),
        ("RMSProp", "rmsprop"),
        ("torch.optim.Adam", "adam"),
        ("SGD", "sgd"),
        ("NAdam", "nadam"),
    ],
)
def test_an_optimizer_is_found_under_its_usual_names(word, name):
    assert lookup(word).name == name


def test_an_unknown_optimizer_is_a_key_error():
    assert lookup("lion") is None
    with pytest.raises(KeyError, match="rmsprop"):
        to_tune("lion", 10)
