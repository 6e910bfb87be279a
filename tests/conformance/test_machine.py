"""The state machine for users' own tests: right tiles pass, tiles that forget are found."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from refsim.conformance.adapters import Capabilities
from refsim.conformance.adapters.capabilities import DEFAULT_FEATURES
from refsim.conformance.adapters.own import Own
from refsim.conformance.kit.behaviours import BEHAVIOURS
from refsim.conformance.machine import state_machine

FEW = settings(max_examples=12, stateful_step_count=6, deadline=None, database=None)
MANY = settings(FEW, max_examples=100, derandomize=True, phases=[Phase.generate])


def run(target: Any, declared: Capabilities, effort: settings) -> None:
    run_state_machine_as_test(state_machine(target, declared), settings=effort)


def test_refsim_passes() -> None:
    run(Own, Capabilities(features=DEFAULT_FEATURES | {"checkpoint"}), FEW)


STARTED = frozenset({"input_range", "data_init", "eval"})
TRAINED = frozenset({"bias", "backward", "sgd"})


@pytest.mark.parametrize(
    ("mistake", "features"),
    [
        ("gradients replace each other instead of adding up", TRAINED),
        ("gradients are not cleared by a step", TRAINED),
        ("the counter is lost on load", STARTED | {"checkpoint"}),
        ("evaluation mode is ignored", STARTED),
    ],
)
def test_tiles_that_forget_are_found(mistake: str, features: frozenset[str]) -> None:
    wrong = next(b for b in BEHAVIOURS if b.mistake == mistake)
    with pytest.raises(AssertionError, match=r"step \d"):
        run(wrong.make(), Capabilities(features=features), MANY)


def test_an_adapter_may_declare_itself() -> None:
    class Small(Own):
        capabilities = Capabilities(name="a small one", features=frozenset({"bias"}))

    made = state_machine(Small())
    assert made.__name__ == "Sequences of a small one"
    run_state_machine_as_test(made, settings=FEW)


@pytest.mark.parametrize("module", ["strategies", "machine"])
def test_without_hypothesis_the_error_says_what_is_missing(module: str) -> None:
    code = f"import sys; sys.modules['hypothesis'] = None; import refsim.conformance.{module}"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("refsim.errors.BackendError: hypothesis is not installed")
