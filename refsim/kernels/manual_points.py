"""Scalar bodies of the manual path; see :mod:`.points`."""

from __future__ import annotations

from .points import Number, add, mul


def positive_part(x: Number) -> Number:
    """The number if it is positive, else +0. [NM-6]"""
    return x if x > type(x)(0) else type(x)(0)


def sum_management_scale(peak: Number, sums: Number, factor: Number, limit: Number) -> Number:
    """Divisor of noise management from the sums of a row. [NM-7]"""
    scaled, largest = mul(factor, sums), mul(limit, peak)
    scaled = largest if scaled > largest else scaled
    return scaled if scaled > peak else peak


def running_peak(average: Number, peak: Number, keep: Number, weight: Number) -> Number:
    """Running average after one more row; a negative one is none. [NM-8]"""
    return peak if average < type(average)(0) else add(mul(keep, average), mul(weight, peak))


def left_out(gradient: Number, masked: bool) -> Number:
    """Gradient, +0 where masked. [BP-4]"""
    return type(gradient)(0) if masked else gradient


def range_growth(gradient: Number, r: Number, fraction: Number, threshold: Number) -> Number:
    """Gradient of the range with the growth term. [IR-11]"""
    T = type(r)
    clipped = add(T(1), -T(fraction))
    return add(gradient, -mul(clipped, r)) if fraction < threshold else gradient
