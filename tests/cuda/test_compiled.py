"""The compiled kernels, run without a GPU by a machine for PTX: the bits of the specification."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numba import cuda as numba_cuda

from refsim import spec
from refsim.conformance.bits import difference
from refsim.conformance.generated import GeneratedCase
from refsim.kernels import cuda
from refsim.kernels.cuda import device, host
from tests.cuda.launches import StandIn, typed
from tests.cuda.ptx_machine import Program
from tests.kernels import data

CUDA: Any = numba_cuda
SIZES = (3, 10, 5)
CASES = 6
PROGRAMS: dict[Any, Program] = {}


class Array(StandIn):
    """An array of the machine."""

    def __init__(self, values: Any) -> None:
        super().__init__(values.shape, values.dtype)
        self.values = values

    def reshape(self, *shape: int) -> Array:
        return Array(self.values.reshape(shape))

    def copy_to_host(self, stream: Any = 0) -> Any:
        return self.values.copy()


class Machine:
    """In place of ``numba.cuda`` and of a device."""

    def device_array(self, shape: Any, T: Any, stream: Any) -> Array:
        values = np.empty(shape, T)
        values.reshape(-1).view(np.uint8)[...] = 0xA5 if values.dtype.kind != "b" else 1
        return Array(values)

    def to_device(self, x: Any, stream: Any) -> Array:
        return Array(x.copy())

    def start(self, kernel: Any, blocks: Any, threads: Any, *arguments: Any) -> None:
        key = kernel, tuple(typed(argument) for argument in arguments)
        if key not in PROGRAMS:
            PROGRAMS[key] = Program(CUDA.compile_ptx(kernel.py_func, key[1], cc=(9, 0))[0])
        shapes = (n if isinstance(n, tuple) else (n, 1) for n in (blocks, threads))
        given = [x.values if isinstance(x, Array) else x for x in arguments]
        with np.errstate(all="ignore"):
            PROGRAMS[key].run(*shapes, tuple(given))


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = SimpleNamespace(compute_capability=(9, 0))
    monkeypatch.setattr("numba.cuda.dispatcher.get_current_device", lambda: stand_in)
    found = Machine()
    monkeypatch.setattr(device, "CUDA", found)
    monkeypatch.setattr(device, "leaving", lambda x: x)
    monkeypatch.setattr("refsim.kernels.cuda.cublas.library", lambda: "no device")
    monkeypatch.setattr("refsim.kernels.cuda.product.FEW_TERMS", 0)
    monkeypatch.setattr(device, "start", found.start)
    monkeypatch.setattr(device, "FEWEST_BLOCKS", 1)
    monkeypatch.setattr("refsim.kernels.cuda.tiles.start", found.start)


def compared(name: str, given: tuple[Any, ...]) -> str | None:
    """The difference of a call from the specification."""
    with np.errstate(all="ignore"):
        return difference(getattr(cuda, name)(*given), getattr(spec, name)(*given), name)


@pytest.mark.parametrize("name", sorted(set(spec.__all__) - set(host.REASONS)))
def test_compiled_kernels_have_the_bits_of_the_specification(T: Any, name: str) -> None:
    cases = [given for called, given in data.calls(T, *SIZES) if called == name]
    drawn = (GeneratedCase(name, np.dtype(T).name, i, seed=0) for i in range(CASES))
    cases += [case.arguments() for case in drawn]
    assert not [text for given in cases if (text := compared(name, given))]


@pytest.mark.parametrize(
    ("shape", "kinds"),
    [((67, 18, 65), ["grid"]), ((3, 70, 1), ["normal", "cancelling", "special"])],
    ids=["blocks", "rounds"],
)
def test_several_blocks_and_rounds_of_a_product(shape: tuple[int, ...], kinds: list[str]) -> None:
    """More outputs than a block has, and more terms than are fetched at a time."""
    N, K, O = shape
    for kind in kinds:
        a, b = data.pair(kind, np.float32, (N, K), (O, K))
        assert compared("matrix_product", (a, b)) is None


@pytest.mark.parametrize("kind", ["normal", "cancelling", "special", "grid"])
def test_a_small_product_has_the_same_bits_without_a_product_in_float64(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("refsim.kernels.cuda.product.FEW_TERMS", 2**21)
    monkeypatch.setattr("refsim.kernels.cuda.product.product", lambda *given: pytest.fail("used"))
    a, b = data.pair(kind, np.float32, (3, 19), (2, 19))
    assert compared("matrix_product", (a, b)) is None


def test_more_elements_than_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "MOST_BLOCKS", 2)
    monkeypatch.setattr(device, "THREADS", 8)
    x = data.normal(np.float32, np.random.default_rng(0), (7, 13))
    for name in ("relu", "row_max", "total", "softmax", "column_totals"):
        assert compared(name, (x,)) is None
    assert compared("uniform", (1, 2, 3, 4, 333)) is None


# the machine notices what is wrong


@numba_cuda.jit
def contracted(x: Any, scale: Any, noise: Any, out: Any) -> None:
    for i in range(numba_cuda.grid(1), x.size, numba_cuda.gridsize(1)):
        out[i] = x[i] + scale * noise[i]


@numba_cuda.jit
def beyond(x: Any, out: Any) -> None:
    for i in range(numba_cuda.grid(1), x.size, numba_cuda.gridsize(1)):
        out[i] = x[i + 1]


def test_a_contracted_kernel_differs() -> None:
    rng = np.random.default_rng(0)
    x, noise = (data.normal(np.float32, rng, (50,)) for _ in range(2))
    out, scale = np.empty_like(x), np.float32(0.1)
    Machine().start(contracted, 1, 64, *map(Array, (x,)), scale, Array(noise), Array(out))
    right = spec.additive_noise_weight(x, noise, scale)
    assert not np.array_equal(out, right)


def test_a_read_beyond_an_array_is_an_error() -> None:
    x = Array(np.zeros(4, np.float32))
    with pytest.raises(IndexError, match=r"4 bytes at .* are outside of the memory"):
        Machine().start(beyond, 1, 4, x, Array(np.zeros(4, np.float32)))
