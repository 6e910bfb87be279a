"""Wrong kernels in the simulator: ``python -m tests.cuda.wrong NAME CLAUSE...`` prints how many results differ."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from refsim.kernels.cuda import chain, fast, product, settle
from refsim.kernels.cuda.points import P
from tests.cuda.simulated import clauses

CASES = "24"


def contracted(x: Any, scale: Any, deviate: Any) -> Any:
    """One rounding for a product and a sum, as an FMA has it (exact enough for float32)."""
    return type(x)(np.float64(x) + np.float64(scale) * np.float64(deviate))


def promoted(x: Any, step: Any, uniform: Any, stochastic: bool) -> Any:
    """A quotient in float64, as an untyped literal brings it about."""
    levels = np.float64(x) / np.float64(step)
    return type(x)(np.rint(levels + uniform if stochastic else levels) * step)


def strict(gradient: Any, x: Any, bound: Any) -> Any:
    """No gradient at the bound itself."""
    return gradient if abs(x) < bound else type(gradient)(0)


def away_from_zero(x: Any) -> Any:
    """Ties rounded away from zero."""
    return type(x)(np.copysign(np.floor(abs(x) + type(x)(0.5)), x))


def flushed(a: Any, b: Any) -> Any:
    """Subnormal products taken for zero."""
    result = a * b
    return type(a)(0) if abs(result) < np.finfo(type(a)).tiny else result


def unsettled(*given: Any) -> None:
    """What the bound leaves open stays as it was rounded first."""


def one_lane(s: Any, c: Any, d: Any, *other: Any) -> Any:
    """The sum of one lane in place of two."""
    return s, c, d


def patched(owner: Any, name: str, value: Any) -> Callable[[], None]:
    return lambda: setattr(owner, name, value)


WRONG: dict[str, Callable[[], None]] = {
    "contracted": patched(P, "noisy", contracted),
    "promoted": patched(P, "rounded", promoted),
    "strict": patched(P, "passed", strict),
    "away": patched(P, "whole", away_from_zero),
    "flushed": patched(P, "mul", flushed),
    "unsettled": patched(settle, "settle_exactly", unsettled),
    "filtered": patched(product, "settle", unsettled),
    "lane": patched(P, "join", one_lane),
    "plain": patched(chain, "matrix_product", fast.matrix_product),
}


def main(name: str, *ids: str) -> None:
    WRONG[name]()
    sys.stdout.write(f"{sum(found is not None for found in clauses(CASES, *ids))}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
