"""Stochastic gradient descent (clause OP)."""

from __future__ import annotations

import numpy as np

from .._jit import compiled
from . import threads
from .arrays import Array, Scalar, optional, plain
from .points import P


@compiled
def _sgd_step(
    parameter: Array,
    gradient: Array,
    velocity: Array,
    new_parameter: Array,
    new_velocity: Array,
    rates: tuple[Scalar, Scalar, Scalar, Scalar],
    nesterov: bool,
) -> None:
    lr, momentum, undamped, weight_decay = rates
    for i in range(parameter.size):
        p, direction = parameter[i], gradient[i]
        if weight_decay != 0:
            direction = P.noisy(direction, weight_decay, p)
        if momentum != 0:
            v = direction
            if velocity.size:
                v = P.add(P.mul(momentum, velocity[i]), P.mul(undamped, direction))
            new_velocity[i] = v
            direction = P.noisy(direction, momentum, v) if nesterov else v
        new_parameter[i] = P.noisy(p, -lr, direction)


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
    result = np.empty(parameter.shape, parameter.dtype)
    new_velocity = np.empty(parameter.shape, parameter.dtype)
    flat = [plain(x).reshape(-1) for x in (parameter, gradient)]
    before = optional(None if velocity is None else velocity.reshape(-1), flat[0])
    given = *flat, before, result.reshape(-1), new_velocity.reshape(-1)
    threads.run_elements(_sgd_step, given, (lr, momentum, undamped, weight_decay), nesterov)
    return result, None if momentum == 0 else new_velocity


__all__ = ["sgd_step"]
