"""Three small trainings built to need one remedy each, and a runner that trains rounds in this process.

``early`` is a deep residual network with normalisation after every addition, by running statistics that
start too small: for some twenty steps activations are inflated at every block, and a learning rate that
is fine afterwards makes the loss explode. A warmup mends it. ``middle`` meets, once the run is well under
way, a rare batch with wrong labels whose gradient is hundreds of times too long. Clipping mends it.
``healthy`` needs nothing.
"""

import math

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tunebook.core.config import Config
from tunebook.core.outcome import Cause, Status
from tunebook.core.round import Round
from tunebook.errors import Infeasible
from tunebook.evidence import Curves, Evidence, TrialRecord
from tunebook.kit import GradientClipper, ScheduleLR, constant_schedule
from tunebook.plan.trials import plan_trials, studies_of

N_CLASSES = 4
EXPLODED = 2 * math.log(N_CLASSES)
STEPS = 500
BATCH_SIZE = 128
#: One batch in fifty is a bad one, from this step on.
RARE_FROM = 160
RARE_EVERY = 50


class MemoryTrial:
    """What training code holds, with its metrics kept in memory."""

    def __init__(self, spec):
        self.config, self.seed, self.max_train_steps = spec.config, spec.seed, spec.max_train_steps
        self.logged = {}

    def __getitem__(self, name):
        return self.config[name]

    def log(self, step, metrics):
        for name, value in metrics.items():
            self.logged.setdefault(name, []).append((step, float(value)))


class Runner:
    """Runs rounds with a training function; ``rounds`` are those it was asked for, in order."""

    def __init__(self, train, seconds=None):
        self.train, self.seconds = train, seconds
        self.rounds = []
        self._known = {}

    def __call__(self, design: Round) -> Evidence:
        self.rounds.append(design)
        ran = [self._once(spec) for spec in plan_trials(design)]
        names = sorted({name for _, logged in ran for name in logged})
        curves = {
            name: Curves.pack([tuple(zip(*logged.get(name, []), strict=True)) or ((), ()) for _, logged in ran])
            for name in names
        }
        records = tuple(record for record, _ in ran)
        return Evidence(name=design.name, round=design, studies=studies_of(design), trials=records, curves=curves)

    @property
    def n_trained(self):
        return len(self._known)

    def _once(self, spec):
        if spec.id not in self._known:
            self._known[spec.id] = self._trained(spec)
        return self._known[spec.id]

    def _trained(self, spec):
        trial = MemoryTrial(spec)
        status, cause, detail = Status.COMPLETE, None, ""
        try:
            self.train(trial)
        except Infeasible as error:
            status, cause, detail = Status.INFEASIBLE, Cause.RAISED, str(error)
        except MemoryError:
            status, cause = Status.INFEASIBLE, Cause.OUT_OF_MEMORY
        except ArithmeticError as error:
            status, cause, detail = Status.FAILED, Cause.ERROR, str(error)
        seconds = self.seconds(spec) if self.seconds else None
        record = TrialRecord(
            name=spec.id,
            study=spec.study,
            config=Config(spec.config),
            seed=spec.seed,
            status=status,
            cause=cause,
            detail=detail,
            seconds=seconds,
        )
        return record, trial.logged


class PostNormBlock(nn.Module):
    """``x -> norm(x + f(x))`` with a running root mean square that starts at ``start``; right is about 1.4."""

    def __init__(self, width, start):
        super().__init__()
        self.inner = nn.Linear(width, width)
        nn.init.normal_(self.inner.weight, std=math.sqrt(2 / width))
        nn.init.zeros_(self.inner.bias)
        self.register_buffer("rms", torch.full((), start))

    def forward(self, x):
        summed = x + torch.relu(self.inner(x))
        if self.training:
            self.rms.mul_(0.95).add_(0.05 * summed.detach().square().mean().sqrt())
        return summed / self.rms.clone()


def deep_network():
    body = [PostNormBlock(16, start=0.01) for _ in range(4)]
    head = nn.Linear(16, N_CLASSES, bias=False)
    nn.init.zeros_(head.weight)
    return nn.Sequential(nn.Linear(8, 16), *body, head)


def shallow_network():
    return nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, N_CLASSES))


def data(noise):
    """Training and validation examples of one teacher; a share ``noise`` of the labels is drawn at random."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2048, 8, generator=generator)
    hidden = torch.tanh(x @ torch.randn(8, 12, generator=generator))
    y = (hidden @ torch.randn(12, N_CLASSES, generator=generator)).argmax(1)
    drawn = torch.randint(N_CLASSES, y.shape, generator=generator)
    y = torch.where(torch.rand(len(y), generator=generator) < noise, drawn, y)
    return x[:1024], y[:1024], x[1024:], y[1024:]


def early(trial):
    fit(trial, deep_network, data(0.0))


def middle(trial):
    fit(trial, shallow_network, data(0.1), rare=300.0)


def healthy(trial):
    fit(trial, shallow_network, data(0.3))


def fit(trial, build, examples, rare=1.0):
    torch.manual_seed(trial.seed)
    torch.set_num_threads(1)
    train_x, train_y, valid_x, valid_y = examples
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=float(trial["learning_rate"]))
    schedule = constant_schedule(trial.max_train_steps, warmup_steps=int(trial["warmup_steps"]))
    scheduler = ScheduleLR(optimizer, schedule)
    clipper = GradientClipper(float(trial["clip_norm"]), log=trial)
    batches = torch.Generator().manual_seed(trial.seed)
    for step in range(trial.max_train_steps):
        is_rare = rare > 1.0 and step > RARE_FROM and step % RARE_EVERY == 0
        batch = torch.randint(len(train_x), (BATCH_SIZE,), generator=batches)
        loss = cross_entropy(model(train_x[batch]), (train_y[batch] + is_rare) % N_CLASSES)
        trial.log(step, {"train/loss": loss.item()})
        if not loss.item() < EXPLODED:
            raise Infeasible(f"the training loss is {loss.item():.4g} at step {step}")
        optimizer.zero_grad()
        (loss * (rare if is_rare else 1.0)).backward()
        clipper(model.parameters(), step)
        optimizer.step()
        scheduler.step()
        if step % 20 == 19 or step == trial.max_train_steps - 1:
            model.eval()
            with torch.no_grad():
                trial.log(step, {"valid/loss": cross_entropy(model(valid_x), valid_y).item()})
            model.train()


def design(**changes):
    """The design of all three workloads."""
    table = {
        "name": "unstable",
        "goal": "Which learning rate?",
        "question": "understand",
        "pipeline": "train.py:train",
        "max_train_steps": STEPS,
        "objective": {"metric": "valid/loss"},
        "nuisance": {"learning_rate": {"low": 1e-3, "high": 10.0, "scale": "log"}},
        "fixed": {"warmup_steps": 0, "clip_norm": 1e30},
    }
    return Round(**(table | changes))
