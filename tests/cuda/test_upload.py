"""Large live arrays are locked in memory once and let go with the array; a driver in place of the real one."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from refsim.kernels.cuda import device, upload
from tests.cuda.launches import Driver


class Refused(Exception):
    """An error of the driver."""


class Locks:
    """What is locked, by address."""

    def __init__(self, refuses: bool) -> None:
        self.refuses, self.calls = refuses, 0
        self.held: dict[int, int] = {}

    def cuMemHostRegister(self, address: int, size: int, flags: int) -> None:
        self.calls += 1
        if self.refuses:
            raise Refused
        self.held[address] = size

    def cuMemHostUnregister(self, address: int) -> None:
        del self.held[address]


@pytest.fixture(params=[False, True], ids=["locks", "refuses"])
def locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Locks:
    made = Locks(request.param)
    monkeypatch.setattr(upload, "_driver", lambda: made)
    monkeypatch.setattr(upload, "_errors", lambda: Refused)
    monkeypatch.setattr(upload, "WORTHWHILE", 1000)
    monkeypatch.setattr(device, "CUDA", Driver())
    return made


def test_a_large_array_is_locked_once_and_let_go_with_it(locks: Locks) -> None:
    x: Any = np.ones((20, 30), np.float32)
    for _ in range(3):
        assert upload.uploaded(x).shape == (20, 30)
    assert locks.calls == 1
    assert locks.held == ({} if locks.refuses else {x.ctypes.data: x.nbytes})
    del x
    gc.collect()
    assert not locks.held
    assert not upload._locked


def test_a_small_array_is_not_locked(locks: Locks) -> None:
    upload.uploaded(np.ones((5, 5), np.float32))
    assert locks.calls == 0


def test_other_errors_pass(locks: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = SimpleNamespace(cuMemHostRegister=lambda *given: 1 / 0)
    monkeypatch.setattr(upload, "_driver", lambda: broken)
    with pytest.raises(ZeroDivisionError):
        upload.uploaded(np.ones((20, 30), np.float32))
