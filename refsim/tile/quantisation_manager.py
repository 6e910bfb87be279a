"""Who sets the range of a quantiser, and when: estimated, estimated in training, fixed or learned."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from refsim.errors import InputError, StateError
from refsim.spec.sums import Array, Scalar

from .estimators import Estimator
from .quantiser import Grid, Quantiser


class RangeState(Enum):
    """How the range of a quantiser comes about; the values are aihwkit's names."""

    ESTIMATE = "estimate_ranges"
    ESTIMATE_TRAIN = "estimate_ranges_train"
    FIX = "fix_ranges"
    LEARN = "learn_ranges"


@dataclass(frozen=True)
class Pass:
    """One use of a quantiser, and what becomes of its state when the pass has succeeded."""

    grid: Grid
    state: RangeState
    range: tuple[Array, Array] | None
    counter: Scalar | None = None

    @property
    def estimated(self) -> bool:
        """Whether the range was estimated in this pass."""
        return self.range is not None

    @property
    def learns(self) -> bool:
        """Whether the parameters of the quantiser have gradients."""
        return self.state is RangeState.LEARN


class QuantisationManager:
    """A quantiser, the estimator of its range, and the state that says when the range is estimated.

    ========================  ==========================================
    state                     the range
    ========================  ==========================================
    ``ESTIMATE``              is estimated on every call
    ``ESTIMATE_TRAIN``        is estimated in training; the initial state
    ``FIX``                   stays
    ``LEARN``                 is trained
    ========================  ==========================================

    Every state can be reached from every other; ``FIX`` and ``LEARN`` need a range.

    Parameters
    ----------
    quantiser
        The quantiser.
    estimator
        What estimates its range.

    Examples
    --------
    >>> from refsim import backends, RangeEstimators
    >>> from refsim.tile.estimators import make_estimator
    >>> estimator = make_estimator(backends.load("spec"), RangeEstimators.current_minmax)
    >>> manager = QuantisationManager(Quantiser(2, backend="spec"), estimator)
    >>> manager.train(np.float32([0.4, 3.0]))
    array([0., 3.], dtype=float32)
    >>> manager.fix_ranges()
    >>> manager.train(np.float32([0.4, 9.0]))
    array([0., 3.], dtype=float32)
    """

    def __init__(self, quantiser: Quantiser, estimator: Estimator) -> None:
        self.quantiser, self.estimator = quantiser, estimator
        self._state = RangeState.ESTIMATE_TRAIN

    # ----- states

    @property
    def state(self) -> RangeState:
        """How the range comes about."""
        return self._state

    @property
    def initialised(self) -> bool:
        """Whether there is a range."""
        return self.quantiser.initialised

    def estimate_ranges(self) -> None:
        """Estimate the range on every call."""
        self.enter(RangeState.ESTIMATE)

    def estimate_ranges_train(self) -> None:
        """Estimate the range in training."""
        self.enter(RangeState.ESTIMATE_TRAIN)

    def fix_ranges(self) -> None:
        """Keep the range; a :class:`~refsim.StateError` if there is none."""
        self.enter(RangeState.FIX)

    def learn_ranges(self) -> None:
        """Train the range; a :class:`~refsim.StateError` if there is none."""
        self.enter(RangeState.LEARN)

    def reset_ranges(self) -> None:
        """Forget range and data, and go back to the initial state."""
        self.quantiser.trainable = False
        self.quantiser.reset()
        self.estimator.reset()
        self.enter(RangeState.ESTIMATE_TRAIN)

    def set_quant_range(self, lo: object, hi: object) -> None:
        """Set the range by hand; errors as for :meth:`refsim.tile.quantiser.Quantiser.set_quant_range`."""
        self.quantiser.set_quant_range(lo, hi)

    def enter(self, state: RangeState) -> None:
        """Change the state.

        Raises
        ------
        StateError
            If the new state needs a range and there is none.
        InputError
            If it is no :class:`RangeState`.
        """
        if not isinstance(state, RangeState):
            raise InputError(f"state is {state!r}, allowed are members of RangeState.")
        if state in (RangeState.FIX, RangeState.LEARN) and not self.initialised:
            raise StateError(
                f"{self.quantiser.name} has no range to {'fix' if state is RangeState.FIX else 'learn'}; "
                "estimate one in a training pass or give it one with set_quant_range."
            )
        self._state = state
        self.quantiser.trainable = state is RangeState.LEARN

    # ----- use

    def begin(self, x: Array, training: bool) -> Pass:
        """The grid for a batch, without changing any state."""
        return self._pass(x, self._state, self.estimates(training))

    def estimates(self, training: bool) -> bool:
        """Whether a pass in the present state estimates the range."""
        return self._state is RangeState.ESTIMATE or (
            self._state is RangeState.ESTIMATE_TRAIN and training
        )

    def _pass(
        self, x: Array, state: RangeState, estimates: bool, counter: Scalar | None = None
    ) -> Pass:
        found = self.estimator.range(x) if estimates else None
        grid = self.quantiser.grid() if found is None else self.quantiser.grid_over(*found)
        return Pass(grid, state, found, counter)

    def commit(self, done: Pass) -> None:
        """Keep what a pass has estimated, and its state."""
        if done.estimated:
            self.estimator.commit()
            self.quantiser.take(done.grid)
        self.enter(done.state)

    def train(self, x: Array) -> Array:
        """Quantised values of a batch in training."""
        return self._forward(x, True)

    def eval(self, x: Array) -> Array:
        """Quantised values of a batch in evaluation."""
        return self._forward(x, False)

    def _forward(self, x: Array, training: bool) -> Array:
        done = self.begin(x, training)
        y = self.quantiser.quantised(x, done.grid)
        self.commit(done)
        return y


