"""What an implementation under test must be able to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from refsim.errors import TargetFailure, Unsupported

__all__ = ["OPTIONAL", "Adapter", "TargetFailure", "Unsupported"]

OPTIONAL = ("stages", "save", "load", "set_weights", "calibrate", "close", "capabilities")
"""Further methods that are used where an adapter has them, see :class:`Adapter`."""


class Adapter(Protocol):
    """An implementation under test, behind five methods.

    Arrays go in as NumPy arrays in the data type of the case. They belong to the caller and are to be left as they are.
    What comes back may be anything that ``numpy.asarray`` takes. A ``handle`` is whatever ``create`` returns: an object
    that holds one tile.

    Optional, and used where they exist:

    ``capabilities``
        A :class:`~refsim.conformance.adapters.Capabilities`, or the path of a capability file.
    ``stages(handle)``
        Intermediates of the last pass by the names of refsim's trace (``rounded_input``, ``product``, ...). With them
        every stage is judged by itself.
    ``save(handle)`` and ``load(config, saved)``
        A checkpoint and a new handle from it: state and momentum. Gradients that wait for a step need not be in it;
        it is asked for only when there are none.
    ``set_weights(handle, weight, bias)``
        Weights in logical units, mapped as configured (clause MS-1).
    ``calibrate(handle, calibration_type, batches, quantile, max_samples, std_alpha)``
        Input range from data (clauses CA).
    ``close(handle)``
        Called when a handle is no longer needed.
    """

    def create(self, config: Any, weight: Any, bias: Any | None, state: Mapping[str, Any]) -> Any:
        """A tile with this *stored* weight ``(out, in)``, bias ``(out,)`` or None, and further state.

        ``state`` may hold ``input_range`` (1,), ``mapping_scales`` and ``out_scaling_alpha`` (1,) or (out,),
        ``input_range_update_idx`` (1,), and quantiser state, as named in ``tile.state_dict()``. What is absent is as
        configured. Raise :class:`Unsupported` for a configuration that the implementation does not have.
        """
        ...

    def forward(self, handle: Any, x: Any, *, training: bool, noise: Mapping[str, Any]) -> Any:
        """Output ``(..., out)`` for a batch ``(..., in)``; ``noise`` holds the deviates to use, if any."""
        ...

    def backward(self, handle: Any, dy: Any) -> Mapping[str, Any]:
        """Gradients after the last forward, for the gradient ``dy`` ``(..., out)`` of the output.

        ``input`` is the one of the batch; those of parameters (``weight``, ``bias``, ``input_range``,
        ``out_scaling_alpha``, ``scale_quantizer.delta``, ...) are accumulated since the last ``step``.
        """
        ...

    def step(self, handle: Any, **sgd: Any) -> None:
        """One step of SGD; then the gradients are cleared.

        ``sgd`` holds ``lr``, ``momentum``, ``dampening``, ``weight_decay`` and ``nesterov``, the same in every step of
        a case; momentum buffers belong to the handle. Whatever the configuration asks for after an update (weight
        clipping, remapping) is part of the step.
        """
        ...

    def state(self, handle: Any) -> Mapping[str, Any]:
        """Copies of the state by name; at least ``weight``. What is left out is not judged."""
        ...
