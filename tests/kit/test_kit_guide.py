"""The guide's code runs, block after block, as it stands on the page."""

import re
from pathlib import Path

import pytest
import torch

from tunebook import kit

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "pytorch-kit.md"
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def test_every_block_of_the_guide_runs(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, str(GUIDE), "exec"), names)
    printed = capsys.readouterr().out
    assert "0 of 60 steps clipped" in printed
    assert "difference" in printed
    assert names["step"] == 60


def test_the_guide_shows_every_optimizer_and_builder() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    functions = {name for name in kit.__all__ if name[0].islower()} - {"barrier", "data_seed"}
    for name in {"SGD", "Momentum", "Nesterov", "RMSProp", "Adam", "AdamW", "NAdam"} | functions:
        assert name in text, name
