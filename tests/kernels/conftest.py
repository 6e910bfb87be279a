"""Fixtures of the kernel tests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from refsim.kernels.cpu import threads


@pytest.fixture(autouse=True)
def quiet_floats() -> Iterator[None]:
    """The specification is NumPy, which warns of overflow; the values are what is compared."""
    with np.errstate(all="ignore"):
        yield


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two threads, whatever the machine has, and for arrays that are quick to test."""
    monkeypatch.setattr(threads, "ELEMENTS", 200_000)
    monkeypatch.setattr(threads, "MULTIPLY_ADDS", 20_000_000)
    before = threads.get_num_threads()
    threads.set_num_threads(2)
    yield
    threads.set_num_threads(before)
