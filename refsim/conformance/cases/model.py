"""A case: a tile in a known state, and the steps it is put through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim.config import RPUDataType
from refsim.conformance.admissible.update import SGDSettings

__all__ = ["Calibration", "Case", "SGDSettings", "Step"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Calibration:
    """A calibration of the input range, as :func:`refsim.calibrate_input_ranges` makes it (clauses CA).

    Parameters
    ----------
    kind
        Name of the type: ``"MAX"``, ``"CACHE_QUANTILE"``, ``"MOVING_QUANTILE"`` or ``"MOVING_STD"``.
    batches
        ``(..., in)`` each.
    quantile, max_samples, std_alpha
        As there.
    """

    kind: str
    batches: tuple[Array, ...]
    quantile: float = 0.99995
    max_samples: int = 1000
    std_alpha: float | None = None

    def options(self) -> dict[str, Any]:
        """Everything but the batches."""
        return {
            "calibration_type": self.kind,
            "quantile": self.quantile,
            "max_samples": self.max_samples,
            "std_alpha": self.std_alpha,
        }


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a case, in this order: reload, set weights, calibrate, forward, backward, update.

    Parameters
    ----------
    x
        ``(..., in)``, the batch.
    dy
        ``(..., out)``, gradient of the loss with respect to the output; None for a forward pass alone.
    training
        Whether the tile is in training mode.
    update
        Whether the optimiser makes a step afterwards and clears the gradients. Without it they accumulate.
    reload
        Whether the state is saved and loaded into a new object first.
    noise
        The deviates to use, named and shaped as for ``tile.forward``; empty without noise.
    weight, bias
        Logical weights ``(out, in)`` and a bias to be set first, mapped as configured (clauses MS); None for none.
    calibration
        A calibration to be made before the pass; None for none.
    """

    x: Array
    dy: Array | None = None
    training: bool = True
    update: bool = False
    reload: bool = False
    noise: Mapping[str, Array] = field(default_factory=dict)
    weight: Array | None = None
    bias: Array | None = None
    calibration: Calibration | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """What an implementation is asked to do.

    Parameters
    ----------
    config
        A configuration of refsim's, which decides the class of the tile.
    weight
        ``(out, in)``, the stored weight, in the data type of the configuration.
    bias
        ``(out,)``, or None for a tile without.
    steps
        What is done, in order.
    state
        Further entries of the state at the start, named as in ``tile.state_dict()``; others are as created.
    sgd
        The optimiser.
    clauses
        What the case is about, the first one most of all.
    catches
        The mistake that it is made to notice, in CamelCase (``ThresholdStrict``); empty for a generated one.
    name
        Where it comes from.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    >>> one = np.ones((1, 1), np.float32)
    >>> case = Case(config, weight=2 * one, bias=None, steps=(Step(x=one),), clauses=("MV-1",))
    >>> float(case.tile().forward(case.steps[0].x)[0, 0])
    2.0
    """

    config: Any
    weight: Array
    bias: Array | None
    steps: tuple[Step, ...]
    state: Mapping[str, Array] = field(default_factory=dict)
    sgd: SGDSettings = field(default_factory=SGDSettings)
    clauses: tuple[str, ...] = ()
    catches: str = ""
    name: str = ""

    @property
    def T(self) -> np.dtype[Any]:
        """The data type of the tile."""
        double = self.config.runtime.data_type == RPUDataType.DOUBLE
        return np.dtype(np.float64 if double else np.float32)

    def tile(self, backend: str = "spec") -> Any:
        """refsim's tile in the state at the start."""
        out_size, in_size = self.weight.shape
        tile = self.config.create_tile(
            out_size, in_size, bias=self.bias is not None, backend=backend
        )
        start = {"weight": self.weight, **self.state}
        if self.bias is not None:
            start["bias"] = self.bias
        tile.load_state_dict(start, strict=False)
        return tile
