"""Is this what a correct implementation may return? The verdict on a forward or backward pass of a tile or an array."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from refsim.tile.array import TileModuleArray
from refsim.tile.state import Tile

from .array import array_backward, array_forward
from .passes import GRADIENTS, backward_pass, by_stage, check_lead, forward_pass
from .profile import FLOAT32, Profile
from .report import Report

__all__ = ["judge_backward", "judge_forward"]


def judge_forward(
    tile: Tile | TileModuleArray,
    x: object,
    output: object,
    profile: Profile = FLOAT32,
    *,
    noise: Mapping[str, object] | None = None,
    stages: Mapping[str, object] | None = None,
) -> Report:
    """Whether a correct implementation of the declared arithmetic may return this output.

    Parameters
    ----------
    tile
        A tile in the state before the pass; it is not changed.
    x
        ``(..., in)``, the batch.
    output
        ``(..., out)``, what the implementation returned.
    profile
        The arithmetic that it declares.
    noise
        The noise that it used, for all that is switched on, as for ``tile.forward``.
    stages
        Intermediates of the implementation, named as in a trace: what follows is judged from them, so that the first
        clause that breaks is found. Without its deviates a noisy ``effective_weight`` is taken as it is.

    Returns
    -------
    Report
        The verdict on each stage given and on the output.

    Raises
    ------
    InputError, ShapeError
        If an array does not fit, or noise that is switched on is missing.
    StateError
        If the pass depends on a weight that only the implementation knows, or if a sum overflows; a
        :class:`~refsim.RangeError` if the range cannot be divided by.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> io = rs.IOParameters(inp_res=4, out_res=-1, out_noise=0.0,
    ...     noise_management=rs.NoiseManagementType.NONE, bound_management=rs.BoundManagementType.NONE)
    >>> tile = rs.TorchInferenceRPUConfig(forward=io).create_tile(out_size=1, in_size=2)
    >>> tile.set_weights([[2.0, -1.0]])
    >>> judge_forward(tile, [[0.6, 0.2]], [[1.0]]).passed
    True
    >>> print(judge_forward(tile, [[0.6, 0.2]], [[1.5]]).first)
    VIOLATION PP-2 output[0, 0]: got 1.5, admissible 1.0, refsim returns 1.0 (the element)
    """
    given = {**(stages or {}), "output": output}
    with np.errstate(all="ignore"):
        if isinstance(tile, TileModuleArray):
            return array_forward(tile, x, profile, noise, given)
        passed = forward_pass(tile, x, profile, noise, given)
        check_lead(output, x, tile.out_size, "output")
        return passed.report()


def judge_backward(
    tile: Tile | TileModuleArray,
    x: object,
    dy: object,
    gradients: Mapping[str, object],
    profile: Profile = FLOAT32,
    *,
    noise: Mapping[str, object] | None = None,
    stages: Mapping[str, object] | None = None,
    before: Mapping[str, object] | None = None,
    backward_noise: Mapping[str, object] | None = None,
) -> Report:
    """Whether a correct implementation may return these gradients after a forward pass, term by term.

    Parameters
    ----------
    tile, x, profile, noise
        As for :func:`judge_forward`; gradients are those of this pass alone, unless ``before`` is given.
    dy
        ``(..., out)``, gradient of the loss with respect to the output.
    gradients
        What the implementation returned: ``input``, ``weight``, ``bias``, ``input_range``, ``out_scaling_alpha``, or
        some of them.
    stages
        Intermediates of both passes. Where a clip mask or a sign is ambiguous, sums are judged with and without
        the term; with ``rounded_input``, ``rounded_output`` and ``product`` nothing is ambiguous.
    before
        Gradients that the implementation had accumulated before this pass, by the names of ``gradients``. To these
        the pass adds, and its result is rounded once more.
    backward_noise
        On the manual path the noise of the way back, as for its ``tile.backward``.

    Returns
    -------
    Report
        The verdict on each stage of the way back that was given.

    Raises
    ------
    InputError, ShapeError, StateError
        As for :func:`judge_forward`.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> pre_post = rs.PrePostProcessingParameter(
    ...     input_range=rs.InputRangeParameter(enable=True, init_value=2.0, init_from_data=0, decay=0.0))
    >>> config = rs.TorchInferenceRPUConfig(pre_post=pre_post, forward=rs.IOParameters(is_perfect=True))
    >>> tile = config.create_tile(out_size=1, in_size=1)
    >>> tile.set_weights([[1.0]])
    >>> print(judge_backward(tile, [[2.0]], [[-1.0]], {"input_range": [-2.0]}).passed)
    True
    >>> strict = judge_backward(tile, [[2.0]], [[-1.0]], {"input_range": [0.0]}, stages={"range_rule_upper": 0.0})
    >>> print(strict.first)
    VIOLATION IR-4 range_rule_upper: got 0.0, admissible -1.0, refsim returns -1.0 (the element)
    """
    with np.errstate(all="ignore"):
        if isinstance(tile, TileModuleArray):
            options = profile, noise, stages or {}, before or {}, backward_noise
            return array_backward(tile, x, dy, gradients, *options)
        given = {**(stages or {}), **by_stage(gradients, "gradients", GRADIENTS)}
        return backward_pass(tile, x, dy, profile, noise, given, before, backward_noise).report()
