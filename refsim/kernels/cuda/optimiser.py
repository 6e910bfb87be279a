"""Stochastic gradient descent (clause OP)."""

from __future__ import annotations

from numba import cuda

from ..cpu.arrays import Array, Scalar
from .device import computed_on_device, empty, flat, launch
from .points import P, kernel


@kernel
def _sgd_step(
    parameter: Array,
    gradient: Array,
    velocity: Array,
    moving: bool,
    rates: tuple[Scalar, Scalar, Scalar, Scalar],
    nesterov: bool,
    new_parameter: Array,
    new_velocity: Array,
) -> None:
    lr, momentum, undamped, weight_decay = rates
    for i in range(cuda.grid(1), parameter.size, cuda.gridsize(1)):
        p, direction = parameter[i], gradient[i]
        if weight_decay != 0:
            direction = P.noisy(direction, weight_decay, p)
        if momentum != 0:
            v = direction
            if moving:
                v = P.add(P.mul(momentum, velocity[i]), P.mul(undamped, direction))
            new_velocity[i] = v
            direction = P.noisy(direction, momentum, v) if nesterov else v
        new_parameter[i] = P.noisy(p, -lr, direction)


@computed_on_device
def sgd_step(
    parameter: Array,
    gradient: Array,
    velocity: Array | None,
    lr: Scalar,
    momentum: Scalar,
    undamped: Scalar,
    weight_decay: Scalar,
    nesterov: bool,
) -> tuple[Array, Array | None]:
    """One step of gradient descent with momentum. [OP-1]"""
    result, moved = (empty(parameter.shape, parameter.dtype) for _ in range(2))
    before = gradient if velocity is None else velocity
    given = flat(parameter), flat(gradient), flat(before), velocity is not None
    rates = lr, momentum, undamped, weight_decay
    launch(_sgd_step, parameter.size, *given, rates, bool(nesterov), flat(result), flat(moved))
    return result, None if momentum == 0 else moved


__all__ = ["sgd_step"]
