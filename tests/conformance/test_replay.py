"""The recorded vectors are reproduced, deviate where a choice says so, and any change to them is noticed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from refsim import Choices, backends
from refsim.conformance import check, comparison, replay_tile
from refsim.conformance.check import SUPPORTED_GROUPS, GroupResult, check_recording
from refsim.conformance.replay import is_input
from refsim.conformance.vectors import Arrays, Case, Recording, read_recording
from tests.conformance.folder import Write

STRIDE = {"dev": 97, "ci": 29, "deep": 1}[os.environ.get("HYPOTHESIS_PROFILE", "dev")]
"""Which share of the arrays is damaged, one at a time."""


@dataclass(frozen=True)
class InMemory(Recording):
    """A recording with some arrays replaced."""

    arrays: dict[str, Arrays] = field(default_factory=dict)

    def load(self, group: str) -> dict[str, Arrays]:
        return self.arrays


TILES = tuple(group for group in SUPPORTED_GROUPS if group < "g06" or group > "g11_z")
PLAIN_TILES = tuple(group for group in SUPPORTED_GROUPS if group < "g06")
"""The groups with the tightest bounds; the others have tests of their own."""


@pytest.fixture(scope="module")
def loaded(recording: Recording) -> dict[str, Arrays]:
    return {case: arrays for group in PLAIN_TILES for case, arrays in recording.load(group).items()}


@pytest.fixture(scope="module")
def on_spec(recording: Recording) -> list[GroupResult]:
    return check_recording(recording, PLAIN_TILES, backend="spec")


def twins(recording: Recording, case: str) -> tuple[Case, ...]:
    stem = case.rpartition("/")[0]
    return tuple(c for c in recording.cases if c.id.rpartition("/")[0] == stem)


def in_memory(recording: Recording, arrays: dict[str, Arrays], cases: tuple[Case, ...]) -> InMemory:
    chosen = {case.id: dict(arrays[case.id]) for case in cases}
    return InMemory(**{**vars(recording), "cases": cases}, arrays=chosen)


@pytest.mark.parametrize("backend", ["spec", "cpu"])
def test_every_case_of_the_supported_groups_is_reproduced(
    recording: Recording, backend: str
) -> None:
    for group in check_recording(recording, SUPPORTED_GROUPS, backend=backend):
        listed = [case.id for case in recording.cases if case.group == group.group]
        assert [result.case for result in group.results] == listed
        assert not group.failures
        assert not group.unsupported
        assert group.passed


def test_every_recorded_array_is_an_input_or_compared(
    recording: Recording, on_spec: list[GroupResult], loaded: dict[str, Arrays]
) -> None:
    cases = {case.id: case for case in recording.cases}
    for group in on_spec:
        for result in group.results:
            inputs = [name for name in loaded[result.case] if is_input(cases[result.case], name)]
            assert sorted(inputs + result.compared) == sorted(loaded[result.case])


def test_float64_agrees_to_a_few_units_and_float32_to_a_few_of_its_own(
    on_spec: list[GroupResult],
) -> None:
    for group in on_spec:
        wide = [result.largest for result in group.results if result.case.endswith("float64")]
        narrow = [result.largest for result in group.results if result.case.endswith("float32")]
        assert max(wide, default=0) < 64 * np.finfo(np.float64).eps
        assert max(narrow) < 64 * np.finfo(np.float32).eps


def test_no_exception_is_listed() -> None:
    assert not comparison.EXCEPTIONS


# ----- the documented deviations

GRADIENT_SCALE = {
    "g01_input_range/learn1_rel0_gs0.3_dec0_iv0.7": "s0_dr s0_after_r s2_dr s2_after_r",
    "g01_input_range/learn1_rel0_gs0.3_dec0_iv3": "s0_dr s0_after_r s3_dr",
    "g01_input_range/learn1_rel0_gs0.3_dec0.05_iv0.7": "s0_dr s0_after_r s1_dr s1_after_r s2_dr s2_after_r s3_dr",
}
"""Choice gradient_scale_applies: a scale of 0.3 without the relative factor, in each step where the rule is not 0."""
MANUAL_SCALE = {
    "g12_manual_custom/rel0_gs0.3_dec0_om0.8_learn1",
    "g12_manual_custom/rel0_gs0.3_dec0.05_om0_learn1",
    "g12_manual_custom/rel0_gs0.3_dec0.05_om0.8_learn1",
}
"""The same on the manual path, where the weight is updated with the updated range; the last step has no update."""
SHARE_OF_INPUTS = {
    "g13_rpucuda/clip_b0.3_moc1_omp0.5_osc1": "s0_dr s0_after_r",
    "g13_rpucuda/clip_b0.3_moc1_omp0.5_osc2": "s0_dr s0_after_r s1_dr s1_after_r",
}
"""Choice output_percentage_of: fewer outputs than inputs, so their share is larger and the growth, too."""
CLIP_MASK = (
    *("nmNone_bmIterative_i-1_o0.00394", "nmNone_bmIterative_i0.00794_o-1"),
    *("nmNone_bmIterativeWorstCase_i-1_o-1", "nmAbsMax_bmNone_i-1_o0.00394"),
    *("nmAbsMax_bmIterative_i-1_o-1", "nmAbsMax_bmIterative_i-1_o0.00394"),
    *("nmAbsMax_bmIterative_i0.00794_o0.00394", "nmAbsMax_bmIterativeWorstCase_i0.00794_o0.00394"),
    *("nmMax_bmNone_i0.00794_o-1", "nmMax_bmNone_i0.00794_o0.00394"),
    *("nmMax_bmIterative_i-1_o0.00394", "nmMax_bmIterative_i0.00794_o-1"),
    *("nmMax_bmIterative_i0.00794_o0.00394", "nmMax_bmIterativeWorstCase_i-1_o-1"),
    *("nmMax_bmIterativeWorstCase_i0.00794_o-1", "nmConstant_bmIterative_i-1_o-1"),
    *("nmConstant_bmIterative_i0.00794_o-1", "nmConstant_bmIterative_i0.00794_o0.00394"),
    *("nmConstant_bmIterativeWorstCase_i0.00794_o0.00394", "perfect_masked"),
)
"""Choice output_clip_mask: under management, or with a perfect product, rescaled outputs reach the bound that the
rounded ones do not pass, so that aihwkit leaves out gradients."""
NONPOSITIVE_CLIP = "g05_post_update/default_fixed_value"
"""Choice fixed_clip_nonpositive: the clip at the default value -1 is refused."""
DTYPES = ("float32", "float64")
Deviating = set[tuple[str, str]]


def deviating(
    recording: Recording, which: tuple[str, ...] = TILES, **defaults: bool
) -> tuple[Deviating, set[str]]:
    """Deviations with aihwkit's choices but for some, which have their default."""
    given = {name: getattr(Choices(), name) for name in defaults}
    groups = check_recording(recording, which, replace(Choices.aihwkit(), **given), backend="spec")
    failures = {(case, array) for group in groups for case, array, _ in group.failures}
    return failures, {case for group in groups for case, _ in group.unsupported}


