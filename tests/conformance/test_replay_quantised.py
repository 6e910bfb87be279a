"""The recorded quantisers and quantised tiles are reproduced within their bounds, and any change to them is noticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refsim import Choices, backends
from refsim.conformance.check import GroupResult, check_recording
from refsim.conformance.recipe import UnsupportedCase
from refsim.conformance.recipe_quantised import quantised_plan
from refsim.conformance.replay import is_input
from refsim.conformance.replay_quantised import SEARCHED_IN_SINGLE
from refsim.conformance.vectors import Arrays, Case, Recording
from tests.conformance.test_replay import STRIDE, in_memory, twins

GROUPS = ("g06_periph_quant", "g07_act_quant", "g08_quantizer")
LEARNED = "g06_periph_quant/nb4_sym0_learn1_after2_om1_ir0_los1"


@pytest.fixture(scope="module")
def loaded(recording: Recording) -> dict[str, Arrays]:
    return {case: arrays for group in GROUPS for case, arrays in recording.load(group).items()}


@pytest.fixture(scope="module")
def on_spec(recording: Recording) -> list[GroupResult]:
    return check_recording(recording, GROUPS, backend="spec")


def case_of(recording: Recording, name: str) -> Case:
    return next(case for case in recording.cases if case.id == name)


def test_every_recorded_array_is_an_input_or_compared(
    recording: Recording, on_spec: list[GroupResult], loaded: dict[str, Arrays]
) -> None:
    cases = {case.id: case for case in recording.cases}
    for group in on_spec:
        assert group.passed
        for result in group.results:
            inputs = [name for name in loaded[result.case] if is_input(cases[result.case], name)]
            assert sorted(inputs + result.compared) == sorted(loaded[result.case])


def test_where_no_step_is_learned_float32_agrees_to_a_few_units(on_spec: list[GroupResult]) -> None:
    for group in on_spec:
        for result in group.results:
            if "learn1" not in result.case and result.case.endswith("float32"):
                assert result.largest < 64 * np.finfo(np.float32).eps, result.case


def test_the_listed_search_in_float32_is_the_only_one_of_its_kind(recording: Recording) -> None:
    (name,) = SEARCHED_IN_SINGLE
    assert case_of(recording, name).dtype == np.float64


def test_default_choices_deviate_in_percentiles_alone(recording: Recording) -> None:
    for group in check_recording(recording, GROUPS, Choices(), backend="spec"):
        assert all("current_minmax_10.0" in case for case, _, _ in group.failures)
        assert bool(group.failures) == (group.group == "g07_act_quant")


def test_a_change_of_one_element_of_any_array_is_noticed(
    recording: Recording, loaded: dict[str, Arrays]
) -> None:
    everything = [
        (case, name)
        for case, arrays in loaded.items()
        for name in arrays
        if "sensitive" not in case_of(recording, case).entries
    ]
    for case, name in everything[:: 4 * STRIDE]:
        damaged = in_memory(recording, loaded, twins(recording, case))
        array = damaged.arrays[case][name].copy()
        array.flat[array.size // 2] += array.dtype.type(
            0.02 * (1 + abs(array.flat[array.size // 2]))
        )
        damaged.arrays[case][name] = array
        (group,) = check_recording(damaged, [case.partition("/")[0]], backend="spec")
        assert not group.passed, (case, name)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scaleq_state", "fix_ranges"),
        ("biasq_initialized", False),
        ("scale_quant_update_idx", 7.0),
        ("outq_state", "learn_ranges"),
    ],
)
def test_a_changed_state_is_noticed(
    recording: Recording, loaded: dict[str, Arrays], key: str, value: Any
) -> None:
    case = case_of(recording, f"{LEARNED}/float64")
    states = [dict(state) for state in case.entries["states"]]
    states[1][key] = value
    changed = replace(case, entries={**case.entries, "states": states})
    (group,) = check_recording(
        in_memory(recording, loaded, (changed,)), [case.group], backend="spec"
    )
    assert f"states[1].{key}" in {name for _, name, _ in group.failures}


@pytest.mark.parametrize("name", ["int_min", "int_max", "signed"])
def test_a_changed_code_range_is_noticed(
    recording: Recording, loaded: dict[str, Arrays], name: str
) -> None:
    case = case_of(recording, "g08_quantizer/sym1_nb3_linear_-1.3_0.8")
    changed = replace(case, entries={**case.entries, name: 1 - case.entries[name]})
    (group,) = check_recording(
        in_memory(recording, loaded, (changed,)), [case.group], backend="spec"
    )
    assert [failed for _, failed, _ in group.failures] == [name]


@pytest.mark.parametrize(
    ("function", "wrong", "group"),
    [
        ("quantised", lambda x, s, z, a, b: x, "g06_periph_quant"),
        ("scale_gradient", lambda g, x, s, *_: np.zeros(len(s), np.float32), "g06_periph_quant"),
        ("quantised_gradient", lambda g, *_: g, "g07_act_quant"),
        ("zero_point", lambda z, n: z, "g08_quantizer"),
    ],
)
def test_a_wrong_backend_fails_the_vectors(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, function: str, wrong: Any, group: str
) -> None:
    monkeypatch.setattr(backends.load("spec"), function, wrong)
    (found,) = check_recording(recording, [group], backend="spec", every=7)
    assert found.failures


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"periph_quant": {"bits": 3}}, "periph_quant is"),
        ({"act_quant": {"range_estimator": "oracle"}}, "the range estimator 'oracle'"),
        ({"surprise": 1}, "the recipe has entries"),
        ({"periph_quant": {"n_bits": "many"}}, "n_bits"),
    ],
)
def test_a_recipe_that_is_not_understood_is_unsupported(
    recording: Recording, change: dict[str, Any], reason: str
) -> None:
    case = case_of(recording, f"{LEARNED}/float32")
    recipe = {**case.entries["spec"], **change}
    with pytest.raises(UnsupportedCase, match=reason):
        quantised_plan(
            recording, replace(case, entries={**case.entries, "spec": recipe}), Choices.aihwkit()
        )
