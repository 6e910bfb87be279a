"""The optional methods ``set_weights`` and ``calibrate``: right ones pass, wrong ones are named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from refsim.config import Choices
from refsim.conformance.adapters import Capabilities
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.adapters.own import Handle, Own
from refsim.conformance.cases import FEATURES
from refsim.conformance.laws.law import Broken
from refsim.conformance.laws.methods import methods


def broken(target: Any, capabilities: Capabilities | None = None) -> list[tuple[str, str]]:
    """Method and clause of each call that goes wrong."""
    found = []
    for call in methods(capabilities or Capabilities()):
        try:
            call.check(guarded(target), call.case)
        except Broken as error:
            found.append((call.method, error.clause))
    return found


@pytest.mark.parametrize("choices", [Choices(), Choices.aihwkit()], ids=["page", "aihwkit"])
@pytest.mark.clause("MS-1", "MS-2", "CA-1", "CA-2")
def test_refsim_passes_under_both_readings(choices: Choices) -> None:
    assert broken(Own(), Capabilities(choices=choices)) == []


def test_calls_are_chosen_by_features() -> None:
    every = {call.method for call in methods(Capabilities(features=frozenset(FEATURES)))}
    assert every == {"set_weights", "calibrate"}
    assert list(methods(Capabilities(features=frozenset()))) == []
    only = methods(Capabilities(features=frozenset({"input_range"})))
    assert {call.method for call in only} == {"calibrate"}


class Raw(Own):
    def set_weights(self, handle: Handle, weight: Any, bias: Any | None) -> None:
        handle.tile.load_state_dict({"weight": weight, "bias": bias}, strict=False)


class ScalesKept(Own):
    def set_weights(self, handle: Handle, weight: Any, bias: Any | None) -> None:
        kept = {k: v for k, v in handle.tile.state_dict().items() if k == "out_scaling_alpha"}
        super().set_weights(handle, weight, bias)
        handle.tile.load_state_dict(kept, strict=False)


class BiasForgotten(Own):
    def set_weights(self, handle: Handle, weight: Any, bias: Any | None) -> None:
        super().set_weights(handle, weight, None)


class SpreadScales(Own):
    """Right: one scale is shown for each output."""

    def state(self, handle: Handle) -> Mapping[str, Any]:
        found = dict(super().state(handle))
        if "mapping_scales" in found:
            found["mapping_scales"] = found["mapping_scales"] * np.ones(
                handle.tile.out_size, np.float32
            )
        return found


class Untouched(Own):
    def calibrate(
        self, handle: Handle, calibration_type: Any, batches: Any, **options: Any
    ) -> None:
        return


class Halved(Own):
    def calibrate(
        self, handle: Handle, calibration_type: Any, batches: Any, **options: Any
    ) -> None:
        super().calibrate(handle, calibration_type, [batch / 2 for batch in batches], **options)


@pytest.mark.parametrize(
    ("target", "method", "clauses"),
    [
        (Raw(), "set_weights", {"MS-1"}),
        (ScalesKept(), "set_weights", {"MS-1"}),
        (BiasForgotten(), "set_weights", {"MS-2"}),
        (Untouched(), "calibrate", {"CA-1", "CA-2", "IR-1"}),
        (Halved(), "calibrate", {"CA-1", "CA-2", "IR-1"}),
    ],
    ids=["raw", "scales kept", "bias forgotten", "untouched", "halved"],
)
@pytest.mark.clause("MS-1", "MS-2", "CA-1", "CA-2")
def test_a_wrong_method_is_found(target: Own, method: str, clauses: set[str]) -> None:
    found = broken(target)
    assert {name for name, _ in found} == {method}
    assert {clause for _, clause in found} == clauses


def test_a_scale_may_be_shown_for_each_output() -> None:
    assert broken(SpreadScales()) == []
