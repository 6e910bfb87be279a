"""Whole chains on either side of the crossbar: clauses one after the other, so that a backend may fuse them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .backward import adc_gradient, dac_gradient
from .converters import analog_to_digital, clip, digital_to_analog, rescaled_output
from .input_range import (
    clipped_input,
    range_input_gradient,
    range_rule_sums,
    scaled_input,
    unclipped_fraction,
)
from .periphery import row_scaled, scaled_output, shifted_output
from .product import matrix_product
from .sums import Array, Scalar, product_total

Product = Callable[[Array, Array], Array]


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
    product: Product | None = None,
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
    product
        What stands in for MV-1, None for nothing.

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
    m = (product or matrix_product)(d, weight)
    t, code = analog_to_digital(m, step, bound, rounding, noise, noise_scale, negative_factor)
    y = rescaled_output(code, sigma, out_scale)
    for factor in (kappa, a):
        y = y if factor is None else scaled_output(y, factor)
    y = y if bias is None else shifted_output(y, bias)
    return t, y, bool(np.isfinite(t).all() and np.isfinite(y).all())


def crossbar_output_gradient(
    g: Array,
    t: Array,
    sigma: Array,
    out_scale: Scalar,
    bound: Scalar,
    kappa: Array | None,
    s: Array | None,
) -> tuple[Array, Scalar]:
    r"""Gradient of the product, and the output sum of the range gradient. [CH-3]

    The gradient is PP-1 and BP-1 one after the other, the sum is SU-2 of PP-1 and of DC-2 and DC-5.

    .. math:: G^m = \mathrm{BP1}(g\,\kappa),\qquad S = \mathrm{RN}_T\Bigl(\sum_{no} (g s)_{no}\, z_{no}\Bigr)

    For a converter without asymmetry.

    Parameters
    ----------
    g
        ``(N, O)``, gradient behind the factor ``kappa``.
    t
        ``(N, O)``, rounded outputs.
    sigma, out_scale, bound
        As for BP-1 and DC-5.
    kappa, s
        ``(1,)`` or ``(O,)``, factors of PP-1, or None.

    Returns
    -------
    tuple
        ``(N, O)`` and the sum.

    Examples
    --------
    >>> one = np.float64(1)
    >>> g, t = np.array([[1.0, -1.0]]), np.array([[0.5, 3.0]])
    >>> gm, total = crossbar_output_gradient(g, t, np.ones(1), one, np.float64(2), np.array([2.0]), None)
    >>> gm, float(total)
    (array([[2., 0.]]), -1.5)
    """
    one = out_scale.dtype.type(1)
    gz = g if kappa is None else scaled_output(g, kappa)
    z = rescaled_output(clip(t, bound), sigma, out_scale)
    scaled = g if s is None else scaled_output(g, s)
    return adc_gradient(gz, sigma, out_scale, t, bound, t, one), product_total(scaled, z)


def crossbar_input_gradient(
    gd: Array,
    x: Array,
    r: Scalar,
    sigma: Array,
    step: Scalar,
    bound: Scalar,
    rounding: Array | None,
) -> tuple[Array, Scalar, Scalar, Scalar, np.float32, bool]:
    r"""Gradient of the input, and the sums of the range gradient. [CH-4]

    The gradient is BP-2 (with the levels of IR-2, IR-3 and DC-3), PP-4 and IR-9 one after the other; the sums are IR-4,
    SU-2 and IR-6.

    .. math:: \partial L / \partial x = \mathrm{IR9}\bigl(\sigma\, \mathrm{BP2}(G^d)\bigr)

    For a converter without asymmetry.

    Parameters
    ----------
    gd
        ``(N, I)``, gradient of the converted inputs.
    x
        ``(N, I)``, input of the tile.
    r
        Input range.
    sigma, step, bound, rounding
        As for DC-3.

    Returns
    -------
    tuple
        ``(N, I)``; both sums of IR-4; the sum of the products of gradient and value of the scaled input; the fraction
        IR-6; and whether the gradient of the clipped input is finite.

    Examples
    --------
    >>> one = np.float64(1)
    >>> gd, x = np.array([[-1.0, -1.5]]), np.array([[0.625, 3.0]])
    >>> dx, *sums = crossbar_input_gradient(gd, x, np.float64(2), np.ones(1), np.float64(0.25), one, None)
    >>> dx, [float(value) for value in sums]
    (array([[-0.5,  0. ]]), [-0.75, 0.0, -1.8125, 0.5, 1.0])
    """
    one, zero = sigma.dtype.type(1), sigma.dtype.type(0)
    c = clipped_input(x, r)
    v = scaled_input(c, r)
    q, _, negative = digital_to_analog(v, sigma, step, bound, rounding, None, zero, one)
    dv = row_scaled(dac_gradient(gd, q, bound, negative, one), sigma)
    d, dx = range_input_gradient(dv, x, r)
    upper, lower = range_rule_sums(c, d, r)
    finite = bool(np.isfinite(d).all())
    return dx, upper, lower, product_total(dv, v), unclipped_fraction(c, r), finite
