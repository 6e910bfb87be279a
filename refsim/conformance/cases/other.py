"""Cases of optional methods: storing logical weights (clauses MS), and ranges from data (clauses CA)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np

from refsim.calibration import calibrate_input_ranges
from refsim.config import InputRangeCalibrationType
from refsim.errors import VectorError

from .arrays import array_document, array_from_document
from .files import case_document, case_from_document
from .model import Array, Case, Step

__all__ = ["CalibrationCase", "MappingCase", "other_document", "other_from_document"]

TYPES: Final = tuple(kind.name for kind in InputRangeCalibrationType if kind.name != "NONE")
Tree = dict[str, Any]


@dataclass(frozen=True)
class MappingCase:
    """Logical weights that an implementation stores, mapped as configured.

    Parameters
    ----------
    config
        The configuration, whose ``mapping`` says how.
    weight, bias
        ``(out, in)`` and ``(out,)`` or None, in logical units.
    state
        Further state before, as in :class:`~refsim.conformance.cases.Case`.
    clauses, catches, name
        As in :class:`~refsim.conformance.cases.Case`.

    Examples
    --------
    >>> import refsim as rs
    >>> config = rs.TorchInferenceRPUConfig(mapping=rs.MappingParameter(weight_scaling_omega=0.5))
    >>> case = MappingCase(config, np.float32([[1.0, -4.0]]), None)
    >>> after = case.right()
    >>> after["weight"], after["mapping_scales"]
    (array([[ 0.125, -0.5  ]], dtype=float32), array([8.], dtype=float32))
    """

    config: Any
    weight: Array
    bias: Array | None
    state: Mapping[str, Array] = field(default_factory=dict)
    clauses: tuple[str, ...] = ("MS-1", "MS-2")
    catches: str = ""
    name: str = ""

    def right(self, backend: str = "spec") -> dict[str, Array]:
        """The state that is right afterwards."""
        tile = Case(self.config, np.zeros_like(self.weight), self._zeros(), (), self.state).tile(
            backend
        )
        tile.set_weights(self.weight, self.bias)
        found: dict[str, Array] = tile.state_dict()
        return found

    def _zeros(self) -> Array | None:
        return None if self.bias is None else np.zeros_like(self.bias)


@dataclass(frozen=True)
class CalibrationCase:
    """Batches from which an implementation takes its input range.

    Parameters
    ----------
    config, weight, bias, state
        The tile, as in :class:`~refsim.conformance.cases.Case`.
    kind
        ``"MAX"``, ``"CACHE_QUANTILE"``, ``"MOVING_QUANTILE"`` or ``"MOVING_STD"``.
    batches
        Each ``(rows, in)``, in order.
    quantile, max_samples, std_alpha
        As for :func:`refsim.calibrate_input_ranges`.
    clauses, catches, name
        As in :class:`~refsim.conformance.cases.Case`.

    Examples
    --------
    >>> import refsim as rs
    >>> input_range = rs.InputRangeParameter(enable=True, init_from_data=0)
    >>> config = rs.TorchInferenceRPUConfig(pre_post=rs.PrePostProcessingParameter(input_range=input_range))
    >>> one = np.ones((1, 1), np.float32)
    >>> CalibrationCase(config, one, None, "MAX", (one, -3 * one)).right()["input_range"]
    array([3.], dtype=float32)
    """

    config: Any
    weight: Array
    bias: Array | None
    kind: str
    batches: tuple[Array, ...]
    state: Mapping[str, Array] = field(default_factory=dict)
    quantile: float = 0.99995
    max_samples: int = 1000
    std_alpha: float | None = None
    clauses: tuple[str, ...] = ("CA-1", "CA-2")
    catches: str = ""
    name: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """The options of the calibration by name."""
        names = ("quantile", "max_samples", "std_alpha")
        return {name: getattr(self, name) for name in names}

    def right(self, backend: str = "spec") -> dict[str, Array]:
        """The state that is right afterwards."""
        tile = Case(self.config, self.weight, self.bias, (), self.state).tile(backend)
        kind = InputRangeCalibrationType[self.kind]
        calibrate_input_ranges(tile, kind, list(self.batches), **self.options)
        found: dict[str, Array] = tile.state_dict()
        return found


def other_document(case: MappingCase | CalibrationCase) -> Tree:
    """A case of an optional method as plain values; :func:`other_from_document` reads it.

    Examples
    --------
    >>> import refsim as rs
    >>> case = MappingCase(rs.TorchInferenceRPUConfig(), np.ones((1, 1), np.float32), None)
    >>> other_document(case)["method"]
    'set_weights'
    """
    steps = case.batches if isinstance(case, CalibrationCase) else (_empty(case),)
    document = case_document(
        Case(
            case.config,
            case.weight,
            case.bias,
            tuple(Step(x) for x in steps),
            case.state,
            clauses=case.clauses,
            catches=case.catches,
            name=case.name,
        )
    )
    del document["steps"]
    if isinstance(case, MappingCase):
        return {"method": "set_weights", **document}
    batches = [array_document(x) for x in case.batches]
    return {
        "method": "calibrate",
        **document,
        "kind": case.kind,
        "batches": batches,
        **case.options,
    }


def other_from_document(document: object) -> MappingCase | CalibrationCase:
    """The case of :func:`other_document`, checked; a :class:`~refsim.VectorError` if it is none.

    Examples
    --------
    >>> other_from_document({"method": "guess"})
    Traceback (most recent call last):
        ...
    refsim.errors.VectorError: method is 'guess', allowed are set_weights and calibrate.
    """
    if not isinstance(document, dict):
        raise VectorError("the case is no table.")
    rest, method = dict(document), document.get("method")
    rest.pop("method", None)
    if method == "set_weights":
        case = case_from_document({**rest, "steps": [{"x": _no_rows(rest)}]})
        return MappingCase(**_common(case))
    if method != "calibrate":
        raise VectorError(f"method is {str(method)[:40]!r}, allowed are set_weights and calibrate.")
    batches, kind = rest.pop("batches", None), rest.pop("kind", None)
    options = {name: rest.pop(name, default) for name, default in OPTIONS.items()}
    if not isinstance(batches, list) or not batches or kind not in TYPES:
        raise VectorError(f"a calibration needs batches, and a kind of {', '.join(TYPES)}.")
    case = case_from_document({**rest, "steps": [{"x": batch} for batch in batches]})
    _check_options(options)
    arrays = tuple(step.x for step in case.steps)
    return CalibrationCase(**_common(case), kind=kind, batches=arrays, **options)


OPTIONS: Final[Tree] = {
    f.name: f.default
    for f in fields(CalibrationCase)
    if f.name in ("quantile", "max_samples", "std_alpha")
}


def _common(case: Case) -> Tree:
    names = ("config", "weight", "bias", "state", "clauses", "catches", "name")
    return {name: getattr(case, name) for name in names}


def _empty(case: MappingCase) -> Array:
    return np.zeros((0, case.weight.shape[1]), case.weight.dtype)


def _no_rows(document: Tree) -> Tree:
    """An empty batch for a weight of any form; what is wrong with the weight is said where it is read."""
    weight = array_from_document(document.get("weight"), "weight")
    return array_document(np.zeros((0, weight.shape[-1] if weight.ndim else 1), weight.dtype))


def _check_options(options: Tree) -> None:
    quantile, samples, alpha = options.values()
    if type(quantile) not in (int, float) or not 0 <= quantile <= 1:
        raise VectorError(f"quantile is {str(quantile)[:40]}, allowed are numbers from 0 to 1.")
    if type(samples) is not int or not 0 < samples <= 2**20:
        raise VectorError(f"max_samples is {str(samples)[:40]}, allowed are integers to {2**20}.")
    if alpha is not None and (type(alpha) not in (int, float) or not abs(alpha) < np.inf):
        raise VectorError(f"std_alpha is {str(alpha)[:40]}, allowed are finite numbers and null.")
