"""Backends by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from refsim import backends
from refsim.errors import BackendError
from tests.kernels.data import ROOT


def test_backends_are_modules_of_their_name() -> None:
    assert backends.available() == ("spec", "cpu")
    assert backends.load("spec").__name__ == "refsim.spec"
    assert backends.load("cpu").__name__ == "refsim.kernels.cpu"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cuda", r"no CUDA kernels; use .*cpu.*spec"),
        ("gpu", r"'gpu'; the allowed names are \"spec\", \"cpu\"\."),
        ("", r"''; the allowed names"),
    ],
)
def test_other_names_are_refused_in_one_sentence(name: str, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        backends.load(name)


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
