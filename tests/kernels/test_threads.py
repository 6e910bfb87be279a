"""The pool, and BLAS beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from refsim.errors import InputError
from refsim.kernels import cpu
from refsim.kernels.cpu import blas, threads
from tests.exact import same
from tests.kernels import data


def blas_threads() -> set[int]:
    return {library.get_num_threads() for library in blas.one_thread.controller.lib_controllers}


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("count", [0, 1, 2, 3, 1000])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_parts_cover_the_range_once(size: int, count: int) -> None:
    threads.set_num_threads(size)
    seen = np.zeros(count, np.int64)

    def kernel(begin: int, end: int, step: int) -> None:
        seen[begin:end] += step

    threads.run(kernel, count, True, 1)
    threads.run(kernel, count, False, 1)
    assert (seen == 2).all()


@pytest.mark.usefixtures("two_threads")
def test_an_error_in_a_part_is_raised() -> None:
    def kernel(begin: int, end: int) -> None:
        if begin > 0:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        threads.run(kernel, 10, True)


def test_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFSIM_NUM_THREADS", "3")
    assert threads.available() == 3
    monkeypatch.delenv("REFSIM_NUM_THREADS")
    assert 1 <= threads.available() <= (os.cpu_count() or 1)
    for wrong in ("0", "two", "-1", "1.5"):
        monkeypatch.setenv("REFSIM_NUM_THREADS", wrong)
        with pytest.raises(InputError, match="positive integer"):
            threads.available()
    with pytest.raises(InputError, match="positive integer"):
        threads.set_num_threads(0)


@pytest.mark.usefixtures("two_threads")
def test_blas_gets_its_threads_back() -> None:
    before = blas_threads()
    a, b = data.pair("normal", np.float32, (128, 256), (256, 256))
    cpu.matrix_product(a, b)
    assert blas_threads() == before
    with blas.one_thread.held(), blas.one_thread.held():
        assert blas_threads() <= {1}
    assert blas_threads() == before


@pytest.mark.usefixtures("two_threads")
def test_the_limit_of_blas_is_restored_whoever_is_done_last() -> None:
    before = blas_threads()
    inside, leave = Event(), Event()

    def other() -> None:
        with blas.one_thread.held():
            inside.set()
            leave.wait(10)

    for _ in range(20):
        inside.clear()
        leave.clear()
        with ThreadPoolExecutor(1) as caller:
            done = caller.submit(other)
            assert inside.wait(10)
            with blas.one_thread.held():
                leave.set()
                done.result()
        assert blas_threads() == before


@pytest.mark.usefixtures("two_threads")
def test_a_part_runs_what_it_calls_on_its_own_thread() -> None:
    seen: list[tuple[int, int]] = []

    def inner(begin: int, end: int) -> None:
        seen.append((begin, end))

    threads.run(lambda begin, end: threads.run(inner, end - begin, True), 10, True)
    assert seen == [(0, 5), (0, 5)]
    seen.clear()
    threads.run(inner, 10, True)
    assert sorted(seen) == [(0, 5), (5, 10)]


@pytest.mark.usefixtures("two_threads")
def test_callers_on_many_threads() -> None:
    a, b = data.pair("normal", np.float32, (200, 400), (300, 400))
    expected, before = cpu.matrix_product(a, b), blas_threads()
    with ThreadPoolExecutor(4) as callers:
        for result in callers.map(lambda _: cpu.matrix_product(a, b), range(12)):
            same(result, expected)
    assert blas_threads() == before


FORKED = """
import os, numpy as np
if not hasattr(os, "fork"):
    raise SystemExit
from refsim.kernels import cpu
from refsim.kernels.cpu import threads
threads.set_num_threads(2)
x = np.random.default_rng(0).standard_normal((200, 400)).astype(np.float32)
w = np.random.default_rng(1).standard_normal((400, 400)).astype(np.float32)
before = cpu.matrix_product(x, w), cpu.clip(w, np.float32(1)), cpu.exp(np.tile(w, (2, 1)))
child = os.fork()
again = cpu.matrix_product(x, w), cpu.clip(w, np.float32(1)), cpu.exp(np.tile(w, (2, 1)))
equal = all(np.array_equal(a, b) for a, b in zip(before, again))
if child == 0:
    os._exit(0 if equal else 1)
assert equal
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_forked_child_has_threads_of_its_own() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    subprocess.run(command, cwd=data.ROOT, check=True, timeout=120)
