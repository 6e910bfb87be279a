"""Recorded observations: written and read without loss, and nothing hostile gets in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from refsim import Choices
from refsim.conformance.adapters import Own, TargetFailure, Unsupported
from refsim.conformance.adapters.capabilities import DEFAULT_FEATURES
from refsim.conformance.adapters.recorded import Recorded
from refsim.conformance.adapters.recordings import read_recording, write_recording
from refsim.conformance.bits import same_bits
from refsim.conformance.cases import write_cases
from refsim.conformance.cases.container import write_tree
from refsim.conformance.cases.generate import generated_cases
from refsim.conformance.kit import Recording, play
from refsim.conformance.kit.judge import judge
from refsim.errors import VectorError
from tests.conformance.adapters.cases import F, case


def own_recording(**options: Any) -> Recording:
    return play(Own(), case(**options))


def same_recordings(a: Recording, b: Recording) -> bool:
    def plain(seen: Any) -> Any:
        parts = vars(seen)
        return {
            name: {k: np.asarray(v, dtype=float) for k, v in part.items()}
            if isinstance(part, dict)
            else part
            for name, part in parts.items()
        }

    return same_bits(list(map(plain, a.observations)), list(map(plain, b.observations)))


def test_nothing_is_lost_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "seen.safetensors"
    first, second = own_recording(), own_recording(rows=0)
    failed = replace(second, failure=TargetFailure("crash", "status 3"))
    write_recording(path, [first, failed])
    again = read_recording(path)
    assert same_recordings(first, again[0])
    assert same_bits(first.case.weight, again[0].case.weight)
    assert again[0].case.config == first.case.config
    assert again[1].failure is not None
    assert (again[1].failure.kind, again[1].failure.text) == ("crash", "status 3")


def test_a_recording_is_a_target_that_does_the_same() -> None:
    recordings = [own_recording(seed=seed) for seed in range(3)]
    target = Recorded(recordings)
    for recording in recordings:
        found = play(target, recording.case)
        assert found.failure is None
        assert same_recordings(recording, found)


def test_recordings_that_begin_alike_are_told_apart() -> None:
    first = case()
    other = replace(first, steps=(first.steps[0], first.steps[3]))
    recordings = [play(Own(), first), play(Own(), other)]
    for recording in recordings:
        assert same_recordings(recording, play(Recorded(recordings), recording.case))


def test_the_reading_by_which_it_is_judged_may_be_another_one() -> None:
    recording = own_recording()
    asked = case()
    asked.config.choices = Choices.aihwkit()
    assert same_recordings(recording, play(Recorded([recording]), asked))


def test_a_case_that_was_not_recorded_is_unsupported() -> None:
    target = Recorded([own_recording()])
    with pytest.raises(Unsupported, match="no such case"):
        play(target, case(seed=1))
    steps = case().steps
    with pytest.raises(Unsupported, match="no such step"):
        play(target, replace(case(), steps=(replace(steps[0], training=False),)))
    with pytest.raises(Unsupported, match="no such backward pass"):
        play(target, replace(case(), steps=(replace(steps[0], dy=2 * np.asarray(steps[0].dy)),)))


def test_a_recorded_failure_is_told() -> None:
    recording = own_recording()
    failed = replace(
        recording,
        observations=recording.observations[:2],
        failure=TargetFailure("crash", "status 3"),
    )
    found = play(Recorded([failed]), recording.case)
    assert len(found.observations) == 2
    assert found.failure is not None
    assert found.failure.text == "status 3"


# ----- plain answers


def answers(recording: Recording, number: int = 0) -> dict[str, Any]:
    """What a program that knows nothing of refsim would write."""
    found: dict[str, Any] = {}
    for k, seen in enumerate(recording.observations):
        found[f"{number}/{k}/output"] = seen.output
        for part in ("gradients", "after"):
            for name, value in (getattr(seen, part) or {}).items():
                if not name.startswith("random"):
                    found[f"{number}/{k}/{part}/{name}"] = value
    return found


def written(folder: Path, given_answers: dict[str, Any]) -> Path:
    write_cases(folder / "cases.safetensors", [case(), case(seed=1)])
    save_file(given_answers, folder / "answers.safetensors")
    return folder


def test_plain_answers_beside_the_cases(tmp_path: Path) -> None:
    recording = play(Own(), case(seed=1))
    [found] = read_recording(written(tmp_path, answers(recording, 1)))
    assert same_bits(found.case.weight, case(seed=1).weight)
    for a, b in zip(found.observations, recording.observations, strict=True):
        assert same_bits(a.output, b.output)
        assert same_bits(a.gradients, b.gradients)
        assert a.before == a.stages == {}
        assert a.passed.keys() <= {"input_range_update_idx"}


def test_what_the_passes_change_must_be_shown(tmp_path: Path) -> None:
    from_data = case()
    from_data.config.pre_post.input_range.init_from_data = 2
    recording = play(Own(), from_data)
    write_cases(tmp_path / "cases.safetensors", [from_data])
    save_file(answers(recording), tmp_path / "answers.safetensors")
    with pytest.raises(VectorError, match="has no 0/0/passed/input_range, though the passes"):
        read_recording(tmp_path)
    shown = {
        f"0/{k}/passed/input_range": seen.passed["input_range"]
        for k, seen in enumerate(recording.observations)
    }
    save_file(answers(recording) | shown, tmp_path / "answers.safetensors")
    assert len(read_recording(tmp_path)) == 1


@pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
@pytest.mark.parametrize("seed", range(3))
def test_plain_answers_of_a_right_tile_are_right(tmp_path: Path, seed: int) -> None:
    allowed = DEFAULT_FEATURES | {"quantised_tile", "quantised_periphery", "output_quantiser"}
    recordings = [play(Own(), asked) for asked in generated_cases(seed, 6, allowed)]
    write_cases(tmp_path / "cases.safetensors", [each.case for each in recordings])
    found: dict[str, Any] = {}
    for number, recording in enumerate(recordings):
        found |= answers(recording, number)
        for k, seen in enumerate(recording.observations):
            names = [n for n in seen.passed if n == "input_range" or "quantizer" in n]
            found |= {f"{number}/{k}/passed/{name}": seen.passed[name] for name in names}
    save_file(found, tmp_path / "answers.safetensors")
    for recording in read_recording(tmp_path):
        assert judge(recording).findings == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"0/0/output": None}, "has no 0/0/output"),
        ({"0/1/after/weight": None}, "has no 0/1/after/weight, though the step updates"),
        (
            {"0/0/output": np.zeros((3, 4), F)},
            r"output has the shape \(3, 4\), allowed is \(4, 3\)",
        ),
        ({"0/0/gradients/weight": np.zeros(3, F)}, r"weight has the shape \(3,\)"),
        ({"7/0/output": np.zeros(1, F)}, "answers '7/0/output', which was not asked"),
        ({"0/9/output": np.zeros(1, F)}, "answers '0/9/output', which was not asked"),
        ({"zero/0/output": np.zeros(1, F)}, "has the name 'zero/0/output', allowed are"),
        ({"0/0/outputs": np.zeros(1, F)}, "has the name '0/0/outputs', allowed are"),
        ({"0/0/gradients": np.zeros(1, F)}, "has the name '0/0/gradients', allowed are"),
    ],
)
def test_answers_that_do_not_fit_are_refused(
    tmp_path: Path, change: dict[str, Any], text: str
) -> None:
    given_answers = answers(own_recording()) | change
    folder = written(tmp_path, {k: v for k, v in given_answers.items() if v is not None})
    with pytest.raises(VectorError, match=text):
        read_recording(folder)


def test_an_empty_file_of_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VectorError, match="holds no answers"):
        read_recording(written(tmp_path, {}))


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(VectorError, match="there is no such file"):
        read_recording(tmp_path)
    with pytest.raises(VectorError, match="there is no such file"):
        read_recording(tmp_path / "seen.safetensors")


# ----- damage


@given(st.binary(max_size=200), st.integers(0, 5000))
def test_damage_is_a_vector_error(damage: bytes, start: int) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder, "seen.safetensors")
        write_recording(path, [RECORDED])
        data = path.read_bytes()
        changed = data[:start] + damage + data[start + len(damage) :]
        path.write_bytes(changed)
        if changed != data:
            with pytest.raises(VectorError):
                read_recording(path)


RECORDED = own_recording(rows=1, out=1, into=1)


@given(st.binary(max_size=300))
def test_garbage_for_answers_is_a_vector_error(data: bytes) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        written(Path(folder), answers(RECORDED))
        Path(folder, "answers.safetensors").write_bytes(data)
        with pytest.raises(VectorError):
            read_recording(folder)


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ({"recordings": 3}, "no list of recordings"),
        ({"recordings": [{}]}, "no table of case and observations"),
        ({"recordings": [{"case": {}, "observations": []}]}, "the case has no config"),
    ],
)
def test_a_tree_of_a_wrong_form_is_refused(tmp_path: Path, tree: Any, text: str) -> None:
    path = tmp_path / "seen.safetensors"
    write_tree(path, "recordings", tree)
    with pytest.raises(VectorError, match=text):
        read_recording(path)


def test_a_file_says_which_version_wrote_it(tmp_path: Path) -> None:
    import refsim

    path = tmp_path / "seen.safetensors"
    write_recording(path, [own_recording()])
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]["refsim"])
    assert (header["schema"], header["version"]) == (1, refsim.__version__)
    assert len(header["sha256"]) == 64
    assert load_file(path)
