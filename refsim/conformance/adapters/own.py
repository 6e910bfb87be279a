"""refsim's own tiles behind the adapter: the implementation that has all bits right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from refsim.errors import ConfigError, Unsupported
from refsim.tile.trace import Trace

__all__ = ["Own"]


@dataclass
class Handle:
    """A tile, its optimiser once there was a step, and the traces of its last passes."""

    tile: Any
    optimizer: Any = None
    traces: list[Trace] = field(default_factory=list)


class Own:
    """refsim's own tile of the class that the configuration names, stage by stage.

    Parameters
    ----------
    backend
        What computes: ``"spec"``, ``"cpu"`` or ``"cuda"``.
    traced
        Whether intermediates are shown. Without them the tile computes as in daily use, with fused passes.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> from refsim.conformance.cases import Case, Step
    >>> from refsim.conformance.kit import play
    >>> config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    >>> one = np.ones((1, 1), np.float32)
    >>> seen = play(Own(), Case(config, weight=2 * one, bias=None, steps=(Step(x=one, dy=one),)))
    >>> seen.observations[0].output, seen.observations[0].gradients["weight"]
    (array([[2.]], dtype=float32), array([[1.]], dtype=float32))
    """

    def __init__(self, backend: str = "spec", traced: bool = True) -> None:
        self.backend, self.traced = backend, traced
        if traced:
            self.stages = _stages

    def create(
        self, config: Any, weight: Any, bias: Any | None, state: Mapping[str, Any]
    ) -> Handle:
        """A tile with a stored weight, and perhaps bias and further state."""
        handle = self._new(config, weight.shape, bias is not None)
        start = {"weight": weight, **state} | ({} if bias is None else {"bias": bias})
        handle.tile.load_state_dict(start, strict=False)
        return handle

    def _new(self, config: Any, shape: tuple[int, int], bias: bool) -> Handle:
        try:
            return Handle(config.create_tile(*shape, bias=bias, backend=self.backend))
        except ConfigError as error:
            raise Unsupported(str(error)) from error

    def forward(self, handle: Handle, x: Any, *, training: bool, noise: Mapping[str, Any]) -> Any:
        """The output for a batch."""
        tile = handle.tile.train(training)
        if not self.traced:
            return tile.forward(x, noise=noise)
        y, trace = tile.forward(x, noise=noise, trace=True)
        handle.traces = [trace]
        return y

    def backward(self, handle: Handle, dy: Any) -> Mapping[str, Any]:
        """The gradients of the input and of all parameters, accumulated."""
        if self.traced:
            dx, trace = handle.tile.backward(dy, trace=True)
            handle.traces.append(trace)
        else:
            dx = handle.tile.backward(dy)
        return {"input": dx} | {name: g.copy() for name, g in handle.tile.gradients.items()}

    def step(self, handle: Handle, **sgd: Any) -> None:
        """One step of SGD, which clears the gradients."""
        handle.optimizer = handle.optimizer or _optimizer(handle.tile, sgd)
        handle.optimizer.step()
        handle.optimizer.zero_grad()

    def state(self, handle: Handle) -> Mapping[str, Any]:
        """Copies of parameters and buffers."""
        return handle.tile.state_dict()  # type: ignore[no-any-return]

    def save(self, handle: Handle) -> Any:
        """State and velocities: what a training needs to go on."""
        tile, optimizer = handle.tile, handle.optimizer
        velocities = None if optimizer is None else optimizer.state_dict()
        sgd = None if optimizer is None else _settings(optimizer)
        return tile.state_dict(), tile.has_bias, velocities, sgd

    def load(self, config: Any, saved: Any) -> Handle:
        """A new tile from what was saved."""
        state, bias, velocities, sgd = saved
        handle = self._new(config, state["weight"].shape, bias)
        handle.tile.load_state_dict(state)
        if velocities is not None:
            handle.optimizer = _optimizer(handle.tile, sgd)
            handle.optimizer.load_state_dict(velocities)
        return handle

    def set_weights(self, handle: Handle, weight: Any, bias: Any | None) -> None:
        """Store logical weights, mapped as configured."""
        handle.tile.set_weights(weight, bias)

    def calibrate(
        self, handle: Handle, calibration_type: Any, batches: Any, **options: Any
    ) -> None:
        """Set the input range from data."""
        from refsim.calibration import calibrate_input_ranges

        calibrate_input_ranges(handle.tile, calibration_type, batches, **options)

    def close(self, handle: Handle) -> None:
        """Drop the tile."""
        handle.tile, handle.optimizer, handle.traces = None, None, []


def _stages(handle: Handle) -> Mapping[str, Any]:
    return {stage.name: stage.value for trace in handle.traces for stage in trace}


def _optimizer(tile: Any, sgd: Mapping[str, Any]) -> Any:
    from refsim.nn.sgd import SGD

    return SGD([tile], **sgd)


def _settings(optimizer: Any) -> dict[str, Any]:
    from refsim.nn.sgd import OPTIONS

    return {name: getattr(optimizer.groups[0], name) for name in OPTIONS}