def listed(table: dict[str, str], dtypes: tuple[str, ...]) -> Deviating:
    """Case and array of each deviation in a table."""
    return {
        (f"{case}/{dtype}", array)
        for case, arrays in table.items()
        for array in arrays.split()
        for dtype in dtypes
    }


def of_the_scale() -> Deviating:
    results = [f"s{k}_{name}" for k in range(3) for name in ("dr", "after_r", "after_W_analog")]
    manual = dict.fromkeys(MANUAL_SCALE, " ".join([*results, "s3_dr"]))
    return listed(GRADIENT_SCALE, DTYPES) | listed(manual, ("float32",))


def of_the_mask() -> Deviating:
    return {(f"g13_rpucuda/{case}/float32", "s0_dx") for case in CLIP_MASK}


def test_the_default_choices_deviate_exactly_where_documented(recording: Recording) -> None:
    failures, refused = deviating(recording, **vars(Choices()))
    shares = listed(SHARE_OF_INPUTS, ("float32",))
    assert failures == of_the_scale() | shares | of_the_mask()
    assert refused == {f"{NONPOSITIVE_CLIP}/{dtype}" for dtype in DTYPES}


def test_the_gradient_scale_deviates_exactly_where_documented(recording: Recording) -> None:
    assert deviating(recording, gradient_scale_applies=True) == (of_the_scale(), set())


def test_the_share_of_outputs_deviates_exactly_where_documented(recording: Recording) -> None:
    shares = listed(SHARE_OF_INPUTS, ("float32",))
    assert deviating(recording, output_percentage_of=True) == (shares, set())


def test_the_clip_mask_deviates_exactly_where_documented(recording: Recording) -> None:
    assert deviating(recording, output_clip_mask=True) == (of_the_mask(), set())


