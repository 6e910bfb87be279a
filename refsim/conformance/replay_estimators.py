"""The replay of a recorded case of a range estimator: three tensors, one after the other.

Where the recording library's range depends on the order of its float32 sums (a case flagged ``sensitive``), the ranges
may part; then refsim's range must not lose more than the recorded one, by refsim's exact loss and within the bounds of
the comparison.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from refsim import backends
from refsim.config import (
    Choices,
    CrossEntropyEstimatorParams,
    CurrentMinMaxEstimatorParams,
    MSEEstimatorParams,
    OptMethod,
    RangeEstimators,
    RunningMinMaxEstimatorParams,
)
from refsim.config.quantisation import EstimatorParams
from refsim.spec.sums import Array
from refsim.tile.estimators import make_estimator
from refsim.tile.range_search import Loss

from .comparison import Comparison
from .recipe import UnsupportedCase
from .vectors import Case, Recording

__all__ = ["INPUTS", "replay_estimator"]

INPUTS: Final = re.compile(r"x\d")
"""Names of the arrays that were given to the estimator."""
CALLS: Final = 3
_KINDS: Final[Mapping[str, tuple[RangeEstimators, type[EstimatorParams] | None]]] = {
    "current_minmax": (RangeEstimators.current_minmax, CurrentMinMaxEstimatorParams),
    "allminmax": (RangeEstimators.allminmax, None),
    "running_minmax": (RangeEstimators.running_minmax, RunningMinMaxEstimatorParams),
    "MSE_Estimator": (RangeEstimators.MSE, MSEEstimatorParams),
    "CrossEntropyEstimator": (RangeEstimators.cross_entropy, CrossEntropyEstimatorParams),
}
_PARAMS: Final = {"percentile", "momentum", "num_candidates", "range_margin"}
_LAYOUT: Final = {"n_bits", "symmetric", "axis", "per_channel", "n_groups"}


def replay_estimator(
    recording: Recording, case: Case, choices: Choices, backend: str, run: Comparison
) -> None:
    """Replay a case of a range estimator alone.

    Raises
    ------
    UnsupportedCase, ConfigError
        If there is something in the case that this version does not have.
    """
    entries = case.entries
    unknown = sorted(entries.keys() - _PARAMS - _LAYOUT - {"estimator", "method", "sensitive"})
    if unknown or entries["estimator"] not in _KINDS:
        raise UnsupportedCase(f"the case has {unknown or entries['estimator']!r}")
    kind, cls = _KINDS[entries["estimator"]]
    layout: dict[str, Any] = {name: entries[name] for name in _LAYOUT & entries.keys()}
    ops = backends.load(backend)
    estimator = make_estimator(ops, kind, _params(cls, entries), choices=choices, **layout)
    with run.until_an_error():
        for k in range(CALLS):
            found = estimator.range(run.arrays[f"x{k}"])
            estimator.commit()
            if entries.get("sensitive", False):
                _compare_losses(run, k, _loss(ops, kind, entries), found)
            else:
                _compare_ranges(run, k, found)


def _params(
    cls: type[EstimatorParams] | None, entries: Mapping[str, Any]
) -> EstimatorParams | None:
    given = {name: entries[name] for name in _PARAMS & entries.keys()}
    if "method" in entries:
        if entries["method"] not in OptMethod.__members__:
            raise UnsupportedCase(f"the method is {entries['method']!r}")
        given["range_opt_method"] = OptMethod[entries["method"]]
    if cls is None and given:
        raise UnsupportedCase(f"the estimator has no parameters, but the case gives {given}")
    return None if cls is None else cls(**given)


def _loss(ops: Any, kind: RangeEstimators, entries: Mapping[str, Any]) -> Loss:
    of_softmax = kind is RangeEstimators.cross_entropy
    return Loss(ops, entries["n_bits"], entries["symmetric"], of_softmax)


def _compare_ranges(run: Comparison, k: int, found: tuple[Array, Array]) -> None:
    """Both ends; some recorded ranges of a whole tensor have the shape (1,) in place of ()."""
    for name, end in zip((f"xmin{k}", f"xmax{k}"), found, strict=True):
        recorded = run.arrays.get(name)
        whole = recorded is not None and recorded.shape == (1,) and end.shape == ()
        run.compare(name, end.reshape(1) if whole else end)


def _compare_losses(run: Comparison, k: int, loss: Loss, found: tuple[Array, Array]) -> None:
    """The loss of the range found must not exceed that of the recorded range."""
    x, names = run.arrays[f"x{k}"], (f"xmin{k}", f"xmax{k}")
    recorded = tuple(run.arrays[name].reshape(1) for name in names)
    mine, its = (
        float(loss.losses(x, x.reshape(1, -1), *ends)[0, 0])
        for ends in ([end.reshape(1) for end in found], recorded)
    )
    run.result.compared.extend(names)
    if not mine <= its + run.bounds[np.dtype(x.dtype)] * (1 + its):
        run.result.failures[names[0]] = (
            f"a range with the loss {mine!r} was found, the recorded range has {its!r}."
        )
