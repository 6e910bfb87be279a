"""Products by cuBLAS without a GPU: another library in its place, which adds in other orders, changes no bit."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from typing import Any

import pytest

from refsim.errors import BackendError
from refsim.kernels import gpu
from refsim.kernels.cuda import cublas
from refsim.kernels.cuda.device import NoMemory
from tests.cuda.other_cublas import ORDERS, Functions, forwards
from tests.cuda.test_simulator import simulated

PRODUCT = 8, 1, False, False, 1, 1, 1, 0, 1, 0, 1, 0, 1
"""Arguments of a product that is refused before its memory is looked at."""


@pytest.fixture(autouse=True)
def one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cublas, "_device", lambda: 0)
    monkeypatch.setattr(cublas, "SIMULATED", False)
    monkeypatch.setenv(cublas.EMULATION, "")  # so that what the tests leave there goes with them
    monkeypatch.delenv(cublas.EMULATION)


@pytest.mark.parametrize("order", ORDERS)
def test_a_library_that_adds_in_another_order_gives_the_same_bits(order: str) -> None:
    *differences, comparisons = simulated("library", order)
    assert not differences
    assert int(comparisons) > 100


def test_a_library_that_rounds_too_often_would_be_noticed() -> None:
    *differences, _ = simulated("library", "in_single")
    assert differences


def test_without_memory_for_the_library_the_own_kernel_computes() -> None:
    assert simulated("library_without_memory") == ["2"]


def test_fast_products_are_the_librarys() -> None:
    assert simulated("fast_library") == ["4"]


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (3, NoMemory, "no memory left for cuBLAS; use smaller batches"),
        (13, BackendError, r"a product of cuBLAS failed \(its status is 13\)"),
    ],
)
def test_what_the_library_refuses_is_one_sentence(status: int, kind: Any, message: str) -> None:
    library = cublas.Library(Functions(forwards, status))
    with pytest.raises(kind, match=message):
        library.multiply(*PRODUCT)


def test_each_thread_has_a_handle_that_is_given_back() -> None:
    functions = Functions(forwards)
    library = cublas.Library(functions)
    seen: list[int] = []

    def use(library: cublas.Library) -> None:
        seen.extend([library.handle(), library.handle(), functions.open])

    thread = threading.Thread(target=use, args=(library,))
    thread.start()
    thread.join()
    use(library)
    assert seen[:3] == seen[3:] == [4711, 4711, 1]
    del library
    gc.collect()
    assert functions.open == 0


@pytest.mark.parametrize("value", ["1", "yes"])
def test_with_emulation_the_library_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(cublas.EMULATION, value)
    monkeypatch.setattr(cublas, "_loaded", lambda: pytest.fail("the library was loaded"))
    assert cublas.description() == (
        "refsim's own; CUBLAS_EMULATE_DOUBLE_PRECISION is set, with which cuBLAS rounds otherwise"
    )


@pytest.mark.parametrize("value", ["", "0"])
def test_emulation_may_be_switched_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(cublas.EMULATION, value)
    monkeypatch.setattr(cublas, "_loaded", lambda: cublas.Library(Functions(forwards)))
    assert cublas.description() == "cuBLAS 13.1.2"


def found(monkeypatch: pytest.MonkeyPatch, path: Any, load: Any) -> str:
    """The description with another way to find and to load the library."""
    monkeypatch.delenv(cublas.EMULATION, raising=False)
    monkeypatch.setattr(cublas, "_path", path)
    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(cublas, "_loaded", cublas._load)
    text = cublas.description()
    assert os.environ[cublas.EMULATION] == "0"
    return text


def test_the_description_says_why_there_is_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: str) -> Any:
        raise OSError("no such\n file")

    own = "refsim's own; cuBLAS "
    refusing = Functions(forwards, 1)
    with_path = lambda: "libcublas.so"  # noqa: E731
    assert found(monkeypatch, with_path, broken) == f"{own}cannot be loaded (no such file)"
    assert found(monkeypatch, with_path, lambda path: refusing) == (
        f"{own}cannot be set up (its status is 1)"
    )
    assert found(monkeypatch, with_path, lambda path: object()).startswith(f"{own}cannot be loaded")
    assert found(monkeypatch, with_path, lambda path: Functions(forwards)) == "cuBLAS 13.1.2"


def test_a_package_beside_those_of_python_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    folder = tmp_path / "nvidia" / "cu13" / "lib"
    folder.mkdir(parents=True)
    for name in ("libcublas.so.13", "libcublasLt.so.13"):
        (folder / name).touch()
    (tmp_path / "nvidia" / "__init__.py").touch()
    loaded: list[str] = []
    monkeypatch.setattr(ctypes, "CDLL", loaded.append)
    monkeypatch.setattr("cuda.pathfinder.load_nvidia_dynamic_lib", not_there)
    monkeypatch.delitem(sys.modules, "nvidia", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert cublas._path() == folder / "libcublas.so.13"
    assert loaded == [str(folder / "libcublasLt.so.13")]


def not_there(name: str) -> Any:
    raise RuntimeError(f"{name} is not there")


def test_without_a_package_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cuda.pathfinder.load_nvidia_dynamic_lib", not_there)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(cublas.Absent, match="cuBLAS is not installed"):
        cublas._path()


def test_the_doctor_says_what_computes_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "simulated", lambda: True)
    monkeypatch.setattr(cublas, "SIMULATED", True)
    assert gpu.description()["GPU products"] == "refsim's own; there is no GPU but a simulator"
