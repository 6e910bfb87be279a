"""Every kernel, compiled for three generations of GPUs, with the types that its calls give it; no GPU is needed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numba import cuda
from numba.cuda import types

from refsim import spec
from refsim.kernels.cuda import host
from refsim.kernels.cuda.points import P
from tests.cuda.instructions import instructions, objections
from tests.cuda.launches import Launch, distinct, recorded

CUDA: Any = cuda
CAPABILITIES = [(8, 0), (9, 0), (10, 0)]
SUMMING = {"settle", "product"}
"""Modules whose kernels compute in float64 whatever the data type."""
EXACT_PRODUCTS, PLAIN = ("tiles", "tiles"), ("fast", "_sums")
"""Kernels that may fuse: products that are exact in float64, and the products of ``matmul="fast"``."""


@pytest.fixture(autouse=True)
def no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions that kernels call are compiled for a device that is not there."""
    stand_in = SimpleNamespace(compute_capability=CAPABILITIES[0])
    monkeypatch.setattr("numba.cuda.dispatcher.get_current_device", lambda: stand_in)


def ptx(kernel: Any, signature: tuple[Any, ...], capability: tuple[int, int], **more: Any) -> str:
    code, _ = CUDA.compile_ptx(kernel.py_func, signature, cc=capability, **more)
    return str(code)


def named(launch: Launch) -> tuple[str, str]:
    """Module and name of a kernel."""
    function = launch[0].py_func
    return function.__module__.rpartition(".")[2], function.__name__


def is_single(launch: Launch) -> bool:
    """Whether no argument is a number of float64."""
    return not any("float64" in str(kind) for kind in launch[1])


def wrong(launch: Launch, capability: tuple[int, int]) -> list[str]:
    name, single = named(launch), is_single(launch)
    element_wise = "f64" if single and name[0] not in SUMMING else None
    fused = name in (EXACT_PRODUCTS, PLAIN)
    found = objections(ptx(*launch, capability), fused, None if fused else element_wise)
    return [f"{'.'.join(name)}: {objection}" for objection in found]


@pytest.mark.parametrize("capability", CAPABILITIES, ids=str)
def test_no_kernel_breaks_the_arithmetic_contract(
    T: Any, capability: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    launches = list(distinct(recorded(monkeypatch, T)))
    assert not [text for launch in launches for text in wrong(launch, capability)]


def test_every_function_is_launched_or_stays_on_the_host_for_a_reason(
    T: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = recorded(monkeypatch, T)
    assert {name for name in spec.__all__ if not found[name]} == host.REASONS.keys()
    assert len({named(launch) for launch in distinct(found)}) > 70


def test_the_exact_product_reads_float32_and_adds_in_float64(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launches = recorded(monkeypatch, np.float32)["matrix_product"]
    code = next(ptx(*launch, (9, 0)) for launch in launches if named(launch) == EXACT_PRODUCTS)
    found = instructions(code)
    assert "fma.rn.f64" in found
    assert "ld.global.f32" in found
    assert "ld.shared.f64" in found
    assert "ld.global.f64" not in found
    assert not [name for name in found if name.startswith(("ld.local", "st.local"))]


# the checks reject what they are for

SINGLE = types.float32
ARRAY = types.Array(SINGLE, 1, "C")


@cuda.jit
def contracted(x: Any, y: Any, out: Any) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[i] = x[i] * y[i] + out[i]


@cuda.jit
def promoted(x: Any, y: Any, out: Any) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[i] = x[i] * 0.1


@cuda.jit
def promoted_integer(x: Any, y: Any, out: Any) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[i] = x[i] / (i + 1)


@cuda.jit
def unnamed_rounding(x: Any, y: Any, out: Any) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[i] = x[i] + y[i]


@cuda.jit
def divided(x: Any, y: Any, out: Any) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[i] = x[i] / y[i]


@cuda.jit
def sound(x: Any, y: Any, out: Any) -> None:
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[i] = P.add(P.mul(x[i], y[i]), out[i] / P.root(y[i]))


@pytest.mark.parametrize(
    ("kernel", "options", "objection"),
    [
        (contracted, {}, "contracts: fma.rn.f32"),
        (promoted, {}, "has another type: mul.f64"),
        (promoted_integer, {}, "has another type: div.rn.f64"),
        (unnamed_rounding, {}, "may be contracted: add.f32"),
        (divided, {"fastmath": True}, "is not correctly rounded: div.approx.ftz.f32"),
        (sound, {}, ""),
    ],
    ids=lambda value: value.__name__ if hasattr(value, "__name__") else None,
)
@pytest.mark.parametrize("capability", CAPABILITIES, ids=str)
def test_wrong_kernels_are_rejected(
    kernel: Any, options: dict[str, Any], objection: str, capability: tuple[int, int]
) -> None:
    code = ptx(kernel, (ARRAY,) * 3, capability, **options)
    found = list(objections(code, element_wise="f64"))
    assert objection in found if objection else not found


def test_a_promoted_literal_in_a_scalar_body_does_not_compile() -> None:
    def body(x: Any, out: Any) -> None:
        out[0] = P.mul(x[0], 0.1)

    with pytest.raises(Exception, match=r"mul|No implementation|float64"):
        ptx(SimpleNamespace(py_func=body), (ARRAY, ARRAY), (9, 0))
