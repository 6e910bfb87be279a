"""Wrong rectifiers, softmaxes and losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim import spec

from .mistake import mistakes, one, zero


def unshifted(y: Any) -> Any:
    e = spec.exp(y)
    return e / spec.row_product_totals(e, np.ones_like(e))[:, None]


def shares(y: Any) -> tuple[Any, Any]:
    """Shifted logits and their exponentials."""
    shifted = y - spec.row_max(y)[0][:, None]
    return shifted, spec.exp(shifted)


def naive_sum(y: Any) -> Any:
    """Terms added one after the other."""
    e = shares(y)[1]
    return e / e.cumsum(axis=1)[:, -1:]


def by_reciprocal(y: Any) -> Any:
    e = shares(y)[1]
    return e * (one(e) / spec.row_product_totals(e, np.ones_like(e)))[:, None]


def shifted_by_batch(y: Any) -> Any:
    return unshifted(y - y.max(initial=-np.inf)) if y.size else y


def exp_of_the_machine(y: Any) -> Any:
    e = np.exp(shares(y)[0])
    return e / spec.row_product_totals(e, np.ones_like(e))[:, None]


def at(y: Any, label: Any) -> Any:
    return y[np.arange(len(y)), label]


def log_of_the_machine(y: Any, label: Any) -> Any:
    shifted, e = shares(y)
    return np.log(spec.row_product_totals(e, np.ones_like(e))) - at(shifted, label)


def loss_with_the_peak_added(y: Any, label: Any) -> Any:
    peak, e = spec.row_max(y)[0], shares(y)[1]
    return (spec.log(spec.row_product_totals(e, np.ones_like(e))) + peak) - at(y, label)


def gradient(divide: Any) -> Any:
    def wrong(y: Any, label: Any) -> Any:
        g = spec.softmax(y)
        g[np.arange(len(y)), label] -= one(y)
        return divide(g)

    return wrong


WRONG = [
    *mistakes(
        "NN-1",
        "relu",
        times_a_mask=lambda x: x * (x > 0),
        magnitude=np.abs,
        zero_keeps_its_sign=lambda x: np.where(x < 0, zero(x), x),
        nan_becomes_zero=lambda x: np.where(x > 0, x, zero(x)),
    ),
    *mistakes(
        "NN-2",
        "relu_gradient",
        passes_at_zero=lambda g, x: np.where(x >= 0, g, zero(g)),
        times_a_mask=lambda g, x: g * (x > 0),
        not_masked=lambda g, x: g.copy(),
    ),
    *mistakes(
        "NN-3",
        "softmax",
        not_shifted=unshifted,
        naive_sum=naive_sum,
        reciprocal=by_reciprocal,
        shifted_by_the_largest_of_the_batch=shifted_by_batch,
        exponential_of_the_machine=exp_of_the_machine,
    ),
    *mistakes(
        "NN-4",
        "cross_entropy",
        logarithm_of_the_softmax=lambda y, t: -spec.log(at(spec.softmax(y), t)),
        logarithm_of_the_machine=log_of_the_machine,
        peak_added_to_the_logarithm=loss_with_the_peak_added,
        label_ignored=lambda y, t: spec.cross_entropy(y, t * 0),
    ),
    *mistakes(
        "NN-5",
        "cross_entropy_gradient",
        sum_instead_of_mean=gradient(lambda g: g),
        divided_by_the_classes=gradient(lambda g: g / g.dtype.type(g.shape[1])),
        times_the_reciprocal=gradient(lambda g: g * (one(g) / g.dtype.type(max(1, len(g))))),
        label_not_subtracted=lambda y, t: spec.softmax(y) / y.dtype.type(max(1, len(y))),
    ),
]
