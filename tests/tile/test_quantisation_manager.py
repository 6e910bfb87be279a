"""The states of a quantiser's range: who estimates when, every transition, and the schedule of the periphery."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim import backends
from refsim.tile import QuantisationManager, Quantiser, RangeState
from refsim.tile.estimators import make_estimator
from refsim.tile.quantisation_manager import PeripheryManager

F32 = np.float32
ESTIMATE, ESTIMATE_TRAIN, FIX, LEARN = RangeState
ENTER = {
    ESTIMATE: "estimate_ranges",
    ESTIMATE_TRAIN: "estimate_ranges_train",
    FIX: "fix_ranges",
    LEARN: "learn_ranges",
}


def parts(kind: str = "current_minmax") -> tuple[Quantiser, Any]:
    estimator = make_estimator(backends.load("spec"), rs.RangeEstimators[kind])
    return Quantiser(2, backend="spec", name="a quantiser"), estimator


def made(kind: str = "current_minmax") -> QuantisationManager:
    return QuantisationManager(*parts(kind))


def top(manager: QuantisationManager) -> float:
    """The upper end of the range, of data that are not negative."""
    return float(manager.quantiser.delta) * 3


def see(manager: QuantisationManager, value: float, training: bool) -> float:
    (manager.train if training else manager.eval)(F32([0, value]))
    return top(manager)


def test_the_first_state_estimates_in_training() -> None:
    manager = made()
    assert manager.state is ESTIMATE_TRAIN
    assert [state.value for state in RangeState] == list(ENTER.values())


@pytest.mark.parametrize(
    ("state", "in_training", "in_evaluation"),
    [
        (ESTIMATE, True, True),
        (ESTIMATE_TRAIN, True, False),
        (FIX, False, False),
        (LEARN, False, False),
    ],
)
def test_when_a_state_estimates(state: RangeState, in_training: bool, in_evaluation: bool) -> None:
    for training, follows in ((True, in_training), (False, in_evaluation)):
        manager = made()
        see(manager, 3.0, True)
        getattr(manager, ENTER[state])()
        assert see(manager, 6.0, training) == (6.0 if follows else 3.0)
        assert manager.state is state


@pytest.mark.parametrize(("before", "after"), [*itertools.product(RangeState, RangeState)])
def test_every_state_follows_every_other(before: RangeState, after: RangeState) -> None:
    manager = made()
    see(manager, 3.0, True)
    for state in (before, after):
        getattr(manager, ENTER[state])()
    assert manager.state is after
    assert manager.quantiser.trainable is (after is LEARN)
    assert see(manager, 6.0, True) == (3.0 if after in (FIX, LEARN) else 6.0)


@pytest.mark.parametrize("state", [FIX, LEARN])
def test_a_range_must_be_there_to_be_fixed_or_learned(state: RangeState) -> None:
    manager = made()
    with pytest.raises(rs.StateError, match="a quantiser has no range to") as error:
        getattr(manager, ENTER[state])()
    assert str(error.value).count(". ") == 0
    assert manager.state is ESTIMATE_TRAIN
    assert not manager.quantiser.trainable


def test_a_learned_range_cannot_be_set_until_learning_ends() -> None:
    manager = made()
    see(manager, 3.0, True)
    manager.learn_ranges()
    with pytest.raises(rs.StateError, match="learned"):
        manager.set_quant_range(0.0, 9.0)
    manager.fix_ranges()
    manager.set_quant_range(0.0, 9.0)
    assert top(manager) == 9.0


def test_a_range_set_by_hand_serves_evaluation() -> None:
    manager = made()
    with pytest.raises(rs.StateError, match="set_quant_range"):
        manager.eval(F32([1]))
    manager.set_quant_range(0.0, 3.0)
    assert manager.eval(F32([0.9, 7])).tolist() == [1.0, 3.0]


def test_reset_forgets_range_and_data() -> None:
    manager = made("allminmax")
    see(manager, 9.0, True)
    manager.fix_ranges()
    manager.reset_ranges()
    assert (manager.state, manager.initialised) == (ESTIMATE_TRAIN, False)
    assert see(manager, 3.0, True) == 3.0


def test_beginning_a_pass_changes_nothing() -> None:
    manager = made("running_minmax")
    see(manager, 3.0, True)
    before = manager.quantiser.delta.copy(), manager.estimator.state()["hi"].copy()
    for _ in range(3):
        manager.begin(F32([0, 99]), True)
    assert (manager.quantiser.delta, manager.estimator.state()["hi"]) == before


# --- the schedule of the periphery ----------------------------------------------------------------


def scheduled(learned: bool) -> PeripheryManager:
    return PeripheryManager(*parts(), np.zeros(1, F32) if learned else None)


def play(
    manager: PeripheryManager, modes: str, after: int = 2
) -> list[tuple[RangeState, float, Any]]:
    """State, range and count after each pass; each pass offers a range one wider than the last."""
    history = []
    for k, mode in enumerate(modes):
        done = manager.scheduled(F32([0, k + 1]), mode == "t", after)
        manager.commit(done)
        count = None if manager.counter is None else float(manager.counter[0])
        history.append((manager.state, round(top(manager), 5), count))
    return history


def test_without_learning_every_training_pass_estimates() -> None:
    assert play(scheduled(False), "tte") == [
        (ESTIMATE_TRAIN, 1.0, None),
        (ESTIMATE_TRAIN, 2.0, None),
        (ESTIMATE_TRAIN, 2.0, None),
    ]


def test_learning_begins_after_so_many_estimates() -> None:
    assert play(scheduled(True), "ttette") == [
        (ESTIMATE_TRAIN, 1.0, 1.0),
        (ESTIMATE_TRAIN, 2.0, 2.0),
        (ESTIMATE_TRAIN, 2.0, 2.0),
        (LEARN, 2.0, 3.0),
        (LEARN, 2.0, 3.0),
        (LEARN, 2.0, 3.0),
    ]


@pytest.mark.parametrize("learned", [True, False])
def test_evaluation_first_estimates_once_and_fixes_until_training(learned: bool) -> None:
    states = play(scheduled(learned), "eet")
    assert [state for state, _, _ in states] == [FIX, FIX, ESTIMATE_TRAIN]
    assert [end for _, end, _ in states] == [1.0, 1.0, 3.0]


def test_what_is_no_parameter_is_not_learned() -> None:
    manager = scheduled(False)
    play(manager, "t")
    with pytest.raises(rs.StateError, match="learn_quant_params=True"):
        manager.learn_ranges()
    assert play(manager, "t")[-1][0] is ESTIMATE_TRAIN


def test_learning_may_be_forced_and_ended() -> None:
    manager = scheduled(True)
    play(manager, "t", after=9)
    manager.learn_ranges()
    assert [state for state, _, _ in play(manager, "tt", after=9)] == [LEARN, LEARN]
    manager.estimate_ranges_train()
    assert play(manager, "tt", after=9)[-1] == (ESTIMATE_TRAIN, 2.0, 3.0)


def test_reset_starts_the_count_afresh() -> None:
    manager = scheduled(True)
    play(manager, "tttt")
    manager.reset_ranges()
    assert play(manager, "ttt")[-1][0] is LEARN
