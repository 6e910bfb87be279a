"""Intermediates under names that refsim does not have."""

from __future__ import annotations

from typing import Any

from refsim.conformance.adapters.own import Own
from refsim.conformance.kit import verify_target
from tests.conformance.kit.tiles import DECLARED, Small


class Misspelt(Small):
    def stages(self, h: dict[str, Any]) -> dict[str, Any]:
        return {"clipped_inputs": h["c"]}


def test_a_misspelt_stage_is_reported() -> None:
    outcome = verify_target(Misspelt(), DECLARED, phases=["examples"])
    assert outcome.unknown_stages == {"clipped_inputs"}
    assert outcome.passed


def test_all_stages_of_refsim_have_a_name() -> None:
    outcome = verify_target(Own(), phases=["examples", "generated"], max_examples=40)
    assert outcome.unknown_stages == set()
