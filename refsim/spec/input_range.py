"""The learned input range: initialisation from data, clip and scale, and its gradient rule (clauses IR)."""

from __future__ import annotations

import numpy as np

from .sums import Array, Scalar, nearest, total


def range_from_data(r: Scalar, counter: Scalar, deviation: Scalar, alpha: Scalar) -> Scalar:
    r"""Range after one counted batch of the initialisation from data. [IR-1]

    .. math:: r' = \left|\frac{r k + \alpha \sigma}{k + 1}\right|

    A batch counts if its standard deviation SU-7 is positive; the first one (:math:`k = 0`) replaces the initial value.

    Parameters
    ----------
    r
        Range so far, in units of the input.
    counter
        Number of batches counted so far, :math:`k`.
    deviation
        Standard deviation of all elements of the batch, :math:`\sigma`.
    alpha
        ``init_std_alpha``.

    Returns
    -------
    Scalar of ``T``.

    Examples
    --------
    >>> T = np.float64
    >>> print(range_from_data(T(3), T(1), T(0.5), T(2)))
    2.0
    """
    return np.abs((r * counter + alpha * deviation) / (counter + counter.dtype.type(1)))


def clipped_input(x: Array, r: Scalar) -> Array:
    r"""Input clipped to the range, the bound taken as a constant. [IR-2]

    .. math:: c = \mathrm{clip}(x, |r|)

    Parameters
    ----------
    x
        ``(N, I)``.
    r
        Input range, any sign.

    Returns
    -------
    ``(N, I)``.

    Examples
    --------
    >>> clipped_input(np.array([[-3.0, 0.5, 2.0]]), np.float64(2))
    array([[-2. ,  0.5,  2. ]])
    """
    bound = np.abs(r)
    return np.where(x < -bound, -bound, np.where(x > bound, bound, x))


def scaled_input(c: Array, r: Scalar) -> Array:
    r"""Clipped input in units of the signed range. [IR-3]

    .. math:: v = c / r

    Parameters
    ----------
    c
        ``(N, I)``, clipped input.
    r
        Input range; a negative one turns every input round.

    Returns
    -------
    ``(N, I)``.

    Examples
    --------
    >>> scaled_input(np.array([[-2.0, 0.5]]), np.float64(2))
    array([[-1.  ,  0.25]])
    """
    return c / r


def range_rule_sums(c: Array, d: Array, r: Scalar) -> tuple[Scalar, Scalar]:
    r"""The two sums of the range rule: pulls at the upper and at the lower edge. [IR-4]

    .. math:: S_+ = \sum_{c \ge r} \min(d, 0),\qquad S_- = \sum_{c \le -r} \max(d, 0)

    Both edges are inclusive: an input exactly at the range counts.

    Parameters
    ----------
    c
        ``(N, I)``, clipped input (or the raw one on the manual path).
    d
        ``(N, I)``, gradient of the loss with respect to the clipped input.
    r
        Input range, signed.

    Returns
    -------
    :math:`S_+ \le 0` and :math:`S_- \ge 0`, each an exact sum rounded once.

    Examples
    --------
    >>> c, d = np.array([[2.0, 2.0, -2.0, 1.0]]), np.array([[-3.0, 1.0, 0.5, -9.0]])
    >>> upper, lower = range_rule_sums(c, d, np.float64(2))
    >>> print(upper, lower)
    -3.0 0.5
    """
    zero = r.dtype.type(0)
    upper = np.where((c >= r) & (d < zero), d, zero)
    lower = np.where((c <= -r) & (d > zero), d, zero)
    return total(upper), total(lower)


def range_rule(upper: Scalar, lower: Scalar, r: Scalar, relative: bool, scale: Scalar) -> Scalar:
    r"""Gradient of the range by the rule, before decay. [IR-5]

    .. math:: R = ((S_+ - S_-)\, r)\, g

    The factor :math:`r` is there if ``gradient_relative``; :math:`g` is ``gradient_scale`` (1 where a choice says
    that it does not apply). For :math:`r > 0`, :math:`R \le 0`: the rule can only grow the range.

    Parameters
    ----------
    upper, lower
        The sums IR-4.
    r
        Input range, signed.
    relative
        ``gradient_relative``.
    scale
        The gradient scale that applies.

    Returns
    -------
    Scalar of ``T``.

    Examples
    --------
    >>> T = np.float64
    >>> print(range_rule(T(-3), T(0.5), T(2), True, T(1)))
    -7.0
    """
    rule = upper - lower
    return (rule * r if relative else rule) * scale


