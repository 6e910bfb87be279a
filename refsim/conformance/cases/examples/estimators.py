"""Examples of range estimators (clauses RE, EF)."""

from __future__ import annotations

from typing import Any

from refsim.config import (
    CrossEntropyEstimatorParams,
    CurrentMinMaxEstimatorParams,
    MSEEstimatorParams,
    OptMethod,
    RangeEstimators,
    RunningMinMaxEstimatorParams,
)

from ..model import Case
from .quantisers import column, quantised
from .small import Asked, asked, example

__all__ = ["estimators"]

RE = RangeEstimators
ONE = [[1.0]]


def estimators() -> list[Case]:
    """Range estimators (RE, EF)."""
    first, second = column(-2.0, 3.0, 1.0), column(-1.0, 6.0, 2.0)

    def of(
        clauses: str,
        catches: str,
        name: str,
        kind: RangeEstimators,
        params: Any = None,
        *steps: Asked,
        weight: Any = ONE,
        symmetric: bool = False,
    ) -> Case:
        config = quantised(n_bits=3, kind=kind, params=params, symmetric=symmetric)
        return example(
            clauses, catches, name, config, weight, *(steps or (asked(first), asked(second)))
        )

    def grid(made: Any = MSEEstimatorParams, margin: float = 0.5) -> Any:
        return made(range_opt_method=OptMethod.grid, num_candidates=4, range_margin=margin)

    steps = asked(column(-1.0, 3.0, 0.5, 2.0)), asked(column(-4.0, 1.0, 2.0, 0.5))
    positive = asked(column(1.0, 3.0, 0.5, 2.0)), asked(column(4.0, 1.0, 2.0, 0.5))
    rows = asked([[1.0], [-1.0]]), asked([[2.0], [0.5]])
    two = [[1.0], [-0.5]]
    return [
        of("RE-1 QU-9", "Symmetric", "smallest and largest value", RE.current_minmax),
        of(
            "RE-2",
            "NearestNumber",
            "a percentile lies between two numbers",
            RE.current_minmax,
            CurrentMinMaxEstimatorParams(percentile=25.0),
            asked(column(-2.0, 3.0, 1.0, 8.0)),
        ),
        of(
            "RE-2",
            "OfMagnitudes",
            "a percentile is that of the signed values",
            RE.current_minmax,
            CurrentMinMaxEstimatorParams(percentile=25.0),
            asked(column(-4.0, -2.0, 1.0, 8.0)),
        ),
        of("RE-3", "TheLatest", "the widest range so far", RE.allminmax),
        of(
            "RE-4 QU-4",
            "WeightsSwapped",
            "old and new range are averaged",
            RE.running_minmax,
            RunningMinMaxEstimatorParams(momentum=0.75),
        ),
        of(
            "RE-4 QU-4",
            "MemoryLostOnLoad",
            "the average goes on after saving and loading",
            RE.running_minmax,
            RunningMinMaxEstimatorParams(momentum=0.75),
            asked(first),
            asked(second, reload=True),
        ),
        of(
            "RE-3",
            "MemoryLostOnLoad",
            "the widest range is saved and loaded",
            RE.allminmax,
            None,
            asked(first),
            asked(column(-1.0, 0.5, 1.0), reload=True),
        ),
        of(
            "RE-5 RE-6",
            "NoMargin",
            "the search goes beyond the data by a margin",
            RE.MSE,
            grid(),
            *steps,
            symmetric=True,
        ),
        of(
            "RE-6 RE-5 RE-1",
            "NeverOneSided",
            "positive data are searched from 0 up",
            RE.MSE,
            grid(margin=0.0),
            *positive,
        ),
        of("RE-7 RE-5", "OneSide", "ranges are shifted to both sides", RE.MSE, grid(), *steps),
        of(
            "RE-9 RE-6",
            "AbsoluteError",
            "squares of the errors decide",
            RE.MSE,
            grid(margin=0.0),
            *steps,
            symmetric=True,
        ),
        of(
            "RE-11 RE-9",
            "CallsForgotten",
            "losses add up over the batches",
            RE.MSE,
            grid(margin=1.0),
            *steps,
            symmetric=True,
        ),
        of(
            "RE-11 RE-9",
            "LastOfEqualOnes",
            "of equal losses the first one wins",
            RE.MSE,
            grid(),
            asked(column(0.0, 0.0)),
            symmetric=True,
        ),
        of(
            "RE-8 RE-9",
            "NeverOneSided",
            "positive data are searched from 0 up",
            RE.MSE,
            MSEEstimatorParams(),
            asked(column(1.0, 3.0, 0.5, 2.0)),
        ),
        of(
            "RE-5 RE-6",
            "UpperEndAlone",
            "the larger magnitude limits the search",
            RE.MSE,
            grid(margin=0.0),
            asked(column(-4.0, 1.0, 0.5)),
            symmetric=True,
        ),
        of(
            "RE-11 RE-9",
            "ThisCallAlone",
            "an earlier batch still counts",
            RE.MSE,
            grid(margin=0.0),
            asked(column(-8.0, 8.0, 4.0)),
            asked(column(-1.0, 1.0, 0.25)),
            symmetric=True,
        ),
        of(
            "RE-8 RE-9",
            "ShiftedTheOtherWay",
            "golden section shifts the range",
            RE.MSE,
            MSEEstimatorParams(),
            asked(column(-1.0, 3.0, 0.5, 2.0)),
        ),
        of(
            "RE-11 RE-9",
            "MemoryLostOnLoad",
            "losses are saved and loaded",
            RE.MSE,
            grid(margin=0.0),
            asked(column(-8.0, 8.0, 4.0)),
            asked(column(-1.0, 1.0, 0.25), reload=True),
            symmetric=True,
        ),
        of(
            "RE-10 EF-1 EF-2 RE-11",
            "RolesSwapped",
            "the cross entropy of softmax values decides",
            RE.cross_entropy,
            grid(CrossEntropyEstimatorParams),
            *rows,
            weight=two,
            symmetric=True,
        ),
    ]
