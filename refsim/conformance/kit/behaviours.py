"""Mistakes that are not in a formula but in what happens when: modes, state, accumulation, saving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from refsim.conformance.adapters.own import Handle, Own

from .finding import STATE

__all__ = ["BEHAVIOURS", "Behaviour"]


@dataclass(frozen=True)
class Behaviour:
    """A mistake of behaviour: the clause that it breaks, a few words, and a tile that has it.

    Whatever depends on the mode has a clause of its own, so that to mix the modes up has none.
    """

    clause: str
    mistake: str
    make: Callable[[], Own]

    def __str__(self) -> str:
        return f"{self.clause} {self.mistake}".strip()


class _Base(Own):
    def __init__(self) -> None:
        super().__init__("spec", traced=False)


class AlwaysTraining(_Base):
    """Evaluation mode is ignored."""

    def forward(self, handle: Handle, x: Any, *, training: bool, noise: Mapping[str, Any]) -> Any:
        """A training pass, whatever is asked for."""
        return super().forward(handle, x, training=True, noise=noise)


class AlwaysEvaluating(_Base):
    """Training mode is ignored."""

    def forward(self, handle: Handle, x: Any, *, training: bool, noise: Mapping[str, Any]) -> Any:
        """An evaluation pass, whatever is asked for."""
        return super().forward(handle, x, training=False, noise=noise)


class Overwriting(_Base):
    """A backward pass replaces the gradients of the one before."""

    def backward(self, handle: Handle, dy: Any) -> Mapping[str, Any]:
        """Gradients of this pass alone."""
        handle.tile.zero_grad()
        return super().backward(handle, dy)


class OverwritingOne(_Base):
    """A backward pass replaces the gradient of one parameter; those of the others add up."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names

    def backward(self, handle: Handle, dy: Any) -> Mapping[str, Any]:
        """Gradients of which some are of this pass alone."""
        for name in [name for name in handle.tile.gradients if name.startswith(self.names)]:
            del handle.tile.gradients[name]
        return super().backward(handle, dy)


class NeverCleared(_Base):
    """The gradients stay after an optimiser step."""

    def step(self, handle: Handle, **sgd: Any) -> None:
        """A step that leaves the gradients."""
        kept = {name: g.copy() for name, g in handle.tile.gradients.items()}
        super().step(handle, **sgd)
        handle.tile.gradients.update(kept)


class NoStep(_Base):
    """The optimiser does nothing."""

    def step(self, handle: Handle, **sgd: Any) -> None:
        """Cleared gradients, nothing else."""
        handle.tile.zero_grad()


class LosesVelocity(_Base):
    """Momentum starts anew in every step."""

    def step(self, handle: Handle, **sgd: Any) -> None:
        """A step of a new optimiser."""
        handle.optimizer = None
        super().step(handle, **sgd)


class KeepsOnLoad(_Base):
    """Some entries of the state are not saved."""

    def __init__(self, *lost: str) -> None:
        super().__init__()
        self.lost = lost

    def load(self, config: Any, saved: Any) -> Handle:
        """A tile in which the lost entries are as created."""
        handle = super().load(config, saved)
        fresh = self._new(config, saved[0]["weight"].shape, saved[1]).tile.state_dict()
        present = {name: fresh[name] for name in fresh if name.startswith(self.lost)}
        handle.tile.load_state_dict(present, strict=False)
        if "velocity" in self.lost:
            handle.optimizer = None
        return handle


