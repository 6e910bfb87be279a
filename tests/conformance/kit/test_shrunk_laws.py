"""Broken laws on small cases: they still break there, a right tile keeps them, and the finding can be replayed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.conformance import laws as module
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.cases import Case, Step
from refsim.conformance.kit import Session, verify_target
from refsim.conformance.kit.phases import broken_law, checked_law
from refsim.conformance.kit.report import keep_findings, replayed
from refsim.conformance.kit.shrink import size
from refsim.conformance.laws import LAWS, speaks_about
from refsim.conformance.laws.law import Broken, run_on
from tests.conformance.kit import tiles
from tests.conformance.test_laws import DECLARED, WRONG

pytestmark = pytest.mark.filterwarnings("ignore::refsim.RangeWarning")
F = np.float32
NEEDS = {"order of outputs": (2, 1), "order of inputs": (1, 2), "never falls": (1, 2)}
"""Outputs and inputs without which a law says nothing."""


@pytest.mark.parametrize(
    "name",
    [
        "the same again",
        "saved and loaded",
        "gradients add up",
        "linear in the gradient",
        "order of rows",
        "order of outputs",
        "order of inputs",
        "scales twice as large",
        "never falls",
    ],
)
def test_a_broken_law_is_shown_on_a_tiny_case(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (law,) = (law for law in LAWS if law.name == name)
    monkeypatch.setattr(module, "LAWS", (law,))
    target = WRONG[name][0]
    outcome = verify_target(target, DECLARED, phases=["laws"], max_examples=160)
    assert outcome.findings
    for finding in outcome.findings:
        assert size(finding.case)[:2] == NEEDS.get(name, (1, 1))
        assert size(finding.case)[2] <= 2
        assert speaks_about(law, finding.case)
        (path,) = keep_findings(outcome, tmp_path / finding.case.name)[:1]
        again = Session(target, DECLARED).replay(*replayed(str(path)))
        assert [f.stage for f in again.findings] == [name]


class Loop(tiles.Small):
    """The weight gradient of one weight, added up row by row."""

    def backward(self, h: dict[str, Any], dy: Any) -> dict[str, Any]:
        found = super().backward(h, dy)
        products = (dy * h["d"]).ravel()
        found["weight"] = np.add.accumulate(products, dtype=F)[-1:].reshape(1, 1)
        return found


def products(x: Any, dy: Any) -> Case:
    """An ideal tile with weight 1, there and back."""
    config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    step = Step(x=np.array(x, F), dy=np.array(dy, F))
    return Case(config, weight=np.ones((1, 1), F), bias=None, steps=(step,))


(ORDER_OF_ROWS,) = (law for law in LAWS if law.name == "order of rows")


def test_a_law_is_not_shrunk_to_where_a_right_tile_breaks_it() -> None:
    target = guarded(Loop())
    rounded = products([[1.0], [1.0], [1.0]], [[2.0**24], [1.0], [1.0]])
    with pytest.raises(Broken):
        ORDER_OF_ROWS.check(run_on(target), rounded)
    assert list(checked_law(target, "order of rows", rounded)) == []
    assert broken_law(target, "order of rows", rounded) is None
    exact = products([[1.0], [1.0], [1.0]], [[4.0], [1.0], [1.0]])
    (result,) = checked_law(target, "order of rows", exact)
    assert result.ok


def test_a_law_says_nothing_of_a_case_without_what_it_needs() -> None:
    case = products([[1.0]], [[1.0]])
    assert broken_law(guarded(tiles.NoBias()), "scales twice as large", case) is None
    assert broken_law(guarded(tiles.NoBias()), "order of rows", case) is None
