"""What both sides of the benchmark of range searches share: data, searches and the way to measure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

VALUES = 65_536
CANDIDATES = 100


class Search(NamedTuple):
    """A search for the range of a quantiser with the least squared error."""

    n_bits: int
    symmetric: bool
    method: str

    def __str__(self) -> str:
        what = "size" if self.symmetric else "size and shift"
        return f"{self.method.replace('_', ' ')} over {what}, {self.n_bits} bits"


SEARCHES = (
    Search(8, False, "grid"),
    Search(4, False, "grid"),
    Search(8, True, "grid"),
    Search(8, True, "golden_section"),
    Search(8, False, "golden_section"),
)


def values(count: int) -> Any:
    """Normal numbers in float32, the same at each call."""
    return np.random.default_rng(0).standard_normal(count, np.float32)


def measured(run: Callable[[Search], tuple[float, float]], repeats: int) -> dict[str, Any]:
    """Seconds of each repeat of each search, after one that is not timed, and the range it finds."""
    results: dict[str, Any] = {}
    for search in SEARCHES:
        found, seconds = run(search), []
        for _ in range(repeats):
            begin = time.perf_counter()
            found = run(search)
            seconds.append(time.perf_counter() - begin)
        results[str(search)] = {"seconds": seconds, "range": found}
    return results
