"""What a process with numba's simulator runs: ``python -m tests.cuda.simulated clauses 16 SU-1 SU-2``.

It prints each difference from the specification on a line of its own, and last the number of comparisons.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

import refsim as rs
from refsim import backends
from refsim.conformance.bits import difference
from refsim.conformance.check import SUPPORTED_GROUPS, check_recording
from refsim.conformance.manual_runs import GeneratedManualRun
from refsim.conformance.participants import Participant
from refsim.conformance.runs import GeneratedRun
from refsim.conformance.vectors import read_recording
from refsim.conformance.verify import Effort, first_difference, verify
from refsim.kernels.cuda import cublas, device, results
from refsim.kernels.cuda import tiles as tiles_
from refsim.nn import Linear, ReLU, Sequential
from refsim.nn.loss import softmax_cross_entropy
from refsim.tile import on_device
from tests.cuda import other_cublas, steps
from tests.kernels import data

LIBRARY_SHAPES = (2, 19, 3), (1, 7, 1), (3, 1, 2)
Found = Iterator[object]
"""The difference of each comparison, or None."""


def clauses(cases: str, *ids: str) -> Found:
    """Generated cases of some clauses."""
    for row in verify(["cuda"], effort=Effort(int(cases), 0, 1), only=ids).rows:
        yield from [row.smallest] * row.deviations + [None] * row.equal


def tiles(first: str, last: str) -> Found:
    """Whole tiles and arrays: a few steps of training and one of evaluation."""
    for index in range(int(first), int(last)):
        for kind in (GeneratedRun, GeneratedManualRun):
            yield first_difference(kind(index, seed=0), Participant("cuda"))


def device_arrays(first: str, last: str) -> Found:
    """Whole tiles with inputs on the device, and how many passes stayed there."""
    stayed = []
    chain = on_device._chain
    on_device._chain = lambda *given: stayed.append(1) or chain(*given)
    for index in range(int(first), int(last)):
        run = GeneratedRun(index, seed=0)
        right = steps.outcome(run, "spec", np.asarray)
        yield difference(tuple(steps.outcome(run, "cuda", device.on_device)), tuple(right))
    yield None if len(stayed) > 12 else f"only {len(stayed)} passes stayed on the device"


def blocks() -> Found:
    """Products in blocks of the size that they have on a device, for every memory order of the factors."""
    tiles_.ACROSS, tiles_.EACH, tiles_.DEPTH = tiles_.FULL
    tiles_.SIDE = tiles_.ACROSS * tiles_.EACH
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((67, 18), (65, 18)))
    right = backends.load("spec").matrix_product(a, b)
    ops = backends.load("cuda")
    at, bt = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
    yield difference(ops.matrix_product(a, b), right)
    yield difference(ops.transposed_product(a, bt), right)
    yield difference(ops.outer_product_sum(at, bt), right)


def exchanged() -> Found:
    """Results of a function and of a tile, taken in place through DLPack."""
    x = device.on_device(np.float32([[1, -2, 3]]))
    io = rs.IOParameters(
        noise_management=rs.NoiseManagementType.NONE, bound_management=rs.BoundManagementType.NONE
    )
    tile = rs.TorchInferenceRPUConfig(forward=io).create_tile(2, 3, backend="cuda")
    for y in (backends.load("cuda").relu(x), tile.forward(x), tile.backward(tile.forward(x))):
        found = np.from_dlpack(y)
        yield difference(found, y.copy_to_host())
        yield None if results.address(y) == found.ctypes.data else "not in place"


def other_library(order: str, status: int = 0) -> Any:
    """From now on, products are those of another library."""
    functions = other_cublas.Functions(getattr(other_cublas, order), status)
    found = cublas.Library(functions)
    cublas.library = lambda: found
    cublas._device = lambda: 0
    return functions


def library_without_memory() -> Found:
    """Products of the own kernel, when there is no memory for those of the library."""
    other_library("forwards", cublas.NO_MEMORY)
    a, b = data.pair("normal", np.float32, (3, 8), (2, 8))
    right = backends.load("spec").matrix_product(a, b)
    yield difference(backends.load("cuda").matrix_product(a, b), right)
    yield difference(backends.load("cuda", "fast").matrix_product(a, a).shape, (3, 3))


def fast_library() -> Found:
    """Products for ``matmul="fast"``, in the data type of their factors."""
    functions = other_library("forwards")
    for T in (np.float32, np.float64):
        a, b = data.pair("normal", T, (3, 8), (2, 8))
        right = np.add.accumulate(a[:, None, :] * b[None, :, :], axis=2)[:, :, -1]
        yield difference(backends.load("cuda", "fast").matrix_product(a, b), right)
        yield None if functions.calls[-1] == np.dtype(T).name else functions.calls


def library(order: str) -> Found:
    """Products by another library, which adds in another order, of every kind of data and for every memory order."""
    functions = other_library(order)
    ops, right = backends.load("cuda"), backends.load("spec")
    for kind in sorted(data.PAIRS):
        for N, K, O in LIBRARY_SHAPES:
            a, b = data.pair(kind, np.float32, (N, K), (O, K))
            at, bt = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
            with np.errstate(all="ignore"):
                exact = right.matrix_product(a, b)
                yield difference(ops.matrix_product(a, b), exact, kind)
                yield difference(ops.transposed_product(a, bt), exact, kind)
                yield difference(ops.outer_product_sum(at, bt), exact, kind)
    used = 3 * len(data.PAIRS) * len(LIBRARY_SHAPES)
    yield None if functions.calls == ["float64"] * used else f"{len(functions.calls)} calls"
    yield None if set(functions.streams) == {1} else "not on the default stream"


def network() -> Found:
    """A network with inputs on the device, beside the same one with arrays of the host."""
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((3, 4)).astype(np.float32), [0, 1, 1]
    found: list[list[Any]] = []
    for backend, place in (("spec", np.asarray), ("cuda", device.on_device)):
        config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(out_noise=0.0))
        layers = (Linear(4, 5, config, seed=1, backend=backend), ReLU(backend))
        model = Sequential(*layers, Linear(5, 2, config, seed=2, backend=backend))
        y = model.forward(place(x))
        losses, gradient = softmax_cross_entropy(y, labels, backend)
        found.append([y, losses, gradient, model.backward(gradient)])
    for right, left in zip(*found, strict=True):
        yield None if isinstance(left, results.Result) else f"{type(left)} is not on the device"
        yield difference(left.copy_to_host(), right)


def vectors(every: str) -> Found:
    """Recorded results of aihwkit."""
    groups = check_recording(read_recording(), SUPPORTED_GROUPS, backend="cuda", every=int(every))
    for group in groups:
        yield from group.failures
        yield from [None] * group.compared


def main(what: str, *arguments: str) -> None:
    """Runs one of the functions above."""
    known = {"clauses": clauses, "tiles": tiles, "vectors": vectors}
    known |= {"blocks": blocks, "device_arrays": device_arrays, "exchanged": exchanged}
    known |= {"library": library, "library_without_memory": library_without_memory}
    known |= {"fast_library": fast_library, "network": network}
    found = list(known[what](*arguments))
    lines = [*filter(None, found), len(found)]
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
