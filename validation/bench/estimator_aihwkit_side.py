"""One process of the benchmark of range searches: aihwkit. Arguments: number of values, repeats."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
from aihwkit.simulator.digital_low_precision.quantizers import (
    AsymmetricUniformQuantizer,
    SymmetricUniformQuantizer,
)
from aihwkit.simulator.digital_low_precision.range_estimators import MSE_Estimator, OptMethod
from aihwkit.version import __version__

from .estimator_setup import CANDIDATES, Search, measured, values


def main(count: str, repeats: str) -> None:
    """Measure and write one JSON document."""
    x = torch.from_numpy(values(int(count)))

    def run(search: Search) -> tuple[float, float]:
        kind = SymmetricUniformQuantizer if search.symmetric else AsymmetricUniformQuantizer
        estimator = MSE_Estimator(
            num_candidates=CANDIDATES,
            opt_method=OptMethod[search.method],
            quantizer=kind(n_bits=search.n_bits),
        )
        with torch.no_grad():
            lo, hi = estimator(x)
        return float(lo), float(hi)

    environment = {
        "aihwkit": __version__,
        "torch": torch.__version__,
        "torch threads": f"1 or {torch.get_num_threads()}, whichever is faster",
    }
    runs = []
    for threads in (torch.get_num_threads(), 1):
        torch.set_num_threads(threads)
        runs.append(measured(run, int(repeats)))
    results = {search: min((r[search] for r in runs), key=fastest) for search in runs[0]}
    json.dump({"environment": environment, "results": results}, sys.stdout)


def fastest(result: dict[str, Any]) -> float:
    """The shortest time of a search."""
    return min(result["seconds"])


if __name__ == "__main__":
    main(*sys.argv[1:])
