"""The quantiser of the outputs and the estimators of its range."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Annotated, Final

from refsim.config.base import Parameters
from refsim.config.checks import Integer, Interval, Percentage, Real, shown
from refsim.config.enums import OptMethod, RangeEstimators
from refsim.config.printing import always
from refsim.errors import ConfigError

__all__ = [
    "ActivationQuantConfig",
    "CrossEntropyEstimatorParams",
    "CurrentMinMaxEstimatorParams",
    "MSEEstimatorParams",
    "RunningMinMaxEstimatorParams",
]


@dataclass
class CurrentMinMaxEstimatorParams(Parameters):
    """Parameters of ``RangeEstimators.current_minmax``.

    Parameters
    ----------
    percentile
        The percentile, 0 to 100, that stands for the extreme (see `Choices`); None or 0: the
        extreme itself.

    Examples
    --------
    >>> print(CurrentMinMaxEstimatorParams())
    CurrentMinMaxEstimatorParams(percentile=None)
    """

    percentile: Annotated[float, Interval(0, 100)] | None = always(None)


@dataclass
class RunningMinMaxEstimatorParams(Parameters):
    """Parameters of ``RangeEstimators.running_minmax``.

    Parameters
    ----------
    momentum
        The weight of the old range in the new one, in [0, 1].

    Examples
    --------
    >>> print(RunningMinMaxEstimatorParams())
    RunningMinMaxEstimatorParams(momentum=0.9)
    """

    momentum: Percentage = always(0.9)


@dataclass
class MSEEstimatorParams(Parameters):
    """Parameters of ``RangeEstimators.MSE``.

    Parameters
    ----------
    range_opt_method
        How the range with the least loss is searched.
    num_candidates
        The number of ranges that a grid search tries, at least 1.
    range_margin
        By how much the search goes beyond the extremes of the data.

    Examples
    --------
    >>> MSEEstimatorParams().range_opt_method.name
    'golden_section'
    """

    range_opt_method: OptMethod = always(OptMethod.golden_section)
    num_candidates: Annotated[int, Interval(1, inf, "[)")] = always(100)
    range_margin: Real = always(0.5)


@dataclass
class CrossEntropyEstimatorParams(MSEEstimatorParams):
    """Parameters of ``RangeEstimators.cross_entropy``, the fields of `MSEEstimatorParams`."""


EstimatorParams = CurrentMinMaxEstimatorParams | RunningMinMaxEstimatorParams | MSEEstimatorParams

_PARAMS: Final[dict[RangeEstimators, type[EstimatorParams] | None]] = {
    RangeEstimators.current_minmax: CurrentMinMaxEstimatorParams,
    RangeEstimators.allminmax: None,
    RangeEstimators.running_minmax: RunningMinMaxEstimatorParams,
    RangeEstimators.MSE: MSEEstimatorParams,
    RangeEstimators.cross_entropy: CrossEntropyEstimatorParams,
}


@dataclass
class ActivationQuantConfig(Parameters):
    """The quantiser of the outputs.

    Assigning an estimator replaces its parameters by the defaults of that estimator.

    Parameters
    ----------
    n_bits
        The number of bits; not positive: no quantisation.
    symmetric
        A grid around zero, else one with an offset.
    range_estimator
        How the range is estimated; always printed.
    range_estimator_params
        The parameters of that estimator; None: its defaults. ``allminmax`` has none.

    Raises
    ------
    ConfigError
        If a field is unknown or a value is not allowed, or the parameters are another estimator's.

    Notes
    -----
    aihwkit prints private names and a table of classes here; refsim prints the names of the
    arguments.

    Examples
    --------
    >>> quantiser = ActivationQuantConfig(n_bits=8)
    >>> quantiser.range_estimator = RangeEstimators.current_minmax
    >>> quantiser.range_estimator_params
    CurrentMinMaxEstimatorParams(percentile=None)
    """

    n_bits: Integer = 0
    symmetric: bool = True
    range_estimator: RangeEstimators = always(RangeEstimators.running_minmax)
    range_estimator_params: EstimatorParams | None = always(None)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "range_estimator_params":
            value = self._estimator_params(value)
        super().__setattr__(name, value)
        if name == "range_estimator":
            super().__setattr__("range_estimator_params", self._estimator_params(None))

    def _estimator_params(self, value: object) -> object:
        kind = _PARAMS[self.range_estimator]
        if value is None:
            return kind() if kind else None
        if kind is None or not isinstance(value, kind):
            raise ConfigError(
                f"{type(self).__name__}.range_estimator_params is {shown(value)}, but "
                f"{self.range_estimator} takes {kind.__name__ if kind else None}."
            )
        return value
