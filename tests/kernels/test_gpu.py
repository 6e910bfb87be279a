"""What is asked of numba before a GPU is used."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from refsim.kernels import gpu


@pytest.mark.parametrize("there", [True, False], ids=["installed", "of another version"])
@pytest.mark.parametrize("imported", [True, False], ids=["too late", "in time"])
def test_the_package_numba_cuda_takes_the_place_of_what_numba_brings(
    monkeypatch: pytest.MonkeyPatch, imported: bool, there: bool
) -> None:
    asked: list[str] = []

    def import_module(name: str) -> Any:
        asked.append(name)
        if not there:
            raise ImportError(name)

    monkeypatch.setattr(gpu, "import_module", import_module)
    monkeypatch.setitem(sys.modules, "numba.cuda", ModuleType("numba.cuda"))
    if not imported:
        monkeypatch.delitem(sys.modules, "numba.cuda")
    gpu._prefer_numba_cuda()
    assert asked == ([] if imported else ["_numba_cuda_redirector"])
