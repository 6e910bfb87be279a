"""Mistakes that show only after a reload with momentum, or where outputs have noise of different strength."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from refsim.conformance.adapters import Capabilities, Own
from refsim.conformance.cases import FEATURES, features
from refsim.conformance.cases.generate import generated_cases
from refsim.conformance.kit import verify_target
from refsim.conformance.kit.behaviours import BEHAVIOURS

pytestmark = pytest.mark.filterwarnings("ignore::refsim.RangeWarning")
TRAINED = frozenset({"bias", "eval", "backward", "sgd", "momentum", "checkpoint"})
NOISY = frozenset({"dac", "adc", "eval", "noise", "noise_spread"})


def test_tiles_with_momentum_are_reloaded_but_not_between_backward_and_step() -> None:
    cases = list(generated_cases(0, 80, TRAINED, length=(2, 6)))
    moved = 0
    for case in cases:
        pending = stepped = False
        for step in case.steps:
            assert not (step.reload and pending)
            moved += step.reload and stepped and case.sgd.momentum != 0
            pending = (pending or step.dy is not None) and not step.update
            stepped = stepped or step.update
    assert moved > 5


def test_strengths_of_noise_are_part_of_the_case() -> None:
    spread = [c for c in generated_cases(0, 60, NOISY) if "noise_spread" in features(c)]
    assert len(spread) > 5
    for case in spread:
        assert case.config.forward.out_noise_std > 0
        assert case.state["out_noise_values"].shape == (len(case.weight),)
    plain = generated_cases(0, 60, frozenset(FEATURES) - {"noise_spread"})
    assert not any("out_noise_values" in case.state for case in plain)


class OneStrength(Own):
    """All outputs have the noise of the configuration."""

    def forward(self, handle: Any, x: Any, *, training: bool, noise: Mapping[str, Any]) -> Any:
        values = handle.tile.buffers.get("out_noise_values")
        kept = None if values is None else values.copy()
        if values is not None:
            values[...] = handle.tile.config.forward.out_noise
        y = super().forward(handle, x, training=training, noise=noise)
        if values is not None:
            values[...] = kept
        return y


@pytest.mark.parametrize(
    ("target", "needed", "clause"),
    [
        (next(b.make for b in BEHAVIOURS if b.mistake == "momentum lost on load"), TRAINED, "OP-1"),
        (lambda: OneStrength(traced=False), NOISY, "DC-4"),
    ],
    ids=["momentum lost on load", "one strength of noise"],
)
def test_only_such_cases_find_it(target: Any, needed: frozenset[str], clause: str) -> None:
    found = verify_target(
        target(), Capabilities(features=needed), max_examples=40, phases=["generated"]
    )
    assert found.findings[0].clause == clause
    assert max(found.findings[0].case.weight.shape) == 1
    fewer = Capabilities(features=needed - {"noise_spread", "momentum"})
    assert verify_target(target(), fewer, max_examples=40, phases=["generated"]).passed


class Detached(Own):
    """The optimiser of a loaded tile trains the arrays of the tile before."""

    def load(self, config: Any, saved: Any) -> Any:
        handle = super().load(config, saved)
        handle.detached = True
        return handle

    def step(self, handle: Any, **sgd: Any) -> None:
        if getattr(handle, "detached", False):
            handle.tile.zero_grad()
        else:
            super().step(handle, **sgd)


def test_what_is_not_trained_after_a_load_is_one_finding() -> None:
    declared = Capabilities(features=TRAINED - {"momentum"})
    found = verify_target(
        Detached(traced=False), declared, max_examples=60, phases=["generated", "stateful"]
    )
    (first,) = found.independent
    assert (first.clause, first.cause) == ("OP-1", "nothing is trained after a load")
    assert {finding.stage for finding in found.findings} == {"weight", "bias"}
