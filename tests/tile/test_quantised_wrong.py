"""Wrong quantised tiles, made by one change each, are rejected by the tests of the right one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refsim.tile import QuantisationManager, Quantiser, quantised_periphery, quantised_state
from refsim.tile import QuantizedTorchInferenceTile as Tile
from refsim.tile.quantisation_manager import PeripheryManager, RangeState
from tests.tile import test_quantisation_manager as states
from tests.tile import test_quantised_state as saved
from tests.tile import test_quantised_tile as tiles

Patch = Callable[[pytest.MonkeyPatch], None]


def exact() -> None:
    """The periphery in exact arithmetic."""
    for T in (np.float32, np.float64):
        for columnwise in (True, False):
            tiles.test_the_periphery_in_exact_arithmetic(T, False, columnwise)


def unquantised(name: str) -> Patch:
    def apply(patch: pytest.MonkeyPatch) -> None:
        original = Tile.periphery_quantised

        def changed(tile: Any, which: str, x: Any) -> Any:
            found = original(tile, which, x)
            return replace(found, after=x) if which == name else found

        patch.setattr(Tile, "periphery_quantised", changed)

    return apply


def factors_right_to_left(patch: pytest.MonkeyPatch) -> None:
    original = quantised_periphery.product

    def changed(ops: Any, *factors: Any) -> Any:
        if factors[0] is None or factors[1] is None:
            return original(ops, *factors)
        return np.nextafter(original(ops, *factors), np.inf, dtype=factors[0].dtype)

    patch.setattr(quantised_periphery, "product", changed)


def gradients(**changes: Callable[[Any, Any], Any]) -> Patch:
    """Gradients of a quantiser with a part changed, from the gradients and the upstream one."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        right = Quantiser.gradients

        def changed(quantiser: Any, g: Any, x: Any, grid: Any = None) -> Any:
            found = right(quantiser, g, x, grid)
            return replace(found, **{name: f(found, g) for name, f in changes.items()})

        patch.setattr(Quantiser, "gradients", changed)

    return apply


def range_gradient_without_the_learned_scales(patch: pytest.MonkeyPatch) -> None:
    original = quantised_periphery.output_sum

    def changed(ops: Any, given: Any, dk: Any) -> Any:
        return original(ops, replace(given, a=None), dk)

    patch.setattr(quantised_periphery, "output_sum", changed)


def core_gradient_by_the_unquantised_factor(patch: pytest.MonkeyPatch) -> None:
    original = quantised_periphery.backward

    def changed(tile: Any, given: Any, *rest: Any) -> Any:
        used = {name: replace(v, after=v.before) for name, v in given.used.items()}
        return original(tile, replace(given, used=used), *rest)

    patch.setattr(quantised_periphery, "backward", changed)


def estimates_in_evaluation(patch: pytest.MonkeyPatch) -> None:
    original = QuantisationManager.begin
    patch.setattr(QuantisationManager, "begin", lambda m, x, training: original(m, x, True))


def schedule(shift: int) -> Patch:
    def apply(patch: pytest.MonkeyPatch) -> None:
        original = PeripheryManager.scheduled
        patch.setattr(
            PeripheryManager,
            "scheduled",
            lambda m, x, training, after: original(m, x, training, after + shift),
        )

    return apply


def evaluation_counts(patch: pytest.MonkeyPatch) -> None:
    original = PeripheryManager.scheduled

    def changed(manager: Any, x: Any, training: bool, after: int) -> Any:
        done = original(manager, x, training, after)
        counts = not training and manager.counter is not None
        return replace(done, counter=manager.counter[0] + 1) if counts else done

    patch.setattr(PeripheryManager, "scheduled", changed)


def evaluation_first_does_not_fix(patch: pytest.MonkeyPatch) -> None:
    original = PeripheryManager.scheduled

    def changed(manager: Any, x: Any, training: bool, after: int) -> Any:
        done = original(manager, x, training, after)
        fixed = done.state is RangeState.FIX
        return replace(done, state=RangeState.ESTIMATE_TRAIN) if fixed else done

    patch.setattr(PeripheryManager, "scheduled", changed)


def learning_leaves_a_trace(patch: pytest.MonkeyPatch) -> None:
    original = QuantisationManager.enter

    def changed(manager: Any, state: RangeState) -> None:
        trainable = manager.quantiser.trainable
        original(manager, state)
        manager.quantiser.trainable |= trainable

    patch.setattr(QuantisationManager, "enter", changed)


def estimator_commits_at_once(patch: pytest.MonkeyPatch) -> None:
    original = QuantisationManager.begin

    def changed(manager: Any, x: Any, training: bool) -> Any:
        done = original(manager, x, training)
        manager.estimator.commit()
        return done

    patch.setattr(QuantisationManager, "begin", changed)


def sign_is_not_saved(patch: pytest.MonkeyPatch) -> None:
    original = quantised_state.of
    patch.setattr(
        quantised_state,
        "of",
        lambda name, m: original(name, m) | {f"{name}.signed": np.zeros(1, np.uint8)},
    )


def memory_is_not_saved(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quantised_state, "_memory", lambda name, values: {})


def resumes(symmetric: bool) -> Callable[[Any], None]:
    def check(folder: Any) -> None:
        made = saved.everything(symmetric=symmetric, out_symmetric=symmetric)
        for k in range(3):
            saved.step(made, k)
        other = saved.through_state(made, folder)
        tiles.same(saved.step(other, 3), saved.step(made, 3))

    return check


def transitions() -> None:
    for before in RangeState:
        for after in RangeState:
            states.test_every_state_follows_every_other(before, after)


def moments() -> None:
    states.test_when_a_state_estimates(RangeState.ESTIMATE_TRAIN, True, False)


Check = Callable[[], None]
VARIANTS: dict[str, tuple[Patch, Check]] = {
    "scale not quantised": (unquantised("scale_quantizer"), exact),
    "bias not quantised": (unquantised("bias_quantizer"), exact),
    "factors one ulp off": (factors_right_to_left, exact),
    "no clip mask": (gradients(x=lambda found, g: g), exact),
    "no gradient of the step": (gradients(delta=lambda found, g: found.delta * 0), exact),
    "sign of the zero point": (gradients(zero_float=lambda found, g: -found.zero_float), exact),
    "range gradient without learned scales": (range_gradient_without_the_learned_scales, exact),
    "core gradient by the unquantised factor": (core_gradient_by_the_unquantised_factor, exact),
    "estimates in evaluation": (estimates_in_evaluation, moments),
    "learns a pass early": (schedule(-1), states.test_learning_begins_after_so_many_estimates),
    "learns a pass late": (schedule(1), states.test_learning_begins_after_so_many_estimates),
    "evaluation counts": (evaluation_counts, states.test_learning_begins_after_so_many_estimates),
    "evaluation first does not fix": (
        evaluation_first_does_not_fix,
        lambda: states.test_evaluation_first_estimates_once_and_fixes_until_training(True),
    ),
    "learning leaves a trace": (learning_leaves_a_trace, transitions),
    "estimator commits at once": (
        estimator_commits_at_once,
        states.test_beginning_a_pass_changes_nothing,
    ),
    "sign is not saved": (sign_is_not_saved, lambda: resumes(True)(None)),
    "memory is not saved": (memory_is_not_saved, lambda: resumes(False)(None)),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_wrong_quantised_tile_is_rejected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patch, check = VARIANTS[name]
    check()
    patch(monkeypatch)
    with pytest.raises(AssertionError):
        check()
