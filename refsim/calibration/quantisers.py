"""Ranges of quantisers from data, after the training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from refsim.errors import InputError
from refsim.tile.quantisation_manager import QuantisationManager, RangeState

from .model import in_evaluation, parts, run, tiles, undone_on_error


def calibrate_quantization_ranges(
    model: Any, batches: Iterable[Any], max_num_batches: int = 20
) -> None:
    """Estimate the ranges of all quantisers of a model in evaluation, and fix them.

    Every quantiser estimates its range on each batch as its estimator says, memory of the training included, and is
    fixed after the last one. A quantiser that is learned keeps what it has learned, and one that no value reached keeps
    its state. Each part of the model keeps its mode. In training, the quantisers of the scales and biases of tiles
    estimate again.

    Parameters
    ----------
    model
        A quantised tile, an array of quantised tiles, or a network with some.
    batches
        Inputs of the model, one array for each batch; it is read once.
    max_num_batches
        At most so many batches, at least 1; with the choice ``calibration_batches="one_more"`` of the first tile, one
        more.

    Raises
    ------
    InputError, ShapeError
        If an argument or a batch does not fit, there is no batch, or the model has no quantiser.
    StateError
        If a range would not be finite. Whatever is raised, the model is as it was.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> config = rs.QuantizedTorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True),
    ...     act_quant_config=rs.ActivationQuantConfig(
    ...         n_bits=2, range_estimator=rs.RangeEstimators.allminmax))
    >>> tile = config.create_tile(out_size=1, in_size=1, backend="spec")
    >>> tile.set_weights([[1.0]])
    >>> rs.calibrate_quantization_ranges(tile, [[[3.0], [1.0]], [[6.0], [0.5]]])
    >>> tile.out_quantizer.state, tile.eval().forward([[2.9], [9.0]])
    (<RangeState.FIX: 'fix_ranges'>, array([[2.],
           [6.]], dtype=float32))
    """
    limit = _limit(max_num_batches)
    managers = _managers(model)
    if not managers:
        raise InputError("model has no quantiser, allowed are models with quantised tiles.")
    if tiles(model)[0].config.choices.calibration_batches == "one_more":
        limit += 1
    estimated = [m for m in managers if m.state is not RangeState.LEARN]
    before = [m.state for m in estimated]
    with undone_on_error(model):
        for manager in estimated:
            manager.estimate_ranges()
        with in_evaluation(model):
            run(model, batches, False, limit)
        for manager, state in zip(estimated, before, strict=True):
            manager.enter(RangeState.FIX if manager.initialised else state)


def _limit(value: object) -> int:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < 1:  # type: ignore[operator]
        raise InputError(f"max_num_batches is {value!r}, allowed are integers from 1.")
    return int(value)  # type: ignore[call-overload, no-any-return]


def _managers(model: Any) -> list[QuantisationManager]:
    """The managers of all quantisers, of tiles and of arrays."""
    return [m for part in parts(model) for m in getattr(part, "quantizers", {}).values()]


__all__ = ["calibrate_quantization_ranges"]
