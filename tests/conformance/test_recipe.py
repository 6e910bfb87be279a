"""Recipes: every entry is understood, or the case is unsupported and says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from refsim import (
    Choices,
    CustomRPUConfig,
    InferenceRPUConfig,
    InputRangeParameter,
    IOParameters,
    MappingParameter,
    WeightClipParameter,
    WeightModifierParameter,
    WeightRemapParameter,
)
from refsim.conformance.check import SUPPORTED_GROUPS, check_recording
from refsim.conformance.recipe import UnsupportedCase, parameters, plan
from refsim.conformance.replay import is_input
from refsim.conformance.vectors import Case, Recording

CLASSES = [
    InputRangeParameter,
    IOParameters,
    MappingParameter,
    WeightClipParameter,
    WeightModifierParameter,
    WeightRemapParameter,
]


KINDS: dict[object, tuple[str, type]] = {
    "inference": ("inference", InferenceRPUConfig),
    "custom": ("custom", CustomRPUConfig),
}
"""Tiles of the manual path, with their configurations."""


def case_of(recording: Recording, name: str) -> Case:
    return next(case for case in recording.cases if case.id == name)


@pytest.fixture
def case(recording: Recording) -> Case:
    return case_of(recording, "g04_mapping/om1_col1_los1_loc1_ir1/float32")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_defaults_are_those_of_the_recorded_library(recording: Recording, cls: type) -> None:
    assert parameters(cls, recording.defaults[cls.__name__]) == cls()


def test_a_recipe_becomes_configuration_and_steps(recording: Recording, case: Case) -> None:
    todo = plan(recording, case, Choices.aihwkit())
    assert (todo.out_size, todo.in_size, todo.bias, todo.lr) == (4, 6, True, 0.05)
    assert todo.out_scaling == (1.0, 0.5, 1.5, 0.8)
    assert todo.config.mapping.weight_scaling_columnwise
    assert todo.config.forward.out_noise == 0
    assert [(s.training, s.backward, s.update) for s in todo.steps] == [(True, True, True)] * 3


def test_a_common_output_scale_starts_at_the_first_value(recording: Recording) -> None:
    common = case_of(recording, "g04_mapping/om1_col1_los1_loc0_ir0/float32")
    assert plan(recording, common, Choices.aihwkit()).out_scaling == (1.0,)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tile": "quant"}, "tiles of the kind 'quant'"),
        ({"drift": 1}, "the recipe has entries that are not in this version: drift"),
        ({"forward": {"inp_rez": 1}}, "forward has entries that are not in this version: inp_rez"),
        ({"forward": {"inp_res": "fine"}}, "IOParameters.inp_res is 'fine'"),
        ({"forward": {"noise_management": "Guess"}}, "IOParameters.noise_management is 'Guess'"),
        ({"forward": 1}, "forward is no table"),
        ({"input_range": {"momentum": 1}}, "input_range has entries"),
        ({"out": 0}, "out is 0"),
        ({"in": 10**9}, "in is 1000000000"),
        ({"in": True}, "in is True"),
        ({"bias": "yes"}, "bias is 'yes'"),
        ({"optimizer": {"type": "Adam", "lr": 0.1}}, "the optimizer 'Adam'"),
        (
            {"optimizer": {"type": "AnalogSGD", "lr": 0.1, "momentum": 0.9}},
            "entries that are not in this version: momentum",
        ),
        ({"optimizer": {"type": "AnalogSGD"}}, "lr is None"),
        ({"out_scaling_init": [1]}, "out_scaling_init is not a list of numbers"),
        ({"mapping": {}}, "out_scaling_init is given, but no output scale is learned"),
        ({"steps": []}, "the recipe has no steps"),
        ({"steps": [{"mode": "train"}]}, "one state for each step"),
        ({"steps": [{"mode": "test"}] * 3}, "the mode of a step is 'test'"),
        ({"steps": [{"mode": "train", "noise": 1}] * 3}, "a step has entries"),
        ({"steps": [{"mode": "train", "backward": 1}] * 3}, "backward is 1"),
        ({"steps": [1] * 3}, "a step is no table"),
    ],
)
def test_what_is_not_understood_is_unsupported(
    recording: Recording, case: Case, change: dict[str, Any], reason: str
) -> None:
    spec = {**case.entries["spec"], **change}
    with pytest.raises(UnsupportedCase) as error:
        plan(recording, replace(case, entries={**case.entries, "spec": spec}), Choices.aihwkit())
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"surprise": 1}, "the case has entries"),
        ({"states": [{"drift": 1}] * 3}, "a state has entries"),
        ({"states": [{"range_counter": -1}] * 3}, "range_counter is -1"),
        ({"spec": None}, "no recipe for a tile"),
    ],
)
def test_a_case_with_unknown_entries_is_unsupported(
    recording: Recording, case: Case, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnsupportedCase, match=reason):
        plan(recording, replace(case, entries={**case.entries, **change}), Choices.aihwkit())


def test_the_supported_groups_are_those_whose_every_case_is_of_a_known_kind(
    recording: Recording,
) -> None:
    unsupported = set()
    for case in recording.cases:
        try:
            is_input(case, "x")
        except UnsupportedCase:
            unsupported.add(case.group)
    assert set(SUPPORTED_GROUPS) == set(recording.files) - unsupported


def test_a_custom_tile_modifies_clips_and_remaps_no_weights(recording: Recording) -> None:
    case = next(case for case in recording.cases if case.group == "g12_manual_custom")
    changed = {**case.entries["spec"], "clip": {"type": "None"}}
    with pytest.raises(UnsupportedCase, match=r"the recipe has entries .*: clip"):
        plan(
            recording,
            replace(case, entries={**case.entries, "spec": changed}),
            Choices.aihwkit(),
            *KINDS["custom"],
        )


def test_an_unsupported_case_is_counted_and_fails_its_group(recording: Recording) -> None:
    group, *_ = recording.files
    unknown = replace(recording.cases[0], entries={"spec": {"tile": "ring"}})
    (found,) = check_recording(replace(recording, cases=(unknown,)), [group], backend="spec")
    assert (found.compared, len(found.unsupported), found.passed) == (0, 1, False)
