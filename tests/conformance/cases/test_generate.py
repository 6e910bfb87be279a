"""Generated cases: reproducible, within what is allowed, accepted by refsim, and where bugs live."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import refsim as rs
from refsim.conformance.adapters.capabilities import DEFAULT_FEATURES
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.adapters.own import Own
from refsim.conformance.bits import same_bits
from refsim.conformance.cases import FEATURES, Case, case_id, features
from refsim.conformance.cases.files import case_tree
from refsim.conformance.cases.generate import build_case, generated_cases
from refsim.conformance.cases.methods import METHODS, method_cases
from refsim.conformance.cases.picker import RandomPicker
from refsim.conformance.kit.play import play
from refsim.conformance.strategies import batches, cases, configurations, gradients, tiles, weights

EVERYTHING = frozenset(FEATURES)
pytestmark = pytest.mark.filterwarnings("ignore::refsim.RangeWarning")


@pytest.fixture(scope="module")
def many() -> list[Case]:
    """Cases that may ask for everything."""
    return list(generated_cases(0, 250, EVERYTHING))


def test_the_same_seed_makes_the_same_cases(many: list[Case]) -> None:
    again = list(generated_cases(0, 20, EVERYTHING))
    assert all(same_bits(case_tree(a), case_tree(b)) for a, b in zip(again, many, strict=False))
    other = list(generated_cases(1, 20, EVERYTHING))
    assert {case_id(case) for case in again}.isdisjoint(case_id(case) for case in other)


def test_every_feature_is_asked_for(many: list[Case]) -> None:
    counts = Counter(feature for case in many for feature in features(case))
    assert {name for name in FEATURES if counts[name] < 3} == {*METHODS}
    made = list(method_cases(0, 60, EVERYTHING))
    assert {name for case in made for name in features(case)} >= {*METHODS}
    assert {len(case.steps) for case in made} == {1, 2}


@pytest.mark.parametrize("feature", sorted(FEATURES))
def test_a_feature_that_is_not_allowed_is_not_asked_for(feature: str) -> None:
    for index in range(15):
        case = build_case(RandomPicker(7, index), EVERYTHING - {feature})
        assert case is None or feature not in features(case)


def test_few_are_refused() -> None:
    made = [build_case(RandomPicker(3, i), EVERYTHING) for i in range(100)]
    assert sum(case is None for case in made) < 8


def test_refsim_plays_them_to_the_end(many: list[Case]) -> None:
    target = guarded(Own(traced=False))
    for case in many[:100]:
        with np.errstate(all="ignore"):
            recording = play(target, case)
        assert recording.failure is None, f"{case.name}: {recording.failure}"
        assert len(recording.observations) == len(case.steps)


def test_inputs_lie_at_thresholds_and_ties(many: list[Case]) -> None:
    found: Counter[str] = Counter()
    for case in many:
        x, p = case.steps[0].x, case.config.pre_post.input_range
        io = getattr(case.config, "forward", None)
        r = case.T.type(case.state.get("input_range", [p.init_value])[0])
        found["at the range"] += bool(p.enable and (np.abs(x) == abs(r)).any())
        beside = np.nextafter(abs(r), case.T.type(np.inf))
        found["one unit beside"] += bool(p.enable and (np.abs(x) == beside).any())
        if io is not None and not io.is_perfect and io.inp_res > 0 and p.enable:
            res = 1 / io.inp_res if io.inp_res > 1 else io.inp_res
            level = x.astype(float) / float(r) / (2 * abs(io.inp_bound) * res)
            found["at a tie"] += bool((np.abs(level - np.floor(level)) == 0.5).any())
        rows = x.reshape(-1, x.shape[-1])
        found["row of zeros"] += bool(len(rows) and (~rows.any(axis=1)).any())
        found["all negative"] += bool(x.size > 1 and (x < 0).all())
        found["all clipped"] += bool(p.enable and x.size > 1 and (np.abs(x) > abs(r)).all())
        found["one element"] += x.size == 1
        tiny = np.finfo(case.T).tiny
        found["subnormal"] += bool(((x != 0) & (np.abs(x) < tiny)).any())
        found["large"] += case.weight.size > 100
        found["range near 0"] += bool(p.enable and abs(r) < 1e-15)
        found["negative range"] += bool(p.enable and r < 0)
        found["gradients of 0"] += any(s.dy is not None and not s.dy.any() for s in case.steps)
        found["counter at its limit"] += any(
            v[0] >= 2**24 - 1 for k, v in case.state.items() if k == "input_range_update_idx"
        )
        found["accumulated"] += any(s.dy is not None and not s.update for s in case.steps[:-1])
    assert {name for name, count in found.items() if count < 3} == set()
    assert len(found) == 14


def test_half_of_them_have_exact_sums() -> None:
    """All inputs are multiples of a power of two that few bits hold."""
    made = list(generated_cases(5, 200, frozenset({"dac", "adc", "input_range"})))
    short = [all(_few_bits(a) for a in (case.weight, case.steps[0].x)) for case in made]
    assert 80 < sum(short) < 140


def _few_bits(a: np.ndarray) -> bool:
    mantissas = np.frexp(a)[0] * 2**8
    return bool((mantissas == np.rint(mantissas)).all())


def test_sequences_may_be_long() -> None:
    made = list(generated_cases(0, 10, DEFAULT_FEATURES, length=(8, 20)))
    assert all(len(case.steps) <= 20 for case in made)
    assert sum(len(case.steps) >= 8 for case in made) >= 8


def test_choices_are_followed() -> None:
    for case in generated_cases(0, 5, DEFAULT_FEATURES, rs.Choices.aihwkit()):
        assert case.config.choices == rs.Choices.aihwkit()


def test_they_shrink_to_the_smallest_tile() -> None:
    quick = settings(max_examples=60, database=None, derandomize=True)
    few = cases(frozenset({"adc", "dac", "input_range"}), length=(1, 1))
    wanted = find(few, lambda case: "adc" in features(case), settings=quick)
    assert wanted.weight.shape == (1, 1)
    assert features(wanted) == {"adc"}


@given(cases(EVERYTHING))
@settings(max_examples=40)
def test_hypothesis_draws_cases_that_refsim_plays(case: Case) -> None:
    with np.errstate(all="ignore"):
        assert play(guarded(Own(traced=False)), case).failure is None


@given(st.data())
def test_parts_of_cases_fit_one_another(data: st.DataObject) -> None:
    config = data.draw(configurations())
    double = config.runtime.data_type == rs.RPUDataType.DOUBLE
    tile = config.create_tile(2, 3, backend="spec")
    x = data.draw(batches(config, (2, 3)))
    w, dy = data.draw(weights(config, (2, 3))), data.draw(gradients(config, (2, 2)))
    assert {a.dtype for a in (x, w, dy)} == {np.dtype(np.float64 if double else np.float32)}
    tile.load_state_dict({"weight": w}, strict=False)
    assert np.isfinite(x).all()
    assert (x.shape, dy.shape) == ((2, 3), (2, 2))


@given(tiles(DEFAULT_FEATURES))
def test_tiles_are_in_some_state(tile: rs.TorchInferenceTile) -> None:
    assert tile.parameters["weight"].shape == (tile.out_size, tile.in_size)
