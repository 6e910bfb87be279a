"""Recorded arrays of tiles and calibrations: any change to a result is noticed, nothing unknown is replayed."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from refsim import Choices
from refsim.conformance.replay import is_input, replay
from refsim.conformance.vectors import Arrays, Case, Recording

GROUPS = ("g10_array", "g11_calibration")
STRIDE = {"dev": 97, "ci": 29, "deep": 1}[os.environ.get("HYPOTHESIS_PROFILE", "dev")]
"""Which share of the results is damaged, one at a time."""


@pytest.fixture(scope="module")
def loaded(recording: Recording) -> dict[str, Arrays]:
    return {case: arrays for group in GROUPS for case, arrays in recording.load(group).items()}


def of(recording: Recording, group: str) -> list[Case]:
    return [case for case in recording.cases if case.group == group]


def test_every_recorded_array_is_an_input_or_compared(
    recording: Recording, loaded: dict[str, Arrays]
) -> None:
    for case in of(recording, "g10_array") + of(recording, "g11_calibration"):
        result = replay(recording, case, loaded[case.id], Choices.aihwkit(), "spec")
        assert not result.failures
        inputs = [name for name in loaded[case.id] if is_input(case, name)]
        assert sorted(inputs + result.compared) == sorted(loaded[case.id])


@pytest.mark.parametrize("group", GROUPS)
def test_a_changed_result_is_noticed(
    recording: Recording, loaded: dict[str, Arrays], group: str
) -> None:
    results = [
        (case, name)
        for case in of(recording, group)
        for name in loaded[case.id]
        if not is_input(case, name)
    ]
    for case, name in results[:: STRIDE if group == "g10_array" else 1]:
        arrays = {key: value.copy() for key, value in loaded[case.id].items()}
        place = (-1,) * arrays[name].ndim
        arrays[name][place] += 1e-3 * (1 + np.abs(arrays[name][place]))
        assert name in replay(recording, case, arrays, Choices.aihwkit(), "spec").failures
        del arrays[name]
        assert replay(recording, case, arrays, Choices.aihwkit(), "spec").failures


@pytest.mark.parametrize(
    ("choice", "case"),
    [
        ({"calibration_quantile_of": "absolute"}, "CacheQuantile_q0.9_ms1000_aNone_i0_l1"),
        ({"calibration_counter": "reset"}, "MovingStd_q0.9_ms1000_a2.0_i7_l1"),
    ],
    ids=["quantile", "counter"],
)
def test_the_recordings_tell_the_readings_apart(
    recording: Recording, loaded: dict[str, Arrays], choice: dict[str, str], case: str
) -> None:
    chosen = next(c for c in of(recording, "g11_calibration") if c.id.endswith(case))
    readings = Choices(**{**vars(Choices.aihwkit()), **choice})
    assert replay(recording, chosen, loaded[chosen.id], readings, "spec").failures


def changed(case: Case, **entries: object) -> Case:
    return replace(case, entries={**case.entries, **entries})


@pytest.mark.parametrize("group", ["g10_array", "g11_calibration"])
def test_what_an_array_or_a_calibration_cannot_replay_is_unsupported(
    recording: Recording, loaded: dict[str, Arrays], group: str
) -> None:
    cases = [case for case in recording.cases if case.group == group]
    for case in (cases[0], cases[-1]):
        recipe, states = case.entries.get("spec"), case.entries.get("states")
        if group == "g11_calibration":
            wrong = [
                {"calibration": 3},
                {"surprise": 1},
                {"counter_end": None},
                {"quantile": "0.9"},
            ]
        else:
            assert isinstance(recipe, dict)
            assert isinstance(states, list)
            learned = {"n_bits": 5, "learn_quant_params": True}
            wrong = [
                {"spec": {**recipe, "surprise": 1}},
                {"states": [{**state, "t0_0_surprise": 1} for state in states]},
                {"states": states[:-1]},
                {"spec": {**recipe, "periph_quant": learned}},
                {"spec": {**recipe, "act_quant": {"n_bits": 5, "surprise": 1}}},
            ]
        for entries in wrong:
            result = replay(recording, changed(case, **entries), loaded[case.id], Choices.aihwkit())
            assert result.unsupported, entries
            assert not result.compared


def test_a_wrong_counter_or_note_of_a_calibration_is_a_failure(
    recording: Recording, loaded: dict[str, Arrays]
) -> None:
    case = next(case for case in recording.cases if case.group == "g11_calibration")
    for name, value in (("counter_end", [5.0]), ("calibration_info", ["Other"])):
        result = replay(
            recording, changed(case, **{name: value}), loaded[case.id], Choices.aihwkit()
        )
        assert list(result.failures) == [name]


def test_a_wrong_state_of_a_quantised_array_is_a_failure(
    recording: Recording, loaded: dict[str, Arrays]
) -> None:
    case = next(case for case in recording.cases if case.id.startswith("g10_array/quant_b1_s1_run"))
    states = [dict(state) for state in case.entries["states"]]
    for name, value in (
        ("array_biasq_state", "fix_ranges"),
        ("t1_2_outq_initialized", False),
        ("t0_0_scaleq_signed", True),
    ):
        wrong = [{**states[0], name: value}, *states[1:]]
        result = replay(recording, changed(case, states=wrong), loaded[case.id], Choices.aihwkit())
        assert list(result.failures) == [f"states[0].{name}"]
