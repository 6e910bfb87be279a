"""A case: a tile in a known state, and the steps it is put through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim.config import RPUDataType
from refsim.conformance.admissible.update import SGDSettings

__all__ = ["Case", "SGDSettings", "Step"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a case, in this order: reload, forward, backward, update.

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
    """

    x: Array
    dy: Array | None = None
    training: bool = True
    update: bool = False
    reload: bool = False
    noise: Mapping[str, Array] = field(default_factory=dict)


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
