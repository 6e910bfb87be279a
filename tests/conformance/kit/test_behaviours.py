"""What an implementation does beside its results: to arrays of the caller, to single gradients, to time."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refsim.conformance.adapters.process import ProcessTarget
from refsim.conformance.cases.generate import generated_cases
from refsim.conformance.kit import STATE, Finding, judge, play, verify_target
from refsim.conformance.kit.report import document, finding_lines
from tests.conformance.kit import tiles

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::refsim.RangeWarning")
FEW: dict[str, Any] = {"max_examples": 30, "phases": ("examples", "generated", "stateful")}


class ClampsTheInput(tiles.Small):
    """The input is clamped in place before it is used, and the way back sees it clamped."""

    def forward(self, h: dict[str, Any], x: Any, *, training: bool, noise: Any) -> Any:
        if h["input_range"] is not None:
            r = abs(h["input_range"][0])
            np.clip(x, -r, r, out=x)
        return super().forward(h, x, training=training, noise=noise)


class ScalesTheGradient(tiles.Small):
    """All results are right, and the gradient of the output is 0 afterwards."""

    def backward(self, h: dict[str, Any], dy: Any) -> dict[str, Any]:
        found = super().backward(h, dy)
        dy[...] = 0
        return found


def test_an_input_that_is_overwritten_is_said_with_the_finding() -> None:
    outcome = verify_target(ClampsTheInput(), max_examples=20, phases=["examples"])
    first = outcome.findings[0]
    assert (first.clause, first.stage) == ("IR-9", "input_gradient")
    said = "; the implementation overwrites what belongs to its caller: x in forward"
    assert first.text.endswith(said)
    assert document(outcome)["overwritten"] == ["x in forward"]


def test_overwriting_alone_is_told_and_no_finding() -> None:
    outcome = verify_target(ScalesTheGradient(), max_examples=5, phases=["generated"])
    assert outcome.passed
    assert outcome.overwritten == {"dy in backward"}
    assert not verify_target(tiles.Small(), max_examples=5, phases=["generated"]).overwritten


def test_it_is_seen_in_other_processes() -> None:
    host = [sys.executable, "-m", "refsim.conformance.adapters.host"]
    case = next(generated_cases(3, 1, tiles.FEATURES - {"adc"}))
    case = replace(case, steps=(replace(case.steps[0], dy=case.steps[0].x @ case.weight.T + 1),))
    with ProcessTarget([*host, f"{__file__}:ScalesTheGradient"]) as target:
        verdict = judge(play(target, case))
    assert verdict.overwritten == {"dy in backward"}


def only(parameter: str) -> type[tiles.Small]:
    class Replaced(tiles.Small):
        def accumulate(self, h: dict[str, Any], found: dict[str, Any]) -> None:
            h["gradients"].pop(parameter, None)
            super().accumulate(h, found)

    return Replaced


@pytest.mark.parametrize(
    ("parameter", "what"),
    [("weight", "the weight"), ("bias", "the bias"), ("input_range", "the range")],
)
def test_one_gradient_that_does_not_accumulate_is_named(parameter: str, what: str) -> None:
    first = verify_target(only(parameter)(), **FEW).findings[0]
    assert (first.clause, first.cause) == (STATE, f"the gradient of {what} replaces the one before")


def test_a_case_without_an_answer_is_shown_with_its_data() -> None:
    case = next(case for case in generated_cases(0, 40, tiles.FEATURES) if case.weight.size == 16)
    late = Finding(case, 0, "target", "timeout", "timeout", "no answer")
    shown = "\n".join(finding_lines(late, "mine:tile"))
    assert f"weight = {case.weight.tolist()}" in shown
    assert f"x = {case.steps[0].x.tolist()}" in shown
    large = replace(case, weight=np.ones((9, 9), np.float32))
    shown = "\n".join(finding_lines(replace(late, case=large), "mine:tile"))
    assert "weight of shape (9, 9) from 1.0 to 1.0" in shown
    wrong = "\n".join(finding_lines(replace(late, kind="violation"), "mine:tile"))
    assert "weight = " not in wrong


class BiasInTheResidual(tiles.Small):
    """The residual of the range takes the output with its bias."""

    def of_range(self, h: dict[str, Any], d: Any, dv: Any, dy: Any, r: Any) -> Any:
        without = h["z"]
        if h["bias"] is not None:
            h["z"] = self.with_bias(h, r)
        found = super().of_range(h, d, dv, dy, r)
        h["z"] = without
        return found

    def with_bias(self, h: dict[str, Any], r: Any) -> Any:
        return h["z"] + h["bias"]


class BiasOverRange(BiasInTheResidual):
    def with_bias(self, h: dict[str, Any], r: Any) -> Any:
        return (h["z"] * r + h["bias"]) / r


class BiasTwice(BiasInTheResidual):
    """A mistake that is not known."""

    def with_bias(self, h: dict[str, Any], r: Any) -> Any:
        return h["z"] + 2 * h["bias"]


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (BiasInTheResidual, "the outputs of the residual have the bias"),
        (BiasOverRange, "the residual takes outputs with the bias, over the range"),
        (BiasTwice, None),
    ],
)
def test_a_bias_in_the_residual_is_no_wrong_rule(wrong: type[Any], cause: str | None) -> None:
    outcome = verify_target(wrong(), max_examples=30, phases=["examples", "generated"])
    assert [(f.clause, f.stage, f.cause) for f in outcome.independent] == [
        ("IR-8", "range_gradient", cause)
    ]
