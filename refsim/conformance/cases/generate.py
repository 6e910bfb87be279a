"""Generated cases: one builder, driven by random numbers or by Hypothesis."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

import numpy as np

from refsim.config import BoundManagementType, Choices
from refsim.errors import RangeWarning, RefsimError
from refsim.nn import SGD

from . import generate_arrays as arrays
from .draft import Draft
from .features import features
from .generate_config import build_config
from .model import Array, Case, SGDSettings, Step
from .picker import Picker, RandomPicker

__all__ = ["build_case", "generated_cases"]

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
COUNTERS: Final = (0, 1, 2, 99, 2**24 - 1, 2**24)
"""Numbers of batches, up to where one more is no longer exact in float32."""
SALT: Final = 0xCA5E


def generated_cases(
    seed: int,
    count: int,
    allowed: frozenset[str],
    choices: Choices | None = None,
    length: tuple[int, int] = (1, 4),
) -> Iterator[Case]:
    """Cases by random numbers, the same ones for the same arguments.

    Parameters
    ----------
    seed
        Seed of all.
    count
        How many.
    allowed
        The features that they may ask for.
    choices
        The readings that they follow, ``Choices()`` by default.
    length
        Fewest and most steps.

    Yields
    ------
    Case
        Named by seed and number; each is drawn on its own.

    Examples
    --------
    >>> one, other = generated_cases(0, 2, frozenset({"input_range", "dac"}))
    >>> one.name, features(one) <= {"input_range", "dac"}
    ('generated 0, seed 0', True)
    """
    for index in range(count):
        yield _generated(seed, index, allowed, choices, length)


def _generated(
    seed: int, index: int, allowed: frozenset[str], choices: Choices | None, length: tuple[int, int]
) -> Case:
    for attempt in range(1000):
        pick = RandomPicker(seed, SALT, index, attempt)
        case = build_case(pick, allowed, choices, length, f"generated {index}, seed {seed}")
        if case is not None:
            return case
    raise AssertionError("a thousand configurations in a row were refused")


def build_case(
    pick: Picker,
    allowed: frozenset[str],
    choices: Choices | None = None,
    length: tuple[int, int] = (1, 4),
    name: str = "generated",
    exact: bool | None = None,
) -> Case | None:
    """One case that looks where bugs live.

    The tile is played along while the steps are drawn, so that inputs lie at the thresholds of the state that the tile
    is in by then. Half of the cases hold small multiples of powers of two only, whose sums are exact in every order.

    Parameters
    ----------
    pick
        What decides.
    allowed
        The features that the case may ask for, of :data:`~refsim.conformance.cases.FEATURES`.
    choices, length, name
        As for :func:`generated_cases`.
    exact
        Whether all sums are to be exact in every order; half of the cases by default.

    Returns
    -------
    Case or None
        The case; None if refsim itself refuses what was drawn.
    """
    if exact is None:
        exact = not pick.chance(0.5)
    double = "float64" in allowed and pick.chance(0.3)
    T = np.dtype(np.float64 if double else np.float32)
    draft = Draft(pick, allowed, exact, T, choices or Choices())
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RangeWarning)
        try:
            case = _Builder(draft, length).case(name)
        except RefsimError:
            return None
    return case if case is not None and features(case) <= allowed else None


class _Builder:
    """A case in the making: the tile, and the steps that it has gone through."""

    def __init__(self, d: Draft, length: tuple[int, int]) -> None:
        self.d, self.steps = d, []  # type: tuple[Draft, list[Step]]
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
        self.count = int(d.pick.integers(1, *length)[0])
        self.pending = False

    def case(self, name: str) -> Case | None:
        """The finished case, None if its first step is refused."""
        for k in range(self.count):
            try:
                self.steps.append(self._step(k))
            except RefsimError:
                break
        start = self.start
        return (
            Case(
                start.config,
                start.weight,
                start.bias,
                tuple(self.steps),
                start.state,
                start.sgd,
                name=name,
            )
            if self.steps
            else None
        )

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

    def _step(self, k: int) -> Step:
        d = self.d
        reload = k > 0 and not self._remembers() and d.may("checkpoint", 0.35)
        if reload:
            self._reload()
        training = not (d.may("eval", 0.25) and self._may_evaluate(k))
        x = self._batch(training)
        noise = self._noise(x, training)
        self.tile.train(training).forward(x, noise=noise)
        dy = self._way_back(x)
        update = dy is not None and d.may("sgd", 0.7)
        if update:
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.pending = False
        return Step(x, dy, training, update, reload, noise)

    def _remembers(self) -> bool:
        """Whether a checkpoint would lose gradients or velocities."""
        return self.pending or self.start.sgd.momentum != 0

    def _may_evaluate(self, k: int) -> bool:
        """An output quantiser needs a batch of training first."""
        return k > 0 or getattr(self.tile, "out_quantizer", None) is None

    def _reload(self) -> None:
        state = self.tile.state_dict()
        self.tile = self.start.tile()
        self.tile.load_state_dict(state)
        self.optimizer = SGD([self.tile], **asdict(self.start.sgd))

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
        if self.d.exact and self.io.bound_management == BoundManagementType.NONE:
            return {name: _coarse(name, values) for name, values in noise.items()}
        return noise

    def _way_back(self, x: Array) -> Array | None:
        d = self.d
        if not d.may("backward", 0.85):
            return None
        dy = arrays.gradient(d, (*x.shape[:-1], self.tile.out_size))
        self.tile.backward(dy)
        self.pending = True
        return dy


def _coarse(name: str, values: Array) -> Array:
    """Deviates as multiples of 1/4, uniforms below 1/2."""
    rounded = np.rint(values * 4) / 4
    coarse: Array = np.minimum(rounded, 0.25) if name.endswith("sto_round") else rounded
    return coarse