def test_the_nonpositive_clip_is_refused_exactly_where_documented(recording: Recording) -> None:
    refused = {f"{NONPOSITIVE_CLIP}/{dtype}" for dtype in DTYPES}
    assert deviating(recording, fixed_clip_nonpositive=True) == (set(), refused)


@pytest.mark.parametrize(
    "name", ["output_clipping_on_autograd_path", "out_noise_std", "perfect_out_scale"]
)
def test_no_recorded_case_depends_on_the_other_choices(recording: Recording, name: str) -> None:
    assert deviating(recording, **{name: True}) == (set(), set())


def cases_that_deviate(recording: Recording, group: str, **defaults: bool) -> set[str]:
    """Cases without their data type; none is refused."""
    failures, refused = deviating(recording, (group,), **defaults)
    assert not refused
    return {case.removesuffix("/float32").removesuffix("/float64") for case, _ in failures}


@pytest.mark.parametrize("group", ["g07_act_quant", "g09_estimator"])
def test_the_percentile_deviates_exactly_where_one_cuts(recording: Recording, group: str) -> None:
    """Where a percentile of a whole tensor is neither 0, for none, nor left to the default."""
    cut = {
        case.id.rpartition("/float")[0] or case.id
        for case in recording.cases
        if case.group == group and percentile_of(case)
    }
    assert cut
    assert cases_that_deviate(recording, group, percentile=True) == cut


def percentile_of(case: Case) -> object:
    """The percentile of a recipe, whatever estimator it is for."""
    quantiser = (case.entries.get("spec") or {}).get("act_quant") or {}
    return case.entries.get("percentile") or (quantiser.get("params") or {}).get("percentile")


def test_quantiles_of_signed_inputs_deviate_in_a_calibration(recording: Recording) -> None:
    quantiles = {
        case.id
        for case in recording.cases
        if case.entries.get("calibration") in ("CacheQuantile", "MovingQuantile")
    }
    found = cases_that_deviate(recording, "g11_calibration", calibration_quantile_of=True)
    assert found
    assert found < quantiles  # with enough inputs of both signs the two quantiles may be one


def test_a_counter_that_goes_on_deviates_in_a_calibration(recording: Recording) -> None:
    started = {
        case.id
        for case in recording.cases
        if case.group == "g11_calibration" and case.entries["counter_start"]
    }
    found = cases_that_deviate(recording, "g11_calibration", calibration_counter=True)
    assert found == {case for case in started if "Moving" in case}


# ----- damage


def sample(loaded: dict[str, Arrays]) -> list[tuple[str, str]]:
    """Every so-manieth array, and one of each kind in each group and data type."""
    everything = [(case, name) for case, arrays in loaded.items() for name in arrays]
    kinds: dict[tuple[str, str, str], tuple[str, str]] = {}
    for case, name in everything:
        kind = re.sub(r"^s\d+_", "", name)
        kinds.setdefault((case.partition("/")[0], case.rpartition("/")[2], kind), (case, name))
    return sorted({*everything[::STRIDE], *kinds.values()})


