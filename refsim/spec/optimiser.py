"""Stochastic gradient descent (clause OP)."""

from __future__ import annotations

import numpy as np

from .sums import Array, Scalar


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
    r"""One step of gradient descent with momentum. [OP-1]

    .. math:: d = g + \lambda p,\qquad
        v' = \begin{cases} d & \text{first step} \\ \mu v + (1 - \tau)\, d & \text{else} \end{cases},\qquad
        p' = p - \eta \cdot
        \begin{cases} d & \mu = 0 \\ v' & \text{plain momentum} \\ d + \mu v' & \text{Nesterov} \end{cases}

    The term :math:`\lambda p` is left out for :math:`\lambda = 0`.

    Parameters
    ----------
    parameter, gradient
        Arrays of one shape, :math:`p` and :math:`g`.
    velocity
        :math:`v` of the step before, or None.
    lr
        Learning rate :math:`\eta`.
    momentum
        :math:`\mu`; 0 for none.
    undamped
        :math:`1 - \tau`, formed in float64 and rounded once, with the dampening :math:`\tau`.
    weight_decay
        :math:`\lambda`; 0 for none.
    nesterov
        Look ahead along the velocity.

    Returns
    -------
    :math:`p'` and :math:`v'` (None without momentum).

    Examples
    --------
    >>> import numpy as np
    >>> T, p, g = np.float64, np.array([1.0]), np.array([0.5])
    >>> p, v = sgd_step(p, g, None, T(0.1), T(0.9), T(1), T(0), False)
    >>> p, v
    (array([0.95]), array([0.5]))
    >>> sgd_step(p, g, v, T(0.1), T(0.9), T(1), T(0), False)
    (array([0.855]), array([0.95]))
    """
    direction = gradient if weight_decay == 0 else gradient + weight_decay * parameter
    if momentum == 0:
        return np.asarray(parameter - lr * direction), None
    velocity = direction.copy() if velocity is None else momentum * velocity + undamped * direction
    direction = direction + momentum * velocity if nesterov else velocity
    return np.asarray(parameter - lr * direction), np.asarray(velocity)


__all__ = ["sgd_step"]
