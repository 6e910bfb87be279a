"""One process of the benchmark of range searches: aihwkit. Arguments: number of values, repeats."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import torch
from aihwkit.simulator.digital_low_precision.quantizers import (
    AsymmetricUniformQuantizer,
    SymmetricUniformQuantizer,
)
from aihwkit.simulator.digital_low_precision.range_estimators import MSE_Estimator, OptMethod
from aihwkit.version import __version__

from .estimator_setup import CANDIDATES, Search, measured, values

TRIAL = Search(8, True, "grid")


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

    threads = fastest(run)
    torch.set_num_threads(threads)
    environment = {
        "aihwkit": __version__,
        "torch": torch.__version__,
        "torch threads": f"{threads}, faster in a trial",
    }
    document = {"environment": environment, "results": measured(run, int(repeats))}
    json.dump(document, sys.stdout)


def fastest(run: Callable[[Search], object]) -> int:
    """The number of threads with which a short search is faster: one, or all that PyTorch takes."""
    seconds = {}
    for threads in (1, torch.get_num_threads()):
        torch.set_num_threads(threads)
        run(TRIAL)
        begin = time.perf_counter()
        run(TRIAL)
        seconds[threads] = time.perf_counter() - begin
    return min(seconds, key=lambda threads: seconds[threads])


if __name__ == "__main__":
    main(*sys.argv[1:])
