"""A case as it is built, step by step, with refsim's own tile played along."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Final

import numpy as np

from refsim.config import BoundManagementType
from refsim.errors import RefsimError
from refsim.nn import SGD

from . import generate_arrays as arrays
from .draft import Draft
from .generate_config import build_config
from .model import Array, Case, SGDSettings, Step

__all__ = ["CaseBuilder"]

SIZES: Final = (
    (1, 1, 1),
    (1, 2, 1),
    (2, 1, 2),
    (2, 2, 2),
    (3, 3, 2),
    (1, 1, 3),
    (3, 4, 1),
    (4, 4, 4),
    (5, 3, 3),
)
"""Rows, inputs and outputs of most cases."""
LARGE: Final = ((8, 16, 8), (5, 33, 9), (16, 64, 17), (3, 8, 64), (33, 17, 5))
SHARE_OF_LARGE: Final = 0.06
SPARE_PASSES: Final = 2
COUNTERS: Final = (0, 1, 2, 99, 2**24 - 1, 2**24)
"""Numbers of batches, up to where one more is no longer exact in float32."""


class CaseBuilder:
    """A case in the making: the tile, and the steps that it has gone through.

    Parameters
    ----------
    d
        The draft.

    Raises
    ------
    RefsimError
        If refsim refuses the configuration, or a step; a step that is refused leaves the case as it was.
    """

    def __init__(self, d: Draft) -> None:
        self.d = d
        self.steps: list[Step] = []
        large = d.pick.large and d.pick.chance(SHARE_OF_LARGE)
        self.N, I, O = d.pick.choice(LARGE if large else SIZES)
        self.config = build_config(d)
        self.io = getattr(self.config, "forward", None)
        bias = arrays.bias_vector(d, O) if d.may("bias") else None
        self.start = Case(
            self.config,
            arrays.weight_matrix(d, (O, I)),
            bias,
            (),
            self._state(O),
            self._sgd(),
        )
        self.tile = self.start.tile()
        self.optimizer = SGD([self.tile], **asdict(self.start.sgd))
        self.pending = False
        """Whether gradients wait for a step; whether a checkpoint holds them is nobody's promise."""

    def case(self, count: int, name: str) -> Case | None:
        """A case of up to so many steps; it ends where refsim refuses one, and is None if that is the first."""
        for k in range(count):
            try:
                self._drawn_step(k)
            except RefsimError:
                break
        return self.made(name) if self.steps else None

    def made(self, name: str) -> Case:
        """The case so far."""
        return replace(self.start, steps=tuple(self.steps), name=name)

    def _state(self, O: int) -> dict[str, Array]:
        d, p = self.d, self.config.pre_post.input_range
        state: dict[str, Array] = {}
        if p.enable and d.pick.chance(0.5):
            state["input_range"] = arrays.ranges(d)
        if p.enable and d.may("data_init", 0.3):
            last = (p.init_from_data - 1,) if p.init_from_data > 0 else ()
            counter = d.pick.choice((*last, *COUNTERS))
            state["input_range_update_idx"] = np.array([counter], np.float32)
        if d.may("mapping_scales", 0.4):
            state["mapping_scales"] = arrays.scales(d, O)
        if getattr(self.io, "out_noise_std", 0.0) > 0:
            state["out_noise_values"] = arrays.noise_strengths(d, O)
        mapping = self.config.mapping
        if mapping.learn_out_scaling:
            count = O if mapping.out_scaling_columnwise else 1
            state["out_scaling_alpha"] = np.resize(arrays.scales(d, O), count)
        return state

    def _sgd(self) -> SGDSettings:
        d = self.d
        momentum = d.of((0.5, 0.25), (0.9,)) if d.may("momentum", 0.4) else 0.0
        nesterov = momentum > 0 and d.pick.chance(0.3)
        return SGDSettings(
            lr=d.of((0.5, 0.25, 1.0), (0.05, 0.1)),
            momentum=momentum,
            dampening=d.of((0.0, 0.5), ()) if momentum and not nesterov else 0.0,
            weight_decay=d.of((0.25, 0.5), (0.01,)) if d.may("weight_decay", 0.3) else 0.0,
            nesterov=nesterov,
        )

    def _drawn_step(self, k: int) -> None:
        d = self.d
        reload = k > 0 and not self.pending and d.may("checkpoint", 0.35)
        training = not (d.may("eval", 0.25) and self.may_evaluate)
        back = d.may("backward", 0.85)
        self.add(training, back, back and d.may("sgd", 0.7), reload)

    def add(self, training: bool, back: bool, update: bool = False, reload: bool = False) -> Step:
        """Add a step, with inputs for the state that the tile is in.

        Parameters
        ----------
        training, update, reload
            As in :class:`~refsim.conformance.cases.Step`.
        back
            Whether there is a backward pass.
        """
        if reload:
            self._reload()
        x = self._batch(training)
        noise = self._noise(x, training)
        self.tile.train(training).forward(x, noise=noise)
        dy = self._way_back(x) if back else None
        if update:
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.pending = False
        self.steps.append(Step(x, dy, training, update, reload, noise))
        return self.steps[-1]

    @property
    def may_evaluate(self) -> bool:
        """Whether an evaluation is defined: an output quantiser needs a batch of training first."""
        return bool(self.steps) or getattr(self.tile, "out_quantizer", None) is None

    def _reload(self) -> None:
        state, velocities = self.tile.state_dict(), self.optimizer.state_dict()
        self.tile = self.start.tile()
        self.tile.load_state_dict(state)
        self.optimizer = SGD([self.tile], **asdict(self.start.sgd))
        self.optimizer.load_state_dict(velocities)

    def _batch(self, training: bool) -> Array:
        d = self.d
        N = 0 if d.may("empty_batch", 0.04) else self.N
        lead: tuple[int, ...] = (N,)
        if d.may("many_axes", 0.1):
            lead = d.pick.choice(((), (1, N), (N, 1), (2, 1, N)))
        r, p = self.tile.value("input_range"), self.config.pre_post.input_range
        counter = self.tile.value("input_range_update_idx")
        counting = training and counter is not None and counter[0] < (p.init_from_data or 0)
        shape = (*lead, self.tile.in_size)
        return arrays.batch(d, shape, None if r is None else float(r[0]), self.io, counting)

    def _noise(self, x: Array, training: bool) -> dict[str, Array]:
        """The deviates of the step: those that refsim draws, on a coarse grid in an exact case."""
        if "noise" not in self.d.allowed or self.io is None:
            return {}
        twin = self.start.tile()
        twin.load_state_dict(self.tile.state_dict())
        twin.step += int(self.d.pick.integers(1, 0, 2**16)[0])
        noise: dict[str, Array] = twin.train(training).forward(x, trace=True)[1].noise
        if self.io.bound_management != BoundManagementType.NONE:
            return {name: _with_spare_passes(name, values) for name, values in noise.items()}
        if self.d.exact:
            return {name: _coarse(name, values) for name, values in noise.items()}
        return noise

    def _way_back(self, x: Array) -> Array:
        dy = arrays.gradient(self.d, (*x.shape[:-1], self.tile.out_size))
        self.tile.backward(dy)
        self.pending = True
        return dy


def _with_spare_passes(name: str, values: Array) -> Array:
    """Noise with more passes than refsim makes, for those who find an output just beyond the bound."""
    if name.startswith("weight"):
        return values
    return np.concatenate([values, *[values[:1]] * SPARE_PASSES])


def _coarse(name: str, values: Array) -> Array:
    """Deviates as multiples of 1/4, uniforms below 1/2."""
    rounded = np.rint(values * 4) / 4
    coarse: Array = np.minimum(rounded, 0.25) if name.endswith("sto_round") else rounded
    return coarse
