"""Matrix products with one rounding per element (clauses MV)."""

from __future__ import annotations

import numpy as np

from .sums import Array, grid_integers, rounded


def matrix_product(a: Array, b: Array) -> Array:
    r"""Matrix product of the rows of ``a`` with the rows of ``b``, each element rounded once. [MV-1]

    .. math:: m_{no} = \mathrm{RN}_T\left(\sum_k a_{nk} b_{ok}\right)

    Parameters
    ----------
    a
        ``(N, K)``, e.g. the converted inputs.
    b
        ``(O, K)``, e.g. the stored weights.

    Returns
    -------
    ``(N, O)``. An element with a NaN or infinite term is NaN, one that overflows is infinite, an exact zero is ``+0``.

    Examples
    --------
    >>> x = np.array([[1.0, 1e8, -1e8]], dtype=np.float32)
    >>> matrix_product(x, np.ones((1, 3), dtype=np.float32))
    array([[1.]], dtype=float32)
    """
    (n, e), (m, f) = grid_integers(a), grid_integers(b)
    sums = np.array(
        [[sum(map(int.__mul__, row, col)) for col in m.tolist()] for row in n.tolist()],
        dtype=object,
    )
    finite = np.logical_and.outer(np.isfinite(a).all(axis=1), np.isfinite(b).all(axis=1))
    return rounded(sums.reshape(len(a), len(b)), e + f, a.dtype, finite)


def transposed_product(g: Array, w: Array) -> Array:
    r"""Product of the rows of ``g`` with the columns of ``w``, each element rounded once. [MV-3]

    .. math:: p_{ni} = \mathrm{RN}_T\left(\sum_o g_{no} w_{oi}\right)

    Parameters
    ----------
    g
        ``(N, O)``, e.g. gradients of the analog product.
    w
        ``(O, I)``.

    Returns
    -------
    ``(N, I)``.

    Examples
    --------
    >>> transposed_product(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]))
    array([[13., 16.]])
    """
    return matrix_product(g, w.T)


def outer_product_sum(g: Array, d: Array) -> Array:
    r"""Sum over the batch of the outer products of two rows, each element rounded once. [MV-4]

    .. math:: p_{oi} = \mathrm{RN}_T\left(\sum_n g_{no} d_{ni}\right)

    Parameters
    ----------
    g
        ``(N, O)``, gradients of the analog product.
    d
        ``(N, I)``, converted inputs.

    Returns
    -------
    ``(O, I)``, the gradient of the weights.

    Examples
    --------
    >>> outer_product_sum(np.array([[1.0], [2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]))
    array([[13., 16.]])
    """
    return matrix_product(g.T, d.T)


def per_sample_product(a: Array, b: Array) -> Array:
    r"""Product of each row of ``a`` with a matrix of its own, each element rounded once. [MV-2]

    .. math:: m_{no} = \mathrm{RN}_T\left(\sum_k a_{nk} b_{nok}\right)

    Parameters
    ----------
    a
        ``(N, K)``.
    b
        ``(N, O, K)``, e.g. weights with a noise sample for every row of the batch.

    Returns
    -------
    ``(N, O)``.

    Examples
    --------
    >>> per_sample_product(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[[1.0, 1.0]], [[2.0, 0.5]]]))
    array([[3.],
           [8.]])
    """
    rows = [matrix_product(a[n : n + 1], b[n]) for n in range(len(a))]
    return np.concatenate(rows) if rows else np.zeros((0, b.shape[1]), dtype=a.dtype)


def per_sample_transposed_product(g: Array, w: Array) -> Array:
    r"""Product of each row of ``g`` with the transpose of a matrix of its own, each element rounded once. [MV-5]

    .. math:: p_{ni} = \mathrm{RN}_T\left(\sum_o g_{no} w_{noi}\right)

    Parameters
    ----------
    g
        ``(N, O)``.
    w
        ``(N, O, I)``.

    Returns
    -------
    ``(N, I)``.

    Examples
    --------
    >>> per_sample_transposed_product(np.array([[1.0, 2.0]]), np.array([[[3.0, 4.0], [5.0, 6.0]]]))
    array([[13., 16.]])
    """
    return per_sample_product(g, w.transpose(0, 2, 1))


__all__ = [
    "matrix_product",
    "outer_product_sum",
    "per_sample_product",
    "per_sample_transposed_product",
    "transposed_product",
]
