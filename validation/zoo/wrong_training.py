"""Mistakes about the optimiser, about gradients over several passes, and about checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .registry import mistake
from .sources import (
    ALPHA_ON_LOAD,
    DETACHED,
    NO_GRADIENT_AFTER_LOAD,
    NO_ZERO_GRAD,
    OMEGA_ON_LOAD,
    SCALES_AFTER_LOAD,
)

Array = Any
LOADED = ("checkpoint", "sgd")


@mistake("OP-1", needs=["sgd", "momentum"])
class DampenedFirstStep:
    """The first velocity is dampened like all others."""

    def velocity(self, name: str, d: Array, momentum: Array, kept: Array) -> Array:
        if name not in self.velocities:
            return kept * d
        return super().velocity(name, d, momentum, kept)


@mistake("OP-1", needs=["sgd", "momentum"])
class MomentumAsAverage:
    """The velocity is a weighted mean of old velocity and gradient."""

    def velocity(self, name: str, d: Array, momentum: Array, kept: Array) -> Array:
        before = self.velocities.get(name)
        return d.copy() if before is None else momentum * before + (1 - momentum) * d


@mistake("OP-1", needs=["sgd", "momentum"])
class NesterovForgotten:
    """The look-ahead is left out."""

    def descent(self, name: str, gradient: Array, sgd: dict[str, Any]) -> Array:
        return super().descent(name, gradient, sgd | {"nesterov": False})


@mistake("OP-1", needs=["sgd", "weight_decay"])
class RangeDoesNotDecay:
    """Weight decay leaves the input range out."""

    def descent(self, name: str, gradient: Array, sgd: dict[str, Any]) -> Array:
        return super().descent(
            name, gradient, sgd | ({"weight_decay": 0.0} if name == "input_range" else {})
        )


@mistake("OP-1", needs=["sgd", "weight_decay", "momentum"])
class DecoupledDecay:
    """Weight decay acts on the parameter directly, past the momentum."""

    def descent(self, name: str, gradient: Array, sgd: dict[str, Any]) -> Array:
        d = super().descent(name, gradient, sgd | {"weight_decay": 0.0})
        p = self.values[name]
        return d + p.dtype.type(sgd["weight_decay"]) * p


@mistake("OP-1", needs=["sgd", "out_scaling"])
class ScalesNotTrained:
    """The learned output scales do not take part in a step."""

    @property
    def learned(self) -> list[str]:
        return [name for name in super().learned if name != "out_scaling_alpha"]


@mistake("state", "OP-1", source=NO_ZERO_GRAD, needs=["sgd"])
class GradientsStay:
    """The gradients are not cleared after a step."""

    def clear_gradients(self) -> None:
        return


@mistake("state", "MV-4", "MS-3", "SU-3", needs=["backward"])
class GradientsReplaced:
    """A second backward pass replaces the gradients of the first."""

    def accumulate(self, name: str, gradient: Array) -> None:
        self.gradients[name] = gradient


class _Loaded:
    """What a tile does differently once it was loaded."""

    @classmethod
    def loaded(cls, config: Any, saved: Mapping[str, Any]) -> Any:
        tile = super().loaded(config, saved)
        tile.was_loaded = True
        return tile


@mistake("OP-1", "state", source=SCALES_AFTER_LOAD, needs=[*LOADED, "out_scaling"])
class ScalesStopAfterLoad(_Loaded):
    """The learned output scales are not trained any more after a checkpoint was loaded."""

    def moved(self, name: str, gradient: Array, sgd: dict[str, Any]) -> Array:
        if name == "out_scaling_alpha" and getattr(self, "was_loaded", False):
            return self.values[name]
        return super().moved(name, gradient, sgd)


@mistake("OP-1", "state", source=DETACHED, needs=LOADED)
class DetachedAfterLoad(_Loaded):
    """The optimiser still holds the parameters from before the checkpoint was loaded, and trains those."""

    def moved(self, name: str, gradient: Array, sgd: dict[str, Any]) -> Array:
        if getattr(self, "was_loaded", False):
            return self.values[name]
        return super().moved(name, gradient, sgd)


@mistake("MV-4", "MS-3", "state", source=NO_GRADIENT_AFTER_LOAD, needs=["checkpoint", "backward"])
class NoWeightGradientAfterLoad(_Loaded):
    """The weight has no gradient any more after a checkpoint was loaded."""

    def accumulate(self, name: str, gradient: Array) -> None:
        if name != "weight" or not getattr(self, "was_loaded", False):
            super().accumulate(name, gradient)


@mistake("state", "MS-1", "MS-2", source=OMEGA_ON_LOAD, needs=["checkpoint"])
class RescaledOnLoad:
    """Loading a checkpoint maps the stored weight to its full range once more."""

    @classmethod
    def loaded(cls, config: Any, saved: Mapping[str, Any]) -> Any:
        tile = super().loaded(config, saved)
        tile.set_weights(tile.values["weight"], None)
        return tile


@mistake("state", "PP-1", source=ALPHA_ON_LOAD, needs=["checkpoint", "out_scaling"])
class ScalesLostOnLoad:
    """The learned output scales are 1 again after a checkpoint was loaded."""

    def saved(self) -> dict[str, Any]:
        whole = super().saved()
        whole["values"].pop("out_scaling_alpha", None)
        return whole


@mistake("state", "IR-1", needs=["checkpoint", "data_init"])
class CounterLostOnLoad:
    """The initialisation from data begins anew after a checkpoint was loaded."""

    def saved(self) -> dict[str, Any]:
        whole = super().saved()
        whole["values"].pop("input_range_update_idx", None)
        return whole
