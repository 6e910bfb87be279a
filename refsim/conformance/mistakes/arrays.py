"""Wrong splits, sums of splits, quantiles and moving averages."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim import spec

from .mistake import mistakes


def sizes(split: Any) -> Any:
    def wrong(size: int, limit: int) -> Any:
        return np.array(split(size, limit) if limit > 0 else [size], dtype=np.int64)

    return wrong


def full_ones_first(size: int, limit: int) -> list[int]:
    rest = size % limit
    return [limit] * (size // limit) + ([rest] if rest else [])


def one_more_than_needed(size: int, limit: int) -> list[int]:
    count = min(size, size // limit + 1)
    return [size // count + (j < size % count) for j in range(count)]


def exact_sum(parts: Any) -> Any:
    S, N, C = parts.shape
    return spec.column_totals(parts.reshape(S, N * C)).reshape(N, C)


def with_zero_first(parts: Any) -> Any:
    y = np.zeros_like(parts[0])
    for part in parts:
        y = y + part
    return y


def in_pairs(parts: Any) -> Any:
    while len(parts) > 1:
        even = len(parts) // 2 * 2
        parts = np.concatenate([parts[0:even:2] + parts[1:even:2], parts[even:]])
    return parts[0].copy()


def ordered(x: Any) -> Any:
    return np.sort(x, axis=None)


def between(x: Any, index: int, fraction: Any) -> Any:
    return ordered(x)[index], ordered(x)[min(index + 1, x.size - 1)]


def two_products(x: Any, index: int, f: Any) -> Any:
    low, high = between(x, index, f)
    return low * (f.dtype.type(1) - f) + high * f


def not_limited(x: Any, index: int, f: Any) -> Any:
    low, high = between(x, index, f)
    return low + f * (high - low) + f.dtype.type(0) if f else low


def moving(average: Any) -> Any:
    return lambda r, k, v: average(r, k, v, k.dtype.type(1))


WRONG = [
    *mistakes(
        "TA-1",
        "split_sizes",
        full_tiles_first=sizes(full_ones_first),
        smaller_ones_first=sizes(lambda n, m: spec.split_sizes(n, m)[::-1]),
        one_split_too_many=sizes(one_more_than_needed),
        limit_of_zero_splits_all=lambda n, m: spec.split_sizes(n, m if m > 0 else 1),
    ),
    *mistakes(
        "TA-2",
        "split_sum",
        right_to_left=lambda parts: spec.split_sum(parts[::-1]),
        exact_and_rounded_once=exact_sum,
        in_pairs=in_pairs,
        zero_first=with_zero_first,
        last_part_left_out=lambda parts: spec.split_sum(parts[:-1] if len(parts) > 1 else parts),
    ),
    *mistakes(
        "CA-1",
        "quantile",
        of_magnitudes=lambda x, j, f: spec.quantile(np.abs(x), j, f),
        lower_neighbour=lambda x, j, f: spec.quantile(x, j, f * 0),
        nearest_neighbour=lambda x, j, f: spec.quantile(x, j, f.dtype.type(np.rint(f))),
        two_products=two_products,
        not_limited=not_limited,
        counted_from_the_top=lambda x, j, f: -spec.quantile(-x, j, f),
    ),
    *mistakes(
        "CA-2",
        "averaged_range",
        sign_kept=moving(lambda r, k, v, one: (r * k + v) / (k + one)),
        magnitude_of_the_old_range=moving(lambda r, k, v, one: (abs(r) * k + v) / (k + one)),
        exponential=moving(lambda r, k, v, one: abs(r + (v - r) / (k + one))),
        divided_by_the_count_before=moving(lambda r, k, v, one: abs((r * k + v) / max(k, one))),
        times_the_reciprocal=moving(lambda r, k, v, one: abs((r * k + v) * (one / (k + one)))),
    ),
]
