"""Shrinking ends, keeps what fails, and takes away what does not matter."""

from __future__ import annotations

import numpy as np
import pytest

import refsim as rs
from refsim.conformance.cases import FEATURES, Case, features
from refsim.conformance.cases.generate import generated_cases
from refsim.conformance.kit.shrink import shrunk, size

ALL = frozenset(FEATURES)
pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")


def plays(case: Case) -> bool:
    """Whether refsim itself can play the case; shrinking must propose such cases alone."""
    tile = case.tile()
    for step in case.steps:
        with np.errstate(all="ignore"):
            tile.train(step.training).forward(step.x, noise=step.noise)
            if step.dy is not None:
                tile.backward(step.dy)
    return True


@pytest.mark.parametrize(
    "feature", ["bias", "dac", "decay", "noise", "many_axes", "momentum", "remap"]
)
def test_what_is_needed_stays_and_the_rest_goes(feature: str) -> None:
    cases = generated_cases(3, 60, ALL - {"float64", "empty_batch"})
    chosen = [case for case in cases if feature in features(case)][:2]
    for case in chosen:
        small = shrunk(case, lambda other: feature in features(other) and plays(other), 600, 60)
        assert feature in features(small)
        outputs, inputs, rows, steps = size(small)
        assert outputs == inputs == 1
        assert rows <= 2
        assert steps == 1
        kept = features(small) - {
            feature,
            "input_range",
            "backward",
            "learned_range",
            "eval",
            "sgd",
        }
        assert len(kept) <= 2, kept


def test_shrinking_stops_when_told() -> None:
    case = next(iter(generated_cases(1, 1, ALL)))
    tried = []
    assert shrunk(case, lambda other: bool(tried.append(other)), attempts=7) is case
    assert len(tried) == 7


def test_a_case_that_no_tile_plays_is_not_taken() -> None:
    case = next(iter(generated_cases(2, 1, ALL)))

    def refuses(other: Case) -> bool:
        raise rs.StateError("nothing is defined here")

    assert shrunk(case, refuses, attempts=20) is case
