"""Quantised tiles for the tests: what is asked for and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np

import refsim as rs
from tests.clauses.checks import awkward
from tests.exact import Array, Type
from tests.tile.cases import QUIET, runtime

MINMAX = rs.RangeEstimators.current_minmax


def config(
    T: Type = np.float32,
    bits: int = 4,
    out_bits: int = 0,
    r: dict[str, Any] | None = None,
    io: dict[str, Any] | None = None,
    estimator: Any = MINMAX,
    out_symmetric: bool = True,
    mapping: dict[str, Any] | None = None,
    **periphery: Any,
) -> Any:
    """A configuration without analog non-idealities unless asked for."""
    ranged = {"enable": r is not None, "init_from_data": 0, "decay": 0.0, **(r or {})}
    return rs.QuantizedTorchInferenceRPUConfig(
        runtime=runtime(T),
        forward=rs.IOParameters(**{**QUIET, **(io or {})}),
        mapping=rs.MappingParameter(**(mapping or {})),
        pre_post=rs.PrePostProcessingParameterQuant(
            input_range=rs.InputRangeParameter(**ranged),
            periph_quant=rs.PeripheryQuantizationParameter(n_bits=bits, **periphery),
        ),
        act_quant_config=rs.ActivationQuantConfig(
            n_bits=out_bits, symmetric=out_symmetric, range_estimator=estimator
        ),
    )


SCALED = {
    "weight_scaling_omega": 1.0,
    "weight_scaling_columnwise": True,
    "learn_out_scaling": True,
    "out_scaling_columnwise": True,
}
"""Every factor of the scale, one for each output."""


def tile(
    made: Any, bias: bool = True, sizes: tuple[int, int] = (3, 4), backend: str = "spec"
) -> Any:
    """A tile with weights, bias and learned scales that use all their digits."""
    result = made.create_tile(*sizes, bias=bias, seed=3, backend=backend)
    T = result.dtype.type
    result.set_weights(awkward(T, *sizes) / T(4), awkward(T, sizes[0]) if bias else None)
    a = result.value("out_scaling_alpha")
    if a is not None:
        a[...] = np.abs(awkward(T, a.size)) + T(0.3)
    return result


def data(T: Type, k: int, *shape: int) -> Array:
    """A batch, another one for each ``k``."""
    return (awkward(T, *shape) * T(1 + k) - T(k)) / T(3)


def step(made: Any, k: int, optimizer: Any = None, rows: int = 5) -> tuple[Array, Array]:
    """A forward and a backward pass, and an update."""
    T = made.dtype.type
    y = made.forward(data(T, k, rows, made.in_size))
    made.zero_grad()
    dx = made.backward(data(T, k + 1, rows, made.out_size))
    if optimizer is not None:
        optimizer.step()
    return y, dx
