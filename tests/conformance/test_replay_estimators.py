"""The recorded range estimators are reproduced, and a range that is not as good is noticed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refsim import Choices
from refsim.conformance import replay_estimators
from refsim.conformance.check import check_recording
from refsim.conformance.replay import is_input, replay
from refsim.conformance.vectors import Arrays, Case, Recording

GROUP = "g09_estimator"
AIHWKIT = Choices.aihwkit()


@pytest.fixture(scope="module")
def loaded(recording: Recording) -> dict[str, Arrays]:
    return recording.load(GROUP)


@pytest.fixture(scope="module")
def cases(recording: Recording) -> list[Case]:
    return [case for case in recording.cases if case.group == GROUP]


def sensitive(case: Case) -> bool:
    return bool(case.entries.get("sensitive", False))


@pytest.mark.parametrize("backend", ["spec", "cpu"])
def test_every_recorded_array_is_an_input_or_compared(
    recording: Recording, cases: list[Case], loaded: dict[str, Arrays], backend: str
) -> None:
    assert len(cases) == 28
    for case in cases:
        arrays = loaded[case.id]
        result = replay(recording, case, arrays, AIHWKIT, backend)
        assert result.unsupported is None
        assert not result.failures
        inputs = [name for name in arrays if is_input(case, name)]
        assert sorted(inputs + result.compared) == sorted(arrays)
        assert result.largest < 2 * np.finfo(np.float32).eps


def test_default_choices_deviate_in_percentiles_alone(recording: Recording) -> None:
    (group,) = check_recording(recording, (GROUP,), Choices(), backend="spec")
    assert group.failures
    assert all("current_p" in case and "xmax" in name for case, name, _ in group.failures)


def test_a_change_of_any_recorded_range_is_noticed(
    recording: Recording, cases: list[Case], loaded: dict[str, Arrays]
) -> None:
    for case in cases:
        if sensitive(case):
            continue
        for name in loaded[case.id]:
            if is_input(case, name):
                continue
            arrays = {key: value.copy() for key, value in loaded[case.id].items()}
            arrays[name].flat[-1] += np.float32(0.001)
            result = replay(recording, case, arrays, AIHWKIT, "spec")
            assert set(result.failures) == {name}


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_searched_range_that_loses_more_is_noticed(
    recording: Recording,
    cases: list[Case],
    loaded: dict[str, Arrays],
    monkeypatch: pytest.MonkeyPatch,
    factor: float,
) -> None:
    right = replay_estimators.make_estimator

    def wrong(*args: Any, **given: Any) -> Any:
        estimator = right(*args, **given)
        search = estimator.range
        estimator.range = lambda x: tuple(end * end.dtype.type(factor) for end in search(x))
        return estimator

    monkeypatch.setattr(replay_estimators, "make_estimator", wrong)
    for case in filter(sensitive, cases):
        result = replay(recording, case, loaded[case.id], AIHWKIT, "spec")
        assert result.failures
        assert all("the recorded range has" in text for text in result.failures.values())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"new": 1}, "the case has ['new']"),
        ({"estimator": "median"}, "the case has 'median'"),
        ({"method": "random"}, "the method is 'random'"),
        ({"momentum": 0.5, "estimator": "allminmax", "percentile": 1.0}, "has no parameters"),
    ],
)
def test_what_is_not_understood_is_unsupported(
    recording: Recording, loaded: dict[str, Arrays], change: Any, reason: str
) -> None:
    name = f"{GROUP}/current_pNone_pos0"
    case = next(case for case in recording.cases if case.id == name)
    changed = replace(case, entries={**case.entries, **change})
    result = replay(recording, changed, loaded[name], AIHWKIT, "spec")
    assert result.unsupported is not None
    assert reason in result.unsupported
    assert not result.compared