def unclipped_fraction(c: Array, r: Scalar) -> np.float32:
    r"""Fraction of inputs strictly inside the range, in float32 for every data type. [IR-6]

    .. math:: p = \mathrm{RN}_{32}\left(\frac{\#\{|c| < r\}}{N I}\right)

    Parameters
    ----------
    c
        ``(N, I)``.
    r
        Input range; for a negative one no input is inside.

    Returns
    -------
    float32 scalar, NaN for an empty batch.

    Examples
    --------
    >>> print(unclipped_fraction(np.array([[1.0, 2.0, -3.0]]), np.float64(2)))
    0.33333334
    """
    if c.size == 0:
        return np.float32(np.nan)
    inside = int(np.count_nonzero(np.abs(c) < r))
    return np.float32(nearest(inside, 0, np.dtype(np.float32), divisor=c.size))


def range_decay(
    gradient: Scalar, r: Scalar, decay: Scalar, fraction: np.float32, threshold: np.float32
) -> Scalar:
    r"""Gradient of the range with its decay term. [IR-7]

    .. math:: R' = R + \lambda r \quad\text{if } \lambda > 0 \text{ and } p > \theta,\ \text{else } R

    The comparison is strict and in float32. Decay is independent of ``gradient_relative`` and ``gradient_scale``.

    Parameters
    ----------
    gradient
        The rule's gradient IR-5.
    r
        Input range, signed.
    decay
        ``decay``, :math:`\lambda`.
    fraction, threshold
        The fraction IR-6 and ``input_min_percentage``, both float32.

    Returns
    -------
    Scalar of ``T``.

    Examples
    --------
    >>> T = np.float64
    >>> print(range_decay(T(-7), T(2), T(0.5), np.float32(0.96), np.float32(0.95)))
    -6.0
    """
    if decay > 0 and fraction > threshold:
        return gradient + decay * r
    return gradient


def range_residual(output_sum: Scalar, input_sum: Scalar, r: Scalar) -> Scalar:
    r"""What the chain rule adds to the range rule on the autograd path. [IR-8]

    .. math:: \rho = \sum_{no} (g a s)_{no}\, z_{no} - \frac{1}{r} \sum_{ni} \frac{\partial L}{\partial v_{ni}} v_{ni}

    The range divides the input and multiplies the output, so the chain rule has a term for each. The two cancel
    in exact arithmetic where the core is linear at the visited point.

    Parameters
    ----------
    output_sum
        Exact sum of the products of :math:`g a s` (formed left to right) with the core output :math:`z`, rounded once.
    input_sum
        Exact sum of the products of the gradient of :math:`v` with :math:`v`, rounded once.
    r
        Input range, signed.

    Returns
    -------
    Scalar of ``T``.

    Examples
    --------
    >>> T = np.float64
    >>> print(range_residual(T(3), T(4), T(2)))
    1.0
    """
    return output_sum - input_sum / r


def range_input_gradient(dv: Array, x: Array, r: Scalar) -> tuple[Array, Array]:
    r"""Gradients at the clipped input and at the input. [IR-9]

    .. math:: d = \frac{1}{r}\frac{\partial L}{\partial v},\qquad
        \frac{\partial L}{\partial x} = d\;\mathbf 1[|x| \le |r|]

    Parameters
    ----------
    dv
        ``(N, I)``, gradient with respect to the scaled input.
    x
        ``(N, I)``, the input before the clip.
    r
        Input range, signed.

    Returns
    -------
    :math:`d` and :math:`\partial L / \partial x`, each ``(N, I)``; blocked entries are ``+0``.

    Examples
    --------
    >>> d, dx = range_input_gradient(np.array([[1.0, 4.0]]), np.array([[2.0, 3.0]]), np.float64(2))
    >>> d, dx
    (array([[0.5, 2. ]]), array([[0.5, 0. ]]))
    """
    d = dv / r
    return d, np.where(np.abs(x) <= np.abs(r), d, r.dtype.type(0))


__all__ = [
    "clipped_input",
    "range_decay",
    "range_from_data",
    "range_input_gradient",
    "range_residual",
    "range_rule",
    "range_rule_sums",
    "scaled_input",
    "unclipped_fraction",
]
