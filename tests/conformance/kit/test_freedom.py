"""Rounding that a profile would have to declare is told from mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refsim.conformance.admissible import FLOAT32
from refsim.conformance.kit import verify_target
from refsim.conformance.kit.freedom import FREEDOMS
from tests.conformance.kit.tiles import DECLARED, Small, StrictRule

F = np.float32


class Reciprocal(Small):
    """Levels by the reciprocal of the step."""

    def grid(self, a: Any, step: Any) -> Any:
        return self.rint(a * (F(1) / F(step))) * step if step else a


@pytest.mark.parametrize("phases", [["generated"]])
def test_a_reciprocal_is_named_with_its_profile(phases: list[str]) -> None:
    outcome = verify_target(Reciprocal(), DECLARED, phases=phases, max_examples=150)
    assert outcome.findings
    for finding in outcome.findings:
        assert finding.freedom == "float32, reciprocals"
        assert finding.cause is None


def test_a_mistake_has_no_profile() -> None:
    outcome = verify_target(StrictRule(), DECLARED, phases=["examples"])
    assert outcome.findings
    assert all(finding.freedom is None for finding in outcome.findings)


@pytest.mark.parametrize("name", FREEDOMS)
def test_a_freedom_is_another_profile(name: str) -> None:
    freer = FREEDOMS[name](FLOAT32)
    assert freer != FLOAT32
    assert freer.name.startswith(FLOAT32.name)
    assert FREEDOMS[name](freer).operand == freer.operand
