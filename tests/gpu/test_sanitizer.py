"""On a GPU: what NVIDIA's sanitizer finds in one call of each operation."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.kernels.data import ROOT

pytestmark = pytest.mark.gpu

if shutil.which("compute-sanitizer"):

    @pytest.mark.parametrize("tool", ["memcheck", "racecheck", "initcheck", "synccheck"])
    def test_the_sanitizer_finds_nothing(tool: str) -> None:
        script = [sys.executable, "-m", "tests.gpu.small"]
        command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", *script]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout[-4000:]
