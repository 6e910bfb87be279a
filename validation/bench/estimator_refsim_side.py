"""One process of the benchmark of range searches: refsim. Arguments: number of values, repeats."""

from __future__ import annotations

import json
import sys

from refsim import MSEEstimatorParams, backends
from refsim.config import OptMethod, RangeEstimators
from refsim.tile.estimators import make_estimator

from .estimator_setup import CANDIDATES, Search, measured, values
from .refsim_side import environment


def main(count: str, repeats: str) -> None:
    """Measure and write one JSON document."""
    x, ops = values(int(count)), backends.load("cpu")

    def run(search: Search) -> tuple[float, float]:
        params = MSEEstimatorParams(
            range_opt_method=OptMethod[search.method], num_candidates=CANDIDATES
        )
        given = {"n_bits": search.n_bits, "symmetric": search.symmetric}
        lo, hi = make_estimator(ops, RangeEstimators.MSE, params, **given).range(x)
        return float(lo), float(hi)

    document = {"environment": environment(), "results": measured(run, int(repeats))}
    json.dump(document, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