def test_a_change_of_one_element_of_any_array_is_noticed(
    recording: Recording, loaded: dict[str, Arrays]
) -> None:
    """By its name; an input without a twin in float64, then changed as a whole, by what follows from it."""
    unnoticed, cases = [], {case.id: case for case in recording.cases}
    for case, name in sample(loaded):
        damaged = in_memory(recording, loaded, twins(recording, case))
        given_alone = is_input(cases[case], name) and len(twins(recording, case)) == 1
        array = damaged.arrays[case][name].copy()
        if given_alone:
            array *= -0.5
        else:
            array.flat[array.size // 2] += array.dtype.type(1e-3)
        damaged.arrays[case][name] = array
        (group,) = check_recording(damaged, [case.partition("/")[0]], backend="spec")
        named = name in {failed for _, failed, _ in group.failures} or given_alone
        if not named or group.passed:
            unnoticed.append((case, name))
    assert not unnoticed


def test_a_changed_counter_is_noticed(recording: Recording, loaded: dict[str, Arrays]) -> None:
    (case,) = (
        c for c in recording.cases if c.id == "g01_input_range/data2_alpha3_iv0.5_learn1/float64"
    )
    for k, state in enumerate(case.entries["states"]):
        states = [dict(entry) for entry in case.entries["states"]]
        states[k]["range_counter"] = state["range_counter"] + 1
        changed = replace(case, entries={**case.entries, "states": states})
        (group,) = check_recording(
            in_memory(recording, loaded, (changed,)), [case.group], backend="spec"
        )
        assert f"states[{k}].range_counter" in {name for _, name, _ in group.failures}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_noticed(
    recording: Recording, loaded: dict[str, Arrays], value: float
) -> None:
    case = "g03_range_mvm/nmNone_bmNone_i-1_o-1_b-1_learn1_dec0/float64"
    for name in loaded[case]:
        damaged = in_memory(recording, loaded, twins(recording, case))
        array = damaged.arrays[case][name].copy()
        array.flat[0] = value
        damaged.arrays[case][name] = array
        (group,) = check_recording(damaged, ["g03_range_mvm"], backend="spec")
        assert not group.passed


def test_a_missing_or_an_additional_array_is_noticed(
    recording: Recording, loaded: dict[str, Arrays]
) -> None:
    case = "g04_mapping/om0.6_col1_los1_loc0_ir1/float32"
    for name in loaded[case]:
        damaged = in_memory(recording, loaded, twins(recording, case))
        del damaged.arrays[case][name]
        (group,) = check_recording(damaged, ["g04_mapping"], backend="spec")
        assert group.failures
    for name in ("s0_dq", "s9_y", "s0_after_q", "Wq"):
        damaged = in_memory(recording, loaded, twins(recording, case))
        damaged.arrays[case][name] = np.zeros(1, np.float32)
        (group,) = check_recording(damaged, ["g04_mapping"], backend="spec")
        assert [failed for _, failed, _ in group.failures] == [name]


@pytest.mark.parametrize("change", ["shape", "dtype"])
def test_another_shape_or_data_type_is_noticed(
    recording: Recording, loaded: dict[str, Arrays], change: str
) -> None:
    case = "g05_post_update/clip_remapLayerwiseSymmetric_los0/float64"
    for name in loaded[case]:
        damaged = in_memory(recording, loaded, twins(recording, case))
        array = damaged.arrays[case][name]
        damaged.arrays[case][name] = array[None] if change == "shape" else array.astype(np.float32)
        (group,) = check_recording(damaged, ["g05_post_update"], backend="spec")
        assert group.failures


def test_a_listed_exception_may_deviate(
    recording: Recording, loaded: dict[str, Arrays], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = "g02_mvm/perfect/float64"
    damaged = in_memory(recording, loaded, twins(recording, case))
    damaged.arrays[case]["s0_y"] = np.full_like(damaged.arrays[case]["s0_y"], np.nan)
    (group,) = check_recording(damaged, ["g02_mvm"], backend="spec")
    assert [(failed, name) for failed, name, _ in group.failures] == [(case, "s0_y")]
    monkeypatch.setattr(comparison, "EXCEPTIONS", {(case, "s0_y"): "a test"})
    (group,) = check_recording(damaged, ["g02_mvm"], backend="spec")
    assert group.passed


def test_a_wrong_backend_fails_the_vectors(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = backends.load("spec")
    monkeypatch.setattr(spec, "range_decay", lambda gradient, *_: gradient)
    (group,) = check_recording(recording, ["g01_input_range"], backend="spec")
    assert {name.partition("_")[2] for _, name, _ in group.failures} == {"dr", "after_r"}


def test_an_error_in_the_middle_of_a_case_is_a_failure(write: Write) -> None:
    recording = read_recording(
        write(index={"tiny/float32": {"W": ["f4", 0, [1, 2]], "s0_x": ["f4", 2, [2, 1]]}})
    )
    (group,) = check_recording(recording, backend="spec")
    reasons = {name: text for _, name, text in group.failures}
    assert (
        reasons["replay"]
        == "the replay stopped with ShapeError: x has shape (2, 1), allowed is (..., 2)."
    )


def test_every_so_manieth_case_is_a_sample(recording: Recording) -> None:
    (group,) = check.check_recording(recording, ["g02_mvm"], backend="spec", every=50)
    assert len(group.results) == 3


@pytest.mark.parametrize(
    ("array", "absent"),
    [
        ("s0_dx", np.zeros((2, 3))),
        ("init_mapping_scales", np.ones(3)),
        ("s1_after_mapping_scales", np.ones(1)),
    ],
)
def test_what_aihwkit_does_not_have_need_not_be_recorded(
    array: str, absent: NDArray[np.float64]
) -> None:
    """Zeros where aihwkit has no gradient, ones where it has no scales yet; nothing else may be missing."""
    assert replay_tile._need_not_be_recorded(array, absent)
    assert not replay_tile._need_not_be_recorded(
        array, absent + 1e-300 if not absent.any() else 2 * absent
    )
    assert not replay_tile._need_not_be_recorded("s0_y", absent)
