"""Sums of strided products: every sum of the clauses, and every element of a product, is one of them.

Sum ``j`` of ``sums`` adds the products of ``x[p + k * xk]`` and ``y[q + k * yk]``, ``k = 0 ... length - 1``, of flat
arrays, where ``p = (j // per) * xa + (j % per) * xb`` and ``q = (j // per) * ya + (j % per) * yb``.
"""

from __future__ import annotations

from typing import NamedTuple

from .device import DeviceArray, flat


class Layout(NamedTuple):
    """Where the factors of each sum stand."""

    per: int
    xa: int
    xb: int
    xk: int
    ya: int
    yb: int
    yk: int


class Terms(NamedTuple):
    """Factors of ``sums`` sums of ``length`` products each; not ``paired``, the terms are those of ``x`` alone."""

    x: DeviceArray
    y: DeviceArray
    paired: bool
    layout: Layout
    sums: int
    length: int


def _terms(x: DeviceArray, y: DeviceArray | None, layout: Layout, count: int, length: int) -> Terms:
    return Terms(flat(x), flat(x if y is None else y), y is not None, layout, count, length)


def all_elements(x: DeviceArray, y: DeviceArray | None) -> Terms:
    """One sum of everything."""
    return _terms(x, y, Layout(1, 0, 0, 1, 0, 0, 1), 1, x.size)


def of_rows(x: DeviceArray, y: DeviceArray | None) -> Terms:
    """The sums of the rows; a ``y`` of one axis holds one factor for each row."""
    count, length = x.shape
    each = y is not None and len(y.shape) == 1
    layout = Layout(1, length, 0, 1, *((1, 0, 0) if each else (length, 0, 1)))
    return _terms(x, y, layout, count, length)


def of_columns(x: DeviceArray, y: DeviceArray | None) -> Terms:
    """The sums of the columns."""
    length, count = x.shape
    return _terms(x, y, Layout(max(1, count), 0, 1, count, 0, 1, count), count, length)


def rows_by_rows(a: DeviceArray, b: DeviceArray) -> Terms:
    """Products of the rows of ``a`` with the rows of ``b``."""
    (N, K), O = a.shape, b.shape[0]
    return _terms(a, b, Layout(max(1, O), K, 0, 1, 0, K, 1), N * O, K)


def rows_by_columns(g: DeviceArray, w: DeviceArray) -> Terms:
    """Products of the rows of ``g`` with the columns of ``w``."""
    (N, O), I = g.shape, w.shape[1]
    return _terms(g, w, Layout(max(1, I), O, 0, 1, 0, 1, I), N * I, O)


def columns_by_columns(g: DeviceArray, d: DeviceArray) -> Terms:
    """Products of the columns of ``g`` with the columns of ``d``."""
    (N, O), I = g.shape, d.shape[1]
    return _terms(g, d, Layout(max(1, I), 1, 0, O, 0, 1, I), O * I, N)


def rows_by_own_rows(a: DeviceArray, b: DeviceArray) -> Terms:
    """Products of each row of ``a`` with the rows of a matrix of its own."""
    N, O, K = b.shape
    return _terms(a, b, Layout(max(1, O), K, 0, 1, O * K, K, 1), N * O, K)


def rows_by_own_columns(g: DeviceArray, w: DeviceArray) -> Terms:
    """Products of each row of ``g`` with the columns of a matrix of its own."""
    N, O, I = w.shape
    return _terms(g, w, Layout(max(1, I), O, 0, 1, O * I, 1, I), N * I, O)
