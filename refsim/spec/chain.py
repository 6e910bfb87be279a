"""Whole chains on either side of the crossbar: clauses one after the other, so that a backend may fuse them."""

from __future__ import annotations

import numpy as np

from .converters import analog_to_digital, digital_to_analog, rescaled_output
from .input_range import clipped_input, scaled_input
from .periphery import scaled_output, shifted_output
from .product import matrix_product
from .sums import Array, Scalar


def crossbar_input(
    x: Array,
    r: Scalar | None,
    sigma: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Scalar,
    negative_factor: Scalar,
) -> tuple[Array, bool]:
    r"""Converted inputs of a batch: IR-2, IR-3 and DC-3, one after the other. [CH-1]

    .. math:: d = \mathrm{DAC}\bigl(\mathrm{clip}(x, |r|) / r\bigr)

    Parameters
    ----------
    x
        ``(N, I)``, input of the tile.
    r
        Input range, None if there is none.
    sigma, step, bound, rounding, noise, noise_scale, negative_factor
        As for DC-3.

    Returns
    -------
    tuple
        ``d``, ``(N, I)``, and whether all elements of ``x`` and of ``d`` are finite.

    Examples
    --------
    >>> one = np.float64(1)
    >>> x = np.array([[0.625, 3.0]])
    >>> crossbar_input(x, np.float64(2), np.ones(1), np.float64(0.25), one, None, None, one, one)
    (array([[0.25, 1.  ]]), True)
    """
    v = x if r is None else scaled_input(clipped_input(x, r), r)
    _, d, _ = digital_to_analog(
        v, sigma, step, bound, rounding, noise, noise_scale, negative_factor
    )
    return d, bool(np.isfinite(x).all() and np.isfinite(d).all())


def crossbar_output(
    d: Array,
    weight: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
    noise: Array | None,
    noise_scale: Array,
    negative_factor: Scalar,
    sigma: Array,
    out_scale: Scalar,
    kappa: Array | None,
    a: Array | None,
    bias: Array | None,
) -> tuple[Array, Array, bool]:
    r"""Outputs of a batch: MV-1, DC-4, DC-5, PP-1 (for ``kappa`` and for ``a``) and PP-2, one after the other. [CH-2]

    .. math:: y = \mathrm{ADC}\bigl(d\, W^\top\bigr) \cdot \frac{s_\mathrm{out}}{\sigma} \cdot \kappa \cdot a + b

    An absent factor or bias costs no rounding.

    Parameters
    ----------
    d
        ``(N, I)``, converted inputs.
    weight
        ``(O, I)``.
    step, bound, rounding, noise, noise_scale, negative_factor
        As for DC-4.
    sigma, out_scale
        As for DC-5.
    kappa, a
        ``(1,)`` or ``(O,)``, factors of PP-1, or None.
    bias
        ``(O,)``, or None.

    Returns
    -------
    tuple
        The rounded outputs before the clip and the outputs of the tile, ``(N, O)`` each, and whether all of both are
        finite.

    Examples
    --------
    >>> one, free = np.float64(1), np.float64(np.inf)
    >>> d, weight = np.array([[0.25, 1.0]]), np.array([[1.0, 0.5], [-0.5, 0.25]])
    >>> adc = np.float64(0.5), free, None, None, np.zeros(1), one
    >>> crossbar_output(d, weight, *adc, np.ones(1), one, np.array([2.0]), None, np.array([0.0, 3.0]))
    (array([[1., 0.]]), array([[2., 3.]]), True)
    """
    t, code = analog_to_digital(
        matrix_product(d, weight), step, bound, rounding, noise, noise_scale, negative_factor
    )
    y = rescaled_output(code, sigma, out_scale)
    for factor in (kappa, a):
        y = y if factor is None else scaled_output(y, factor)
    y = y if bias is None else shifted_output(y, bias)
    return t, y, bool(np.isfinite(t).all() and np.isfinite(y).all())