class PeripheryManager(QuantisationManager):
    """The manager of a quantiser in the periphery of a tile: it follows a schedule.

    In training the range is estimated; with ``learns`` it is learned after ``init_learning_after`` training passes. In
    evaluation a quantiser without a range estimates it once, and is fixed.

    Parameters
    ----------
    quantiser, estimator
        As for :class:`QuantisationManager`.
    counter
        ``(1,)`` float32, live: number of training passes while not yet learning; None if the range is never learned.
    """

    def __init__(self, quantiser: Quantiser, estimator: Estimator, counter: Array | None) -> None:
        super().__init__(quantiser, estimator)
        self.counter = counter

    def enter(self, state: RangeState) -> None:
        """Change the state; a :class:`~refsim.StateError` also if the range is no parameter and is to be learned."""
        if state is RangeState.LEARN and self.counter is None:
            raise StateError(
                f"{self.quantiser.name} is not learned; set pre_post.periph_quant.learn_quant_params=True."
            )
        super().enter(state)

    def scheduled(self, x: Array, training: bool, init_learning_after: int) -> Pass:
        """The grid for a batch by the schedule, without changing any state."""
        return self._pass(x, *self.coming(training, init_learning_after))

    def coming(
        self, training: bool, init_learning_after: int
    ) -> tuple[RangeState, bool, Scalar | None]:
        """State of the next pass, whether it estimates the range, and the count after it; None: the count stays."""
        if not training:
            if self.initialised:
                return self._state, self.estimates(training), None
            return RangeState.FIX, True, self._count()
        counter = self._count()
        state = RangeState.ESTIMATE_TRAIN
        if counter is not None:
            if self._state is RangeState.LEARN:
                state = RangeState.LEARN
            else:
                counter = counter + np.float32(1)
                state = RangeState.LEARN if counter > init_learning_after else state
        return state, state is RangeState.ESTIMATE_TRAIN, counter

    def commit(self, done: Pass) -> None:
        """Keep what a pass has estimated, its state and its count."""
        super().commit(done)
        if self.counter is not None and done.counter is not None:
            self.counter[0] = done.counter

    def reset_ranges(self) -> None:
        """Forget range, data and count, and go back to the initial state."""
        super().reset_ranges()
        if self.counter is not None:
            self.counter[0] = 0

    def _count(self) -> Any:
        return None if self.counter is None else self.counter[0].copy()
