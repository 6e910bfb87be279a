"""A target that refuses what it is known to do differently, so that anything else comes to light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refsim.errors import Unsupported

from .situations import SITUATIONS, Moment


class Sieve:
    """An adapter of aihwkit without the known situations.

    Parameters
    ----------
    target
        The adapter.
    """

    def __init__(self, target: Any) -> None:
        self.target = target
        self.capabilities = getattr(target, "capabilities", None)

    def _check(self, what: str, handle: Any, **more: Any) -> None:
        moment = Moment(what, handle[1], handle[2], self.target.state(handle[0]), **more)
        for situation in SITUATIONS:
            if situation.met(moment):
                raise Unsupported(f"{situation.number}: {situation.what}.")

    def create(self, config: Any, weight: Any, bias: Any, state: Mapping[str, Any]) -> Any:
        """A tile, its configuration, and what is remembered of it."""
        handle = [self.target.create(config, weight, bias, state), config, {}]
        self._check("create", handle)
        return handle

    def forward(self, handle: Any, x: Any, *, training: bool, noise: Mapping[str, Any]) -> Any:
        """The output."""
        self._check("forward", handle, x=np.asarray(x), training=training)
        handle[2]["x"] = np.asarray(x)
        return self.target.forward(handle[0], x, training=training, noise=noise)

    def backward(self, handle: Any, dy: Any) -> Any:
        """The gradients."""
        handle[2].setdefault("axes", []).append(np.ndim(dy))
        handle[2].setdefault("rows", []).append(int(np.prod(np.shape(dy)[:-1])))
        return self.target.backward(handle[0], dy)

    def step(self, handle: Any, **sgd: Any) -> None:
        """A step of the optimiser."""
        self._check("step", handle, sgd=sgd)
        for name in ("axes", "rows"):
            handle[2].pop(name, None)
        self.target.step(handle[0], **sgd)

    def state(self, handle: Any) -> Any:
        """The state."""
        return self.target.state(handle[0])

    def set_weights(self, handle: Any, weight: Any, bias: Any) -> None:
        """Weights in logical units."""
        self.target.set_weights(handle[0], weight, bias)

    def calibrate(self, handle: Any, *given: Any, **named: Any) -> None:
        """Ranges from data."""
        self.target.calibrate(handle[0], *given, **named)

    def save(self, handle: Any) -> Any:
        """A checkpoint."""
        self._check("save", handle)
        return [self.target.save(handle[0]), handle[2]]

    def load(self, config: Any, saved: Any) -> Any:
        """A tile from a checkpoint."""
        return [self.target.load(config, saved[0]), config, saved[1]]

    def close(self, handle: Any) -> None:
        """Forget a tile."""
        if hasattr(self.target, "close"):
            self.target.close(handle[0])
