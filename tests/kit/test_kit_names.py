"""The kit's front door: its names, what loading it costs, and what it says without PyTorch."""

import subprocess
import sys

import pytest

from tunebook import kit
from tunebook.errors import MissingExtra


def test_names_are_sorted_and_real() -> None:
    assert set(kit.__all__) == set(kit._HOMES)
    assert dir(kit) == sorted(kit.__all__)
    for name in kit.__all__:
        assert getattr(kit, name).__name__ == name
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = kit.no_such_name


def test_importing_the_package_does_not_load_torch() -> None:
    script = "import sys, tunebook.kit; print('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    )


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(kit.__dict__, "Adam", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"tunebook\[kit\]"):
        _ = kit.Adam
