"""Backends by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from refsim import backends
from refsim.errors import BackendError
from refsim.kernels import gpu
from tests.kernels.data import ROOT


def test_backends_are_modules_of_their_name() -> None:
    assert backends.available()[:2] == ("spec", "cpu")
    assert backends.load("spec").__name__ == "refsim.spec"
    assert backends.load("cpu").__name__ == "refsim.kernels.cpu"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu", r"'gpu'; the allowed names are \"spec\", \"cpu\", \"cuda\"\."),
        ("", r"''; the allowed names"),
    ],
)
def test_other_names_are_refused_in_one_sentence(name: str, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        backends.load(name)


@pytest.mark.parametrize(
    "absent",
    [
        "the package numba-cuda is not installed; pip install 'refsim[cuda]'",
        "there is no NVIDIA GPU in this machine, or none is visible to this process",
    ],
)
def test_what_the_cuda_backend_lacks_is_said(monkeypatch: pytest.MonkeyPatch, absent: str) -> None:
    monkeypatch.setattr(gpu, "missing", lambda: absent)
    assert backends.available() == ("spec", "cpu")
    with pytest.raises(BackendError) as raised:
        backends.load("cuda")
    assert str(raised.value) == f'backend "cuda" does not run here: {absent}.'


def test_the_compiler_is_imported_on_request() -> None:
    script = """
import sys
from refsim import backends
backends.load("spec")
assert "numba" not in sys.modules
backends.load("cpu")
assert "numba" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