class FrozenByLoad(_Base):
    """Some parameters are not trained any more once a checkpoint was loaded."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names
        self.loaded: list[Handle] = []

    def load(self, config: Any, saved: Any) -> Handle:
        """A tile that is remembered as loaded."""
        handle = super().load(config, saved)
        self.loaded.append(handle)
        return handle

    def step(self, handle: Handle, **sgd: Any) -> None:
        """A step without the gradients of these parameters."""
        if any(handle is each for each in self.loaded):
            for name in [n for n in handle.tile.gradients if n.startswith(self.names)]:
                del handle.tile.gradients[name]
        super().step(handle, **sgd)


class FixedInStep(_Base):
    """Some parameters take no part in part of an optimiser step."""

    def __init__(self, parameter: str, **changed: float) -> None:
        super().__init__()
        self.parameter, self.changed = parameter, changed

    def step(self, handle: Handle, **sgd: Any) -> None:
        """A step in which one parameter has other settings."""
        from refsim.nn.sgd import SGD

        if handle.optimizer is None:
            names = list(handle.tile.parameters)
            groups = [
                {
                    "tiles": [handle.tile],
                    "parameters": [n for n in names if n != self.parameter],
                    **sgd,
                }
            ]
            if self.parameter in names:
                own = {**sgd, **self.changed}
                groups.append({"tiles": [handle.tile], "parameters": [self.parameter], **own})
            handle.optimizer = SGD(groups, **sgd)
        handle.optimizer.step()
        handle.optimizer.zero_grad()


class BiasInResidual(_Base):
    """The sum over the outputs in the residual of the range takes them with the bias."""

    def __init__(self, divided: bool) -> None:
        super().__init__()
        self.divided = divided

    def backward(self, handle: Handle, dy: Any) -> Mapping[str, Any]:
        """Gradients of which that of the range has the products with the bias, too."""
        found = dict(super().backward(handle, dy))
        bias, learned = handle.tile.value("bias"), handle.tile.gradients.get("input_range")
        if bias is not None and learned is not None:
            r = handle.tile.value("input_range")[0]
            total = np.sum(np.asarray(dy) * bias, dtype=bias.dtype)
            learned += total / r if self.divided else total
            found["input_range"] = learned.copy()
        return found


class Counting(_Base):
    """The counter of data initialisation starts elsewhere."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = shift

    def forward(self, handle: Handle, x: Any, *, training: bool, noise: Mapping[str, Any]) -> Any:
        """A pass whose counter is off."""
        counter = handle.tile.buffers.get("input_range_update_idx")
        if counter is not None:
            counter[...] = np.maximum(counter + np.float32(self.shift), 0)
        y = super().forward(handle, x, training=training, noise=noise)
        if counter is not None:
            counter[...] -= np.float32(self.shift)
        return y


BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour("", "evaluation mode is ignored", AlwaysTraining),
    Behaviour("", "training mode is ignored", AlwaysEvaluating),
    Behaviour(STATE, "gradients replace each other instead of adding up", Overwriting),
    *(
        Behaviour(STATE, f"the gradient of {what} replaces the one before", partial(OverwritingOne, *names))
        for what, *names in (
            ("the weight", "weight"),
            ("the bias", "bias"),
            ("the range", "input_range"),
            ("the output scales", "out_scaling_alpha"),
            ("learned quantisers", "scale_quantizer", "bias_quantizer", "out_quantizer"),
        )
    ),
    Behaviour(STATE, "gradients are not cleared by a step", NeverCleared),
    Behaviour("OP-1", "the optimiser does nothing", NoStep),
    Behaviour("OP-1", "momentum starts anew in each step", LosesVelocity),
    Behaviour("OP-1", "momentum lost on load", lambda: KeepsOnLoad("velocity")),
    Behaviour("OP-1", "nothing is trained after a load", lambda: FrozenByLoad("")),
    Behaviour("OP-1", "the range is not trained after a load", lambda: FrozenByLoad("input_range")),
    Behaviour("OP-1", "output scales are not trained after a load", lambda: FrozenByLoad("out_scaling_alpha")),
    Behaviour(STATE, "the range is lost on load", lambda: KeepsOnLoad("input_range")),
    Behaviour(STATE, "the counter is lost on load", lambda: KeepsOnLoad("input_range_update_idx")),
    Behaviour(STATE, "quantisers lost on load", lambda: KeepsOnLoad("scale_quant", "bias_quant")),
    Behaviour("OP-1", "weight decay leaves the range out", lambda: FixedInStep("input_range", weight_decay=0.0)),
    Behaviour("OP-1", "the range is not updated", lambda: FixedInStep("input_range", lr=0.0)),
    Behaviour("OP-1", "the bias is not updated", lambda: FixedInStep("bias", lr=0.0)),
    Behaviour("OP-1", "weight decay leaves the bias out", lambda: FixedInStep("bias", weight_decay=0.0)),
    Behaviour("IR-8", "the outputs of the residual have the bias", lambda: BiasInResidual(False)),
    Behaviour("IR-8", "the residual takes outputs with the bias, over the range", lambda: BiasInResidual(True)),
    Behaviour("IR-1", "one batch too few initialises the range", lambda: Counting(1.0)),
    Behaviour("IR-1", "one batch too many initialises the range", lambda: Counting(-1.0)),
)  # fmt: skip
"""All of them."""
