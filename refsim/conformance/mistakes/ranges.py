"""Wrong ranges, candidates and losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim import spec
from refsim.spec.range_search import _product_total, _squared_distance

from .core import up
from .mistake import mistakes, one, zero

F64 = np.float64


# --- extremes -----------------------------------------------------------------------------------


def percentile(place: Any = None, between: Any = None, upper: Any = None) -> Any:
    """Percentiles with one part of the formula changed."""
    place = place or (lambda p, n: p / 100 * (n - 1))
    between = between or (lambda a, b, t: a + t * (b - a))
    upper = upper or (lambda p: 100 - p)

    def at(ordered: Any, p: Any) -> Any:
        last = ordered.shape[1] - 1
        where = min(max(place(p, ordered.shape[1]), 0), last)
        k = int(np.floor(where))
        t = ordered.dtype.type(where - k)
        return between(ordered[:, k], ordered[:, min(k + 1, last)], t) + zero(ordered)

    def percentile_range(x: Any, p: Any, two_sided: bool) -> Any:
        ordered = np.sort(x + zero(x), axis=1)
        high = at(ordered, upper(p)) if two_sided else ordered[:, -1]
        return at(ordered, p), high

    return percentile_range


def one_sided(x: Any, p: Any, two_sided: bool) -> Any:
    return spec.percentile_range(x, p, False)


def always_two_sided(x: Any, p: Any, two_sided: bool) -> Any:
    return spec.percentile_range(x, p, True)


def in_type(p: Any, n: int) -> Any:
    return np.float32(p) / np.float32(100) * np.float32(n - 1)


def weights_of_both(a: Any, b: Any, t: Any) -> Any:
    return (one(a) - t) * a + t * b


def nearest(a: Any, b: Any, t: Any) -> Any:
    return b if t > 0.5 else a


# --- candidates ---------------------------------------------------------------------------------


def sized(size: Any, numbers: Any, one_sided: bool) -> Any:
    hi = numbers.astype(size.dtype)
    return np.zeros_like(hi) if one_sided else -hi, hi


def skewed(
    first: int = 1,
    skews: Any = lambda b: max(1, 2**b // 4),
    step: Any = lambda R, b: R / R.dtype.type((2**b - 1) / 2),
    sides: Any = (1, -1),
    lower: bool = True,
    upper: bool = True,
) -> Any:
    """Candidates with one part of the formula changed."""

    def skewed_candidates(p: Any, q: Any, size: Any, count: int, b: int) -> Any:
        T, lo, hi = size.dtype.type, [], []
        for c in range(first, first + count):
            R = T(c) * (size / T(count))
            for k in range(skews(b)):
                for side in sides:
                    e = T(side) * (T(k) * step(R, b))
                    lo.append(max(-R + e, p) if lower else -R + e)
                    hi.append(min(R + e, q) if upper else R + e)
        return np.array(lo, size.dtype), np.array(hi, size.dtype)

    return skewed_candidates


def sides_first(p: Any, q: Any, size: Any, count: int, b: int) -> Any:
    """First all skews to the right, then all to the left."""
    ends = spec.skewed_candidates(p, q, size, count, b)
    return tuple(e.reshape(count, -1, 2).transpose(0, 2, 1).reshape(-1) for e in ends)


# --- losses -------------------------------------------------------------------------------------


def loss(
    of: Any = _squared_distance,
    quantise: Any = spec.quantised,
) -> Any:
    """A loss of each row and quantiser from other distances or other values."""

    def squared_errors(x: Any, scale: Any, zero: Any, low: Any, high: Any) -> Any:
        losses = np.empty((len(x), len(scale)))
        for c in range(len(scale)):
            grid = scale[c : c + 1], zero[c : c + 1], low, high
            for g in range(len(x)):
                losses[g, c] = of(x[g], quantise(x[g : g + 1], *grid)[0])
        return losses

    return squared_errors


def rounded_terms(x: Any, q: Any) -> Any:
    e = x - q
    return _product_total(e, e)


def naive(x: Any, q: Any) -> Any:
    e = x.astype(F64) - q
    return np.concatenate([[0.0], e * e]).cumsum()[-1]


def open_above(x: Any, s: Any, z: Any, a: Any, b: Any) -> Any:
    """The upper end of the codes left out."""
    return spec.quantised(x, s, z, a, b - one(x))


def half_up(x: Any, s: Any, z: Any, a: Any, b: Any) -> Any:
    codes = np.minimum(np.maximum(up(x / s[:, None]) + z[:, None], a), b)
    return s[:, None] * (codes - z[:, None])


def unclipped(x: Any, s: Any, z: Any, a: Any, b: Any) -> Any:
    return s[:, None] * np.rint(x / s[:, None])


def softmax_loss(
    share: Any = spec.softmax, of: Any = None, end: Any = None, swap: bool = False
) -> Any:
    """A loss of the softmax with one part changed."""
    of = of or (lambda p, v: _product_total(-p, v))
    end = end or (lambda value, x: value)

    def softmax_losses(x: Any, scale: Any, zero: Any, low: Any, high: Any) -> Any:
        losses = np.empty((1, len(scale)))
        for c in range(len(scale)):
            grid = scale[c : c + 1], zero[c : c + 1], low, high
            y = spec.quantised(x.reshape(1, -1), *grid).reshape(x.shape)
            x_, y_ = (y, x) if swap else (x, y)
            labels = [np.full(len(x), k) for k in range(x.shape[1])]
            logs = -np.stack([spec.cross_entropy(y_, t) for t in labels], axis=1)
            losses[0, c] = end(of(share(x_), logs), x)
        return losses

    return softmax_losses


def per_tensor(y: Any) -> Any:
    return spec.softmax(y.reshape(1, -1)).reshape(y.shape)


def totals(pick: Any = None, add: Any = lambda new, old: old + new) -> Any:
    pick = pick or (lambda total, new: np.argmin(total, axis=1))

    def least_loss(losses: Any, before: Any) -> Any:
        total = losses.copy() if before is None else add(losses, before)
        return total, pick(total, losses).astype(np.int64)

    return least_loss


def last(total: Any, new: Any) -> Any:
    return total.shape[1] - 1 - np.argmin(total[:, ::-1], axis=1)


WRONG = [
    *mistakes(
        "RE-1",
        "value_range",
        symmetric=lambda x: (-np.abs(x).max(axis=1), np.abs(x).max(axis=1)),
        of_the_whole_tensor=lambda x: tuple(
            np.full(len(x), f(initial=0), x.dtype) for f in (x.min, x.max)
        ),
        zero_included=lambda x: (x.min(axis=1, initial=0), x.max(axis=1, initial=0)),
        ends_swapped=lambda x: spec.value_range(x)[::-1],
        magnitude=lambda x: spec.value_range(np.abs(x)),
    ),
    *mistakes(
        "RE-2",
        "percentile_range",
        of_magnitudes=lambda x, *place: spec.percentile_range(np.abs(x), *place),
        one_sided=one_sided,
        always_two_sided=always_two_sided,
        of_all_places=percentile(place=lambda p, n: p / 100 * n),
        place_in_single_precision=percentile(place=in_type),
        nearest_number=percentile(between=nearest),
        lower_number=percentile(between=lambda a, b, t: a),
        weighted_sum=percentile(between=weights_of_both),
        same_percentile_above=percentile(upper=lambda p: p),
        a_share_and_not_percent=percentile(place=lambda p, n: p * (n - 1)),
    ),
    *mistakes(
        "RE-3",
        "widest_range",
        the_latest=lambda lo, hi, a, b: (lo.copy(), hi.copy()),
        the_first=lambda lo, hi, a, b: (a.copy(), b.copy()),
        the_narrowest=lambda lo, hi, a, b: (np.maximum(lo, a), np.minimum(hi, b)),
    ),
    *mistakes(
        "RE-4",
        "moving_range",
        weights_swapped=lambda lo, hi, a, b, f, m: spec.moving_range(lo, hi, a, b, m, f),
        step_towards_the_new=lambda lo, hi, a, b, f, m: (a + f * (lo - a), b + f * (hi - b)),
        sum_rounded_once=lambda lo, hi, a, b, f, m: tuple(
            np.array(
                [spec.product_total(np.stack([f, m]), np.stack([u, v])) for u, v in pair],
                lo.dtype,
            ).reshape(lo.shape)
            for pair in (list(zip(lo, a, strict=True)), list(zip(hi, b, strict=True)))
        ),
    ),
    *mistakes(
        "RE-5",
        "search_limits",
        no_margin=lambda lo, hi, m: spec.search_limits(lo, hi, zero(lo)),
        upper_end_alone=lambda lo, hi, m: (*spec.search_limits(lo, hi, m)[:2], hi.max() + m),
        first_row=lambda lo, hi, m: spec.search_limits(lo[:1], hi[:1], m),
        margin_inwards=lambda lo, hi, m: spec.search_limits(lo, hi, -m),
        relative_margin=lambda lo, hi, m: spec.search_limits(
            lo, hi, m * np.maximum(np.abs(lo.min()), np.abs(hi.max()))
        ),
    ),
    *mistakes(
        "RE-6",
        "symmetric_candidates",
        from_zero=lambda s, n, o: sized(s, np.arange(n).astype(s.dtype) * (s / one(s) / n), o),
        one_more=lambda s, n, o: spec.symmetric_candidates(s, n + 1, o),
        product_first=lambda s, n, o: sized(
            s, (np.arange(1, n + 1).astype(s.dtype) * s) / s.dtype.type(n), o
        ),
        in_double=lambda s, n, o: sized(
            s, np.arange(1, n + 1).astype(np.longdouble) * np.longdouble(s) / n, o
        ),
        never_one_sided=lambda s, n, o: spec.symmetric_candidates(s, n, False),
        always_one_sided=lambda s, n, o: spec.symmetric_candidates(s, n, True),
        largest_first=lambda s, n, o: tuple(e[::-1] for e in spec.symmetric_candidates(s, n, o)),
    ),
    *mistakes(
        "RE-7",
        "skewed_candidates",
        from_zero=skewed(first=0),
        one_skew_more=skewed(skews=lambda b: max(1, 2**b // 4) + 1),
        half_the_skews=skewed(skews=lambda b: max(1, 2**b // 8)),
        levels_for_steps=skewed(step=lambda R, b: R / R.dtype.type(2**b / 2)),
        half_steps=skewed(step=lambda R, b: R / R.dtype.type(2**b - 1)),
        other_side_first=skewed(sides=(-1, 1)),
        one_side=skewed(sides=(1, 1)),
        lower_limit_ignored=skewed(lower=False),
        upper_limit_ignored=skewed(upper=False),
        sides_one_after_the_other=sides_first,
    ),
    *mistakes(
        "RE-8",
        "shifted_range",
        shifted_the_other_way=lambda R, e, o: spec.shifted_range(R, -e, o),
        upper_end_alone=lambda R, e, o: (spec.shifted_range(R, zero(R), o)[0], np.array([R + e])),
        never_one_sided=lambda R, e, o: spec.shifted_range(R, e, False),
    ),
    *mistakes(
        "RE-9",
        "squared_errors",
        rounded_terms=loss(rounded_terms),
        rounded_to_the_type=loss(lambda x, q: F64(x.dtype.type(np.float32(naive(x, q))))),
        naive_sum=loss(naive),
        mean=loss(lambda x, q: _squared_distance(x, q) / max(1, x.size)),
        root=loss(lambda x, q: np.sqrt(_squared_distance(x, q))),
        absolute_error=loss(lambda x, q: F64(np.abs(x - q).sum())),
        last_code_left_out=loss(quantise=open_above),
        half_up=loss(quantise=half_up),
        not_clipped=loss(quantise=unclipped),
        rows_together=lambda x, *grid: np.repeat(
            spec.squared_errors(x.reshape(1, -1), *grid), len(x), axis=0
        ),
    ),
    *mistakes(
        "RE-10",
        "softmax_losses",
        mean_of_rows=softmax_loss(end=lambda v, x: v / len(x)),
        rounded_to_single=softmax_loss(end=lambda v, x: F64(np.float32(v))),
        naive_sum=softmax_loss(of=lambda p, v: F64((-p * v).sum())),
        roles_swapped=softmax_loss(swap=True),
        negative=softmax_loss(end=lambda v, x: -v),
        over_the_whole_tensor=softmax_loss(share=per_tensor),
        over_the_batch=lambda x, *grid: spec.softmax_losses(x.T.copy(), *grid),
    ),
    *mistakes(
        "RE-11",
        "least_loss",
        last_of_equal_ones=totals(last),
        largest=totals(lambda total, new: np.argmax(total, axis=1)),
        of_this_call=totals(lambda total, new: np.argmin(new, axis=1)),
        mean_of_calls=totals(add=lambda new, old: (old + new) / 2),
        calls_before_forgotten=totals(add=lambda new, old: new.copy()),
        one_for_all_rows=totals(
            lambda total, new: np.full(len(total), np.argmin(total.sum(axis=0)))
        ),
    ),
]
