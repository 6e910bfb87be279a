"""Recorded observations in files, written here, or by a program that reads the cases and knows nothing of refsim.

*Recordings* are one safetensors file with everything: :func:`write_recording`. A *folder* holds ``cases.safetensors``,
as ``refsim vectors generate`` writes it, and ``answers.safetensors``, plain tensors with these names, where ``K`` is
the number of the case in the file and ``S`` that of the step, both from 0:

``K/S/output``
    The output.
``K/S/gradients/NAME``
    Each gradient of a step with ``dy``: ``input``, ``weight``, ``bias``, ``input_range``, ...
``K/S/after/NAME``
    The state after a step with an update; at least ``weight``.
``K/S/passed/NAME``
    The state after both passes and before the update, where they change it: the range that is initialised from data,
    and quantisers that are estimated.
``K/S/stages/NAME``, ``K/S/before/NAME``
    Intermediates, and the state before the step, as far as they are to be judged.

Cases without an output are left out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from refsim.conformance.cases import Case, Step, features, read_cases
from refsim.conformance.cases.arrays import DTYPES, MOST_AXES, given_array
from refsim.conformance.cases.container import SIZE_LIMIT, read_tree, write_tree
from refsim.conformance.cases.files import case_tree, tree_case
from refsim.conformance.kit.play import Observation, Recording
from refsim.errors import TargetFailure, VectorError

from .answers import MOST_NAMES

__all__ = ["ANSWERS", "CASES", "read_answers", "read_recording", "write_recording"]

KIND: Final = "recordings"
CASES: Final = "cases.safetensors"
ANSWERS: Final = "answers.safetensors"
PARTS: Final = ("before", "stages", "gradients", "passed", "after")
_KINDS: Final = ("error", "crash", "timeout", "memory", "malformed")
Arrays = dict[str, NDArray[Any]]


def write_recording(path: str | os.PathLike[str], recordings: Sequence[Recording]) -> None:
    """Write recordings to one file, atomically.

    Parameters
    ----------
    path
        The file.
    recordings
        Cases and what was done in them.

    Raises
    ------
    VectorError
        If a case or an array cannot be written.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import refsim as rs
    >>> from tempfile import TemporaryDirectory
    >>> from refsim.conformance.adapters import Own
    >>> from refsim.conformance.cases import Step
    >>> from refsim.conformance.kit import play
    >>> config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    >>> one = np.ones((1, 1), np.float32)
    >>> seen = play(Own(), Case(config, 2 * one, None, (Step(x=one),)))
    >>> with TemporaryDirectory() as folder:
    ...     write_recording(f"{folder}/seen.safetensors", [seen])
    ...     [again] = read_recording(f"{folder}/seen.safetensors")
    >>> again.observations[0].output
    array([[2.]], dtype=float32)
    """
    write_tree(path, KIND, {"recordings": [_tree(each) for each in recordings]})


def read_recording(path: str | os.PathLike[str]) -> list[Recording]:
    """Read recordings from a file or a folder; nothing in it is trusted.

    Parameters
    ----------
    path
        A file of :func:`write_recording`, or a folder as above.

    Raises
    ------
    VectorError
        If something is missing, damaged, too large, or does not fit its case.
    """
    place = Path(path)
    if place.is_dir():
        return read_answers(place / ANSWERS, read_cases(place / CASES))
    listed = read_tree(place, KIND).get("recordings")
    if not isinstance(listed, list):
        raise VectorError(f"{place} holds no list of recordings.")
    return [_recording(tree, f"{place}: recordings[{k}]") for k, tree in enumerate(listed)]


def read_answers(path: str | os.PathLike[str], cases: Sequence[Case]) -> list[Recording]:
    """Recordings from the answers of a program to cases.

    Parameters
    ----------
    path
        A safetensors file with the names above.
    cases
        The cases that were asked.

    Raises
    ------
    VectorError
        If the file is missing or damaged, a name is not understood, or something is missing.
    """
    place = Path(path)
    answered: dict[int, dict[int, dict[str, Any]]] = {}
    for name, array in _tensors(place).items():
        number, step, part, entry = _place(place, name, cases)
        seen = answered.setdefault(number, {}).setdefault(step, {part: {} for part in PARTS})
        if part == "output":
            seen[part] = array
        else:
            seen[part][entry] = array
    if not answered:
        raise VectorError(f"{place} holds no answers.")
    return [_answered(place, k, cases[k], answered[k]) for k in sorted(answered)]


def _place(path: Path, name: str, cases: Sequence[Case]) -> tuple[int, int, str, str]:
    """Case, step, part and entry that a name stands for."""
    match name.split("/"):
        case [case, step, part, *rest] if case.isdecimal() and step.isdecimal():
            whole = part == "output" and not rest
            numbers = int(case[:9]), int(step[:9])
            if whole or (part in PARTS and len(rest) == 1 and rest[0]):
                if numbers[0] < len(cases) and numbers[1] < len(cases[numbers[0]].steps):
                    return *numbers, part, "".join(rest)
                raise VectorError(f"{path} answers {name[:80]!r}, which was not asked.")
    raise VectorError(
        f"{path} has the name {name[:80]!r}, allowed are K/S/output and K/S/PART/NAME with PART one of "
        f"{', '.join(PARTS)}."
    )


def _answered(path: Path, number: int, case: Case, given: Mapping[int, Any]) -> Recording:
    seen = []
    for k, step in enumerate(case.steps):
        found = given.get(k, {})
        if "output" not in found:
            raise VectorError(f"{path} has no {number}/{k}/output.")
        if step.update and "weight" not in found["after"]:
            raise VectorError(f"{path} has no {number}/{k}/after/weight, though the step updates.")
        counters = {n: v for n, v in found["after"].items() if n.endswith("_idx")}
        found["passed"] = counters | found["passed"]  # an update counts nothing
        for name in _changed(case, step):
            if name not in found["passed"]:
                raise VectorError(
                    f"{path} has no {number}/{k}/passed/{name}, though the passes change it."
                )
        found["gradients"] = found["gradients"] if step.dy is not None else None
        found["after"] = found["after"] if step.update else None
        seen.append(_fitting(Observation(**found), case, k, f"{path}: {number}/{k}"))
    return Recording(case, tuple(seen))


def _changed(case: Case, step: Step) -> list[str]:
    """What the passes of a step may change, so that it must be shown."""
    p = case.config.pre_post.input_range
    if not step.training or step.x.size == 0:
        return []
    names = ["input_range"] if p.enable and p.init_from_data > 0 else []
    tile = case.tile() if "quantised_tile" in features(case) else None
    return names + [name for name in (tile.buffers if tile else {}) if "quantizer" in name]


def _tensors(path: Path) -> Arrays:
    from safetensors import SafetensorError, safe_open

    try:
        if not path.is_file():
            raise ValueError("there is no such file")
        if path.stat().st_size > SIZE_LIMIT:
            raise ValueError(f"it is larger than {SIZE_LIMIT} bytes")
        with safe_open(path, framework="np") as file:
            names = file.keys()
            if any(len(file.get_slice(name).get_shape()) > MOST_AXES for name in names):
                raise ValueError(f"an array has more than {MOST_AXES} axes")
            return {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        text = " ".join(str(error).split())[:200].rstrip(".")
        raise VectorError(f"{path} is not a readable file of answers: {text}.") from None


# ----- trees


def _tree(recording: Recording) -> dict[str, Any]:
    tree: dict[str, Any] = {"case": case_tree(recording.case)}
    tree["observations"] = [_seen_tree(seen) for seen in recording.observations]
    if recording.failure is not None:
        tree["failure"] = {"kind": recording.failure.kind, "text": recording.failure.text}
    return tree


def _seen_tree(seen: Observation) -> dict[str, Any]:
    tree: dict[str, Any] = {"output": _storable(seen.output)}
    for part in PARTS:
        arrays = getattr(seen, part)
        if arrays is not None:
            tree[part] = {name: _storable(value) for name, value in arrays.items()}
    return tree


def _storable(value: Any) -> NDArray[Any]:
    """The array in a data type that files hold; no value changes."""
    array = np.asarray(value)
    if array.dtype.name in DTYPES:
        return array
    if array.dtype.kind not in "fiub":
        raise VectorError(f"an array has the type {array.dtype}, allowed are real numbers.")
    kinds = {"b": np.uint8, "i": np.int64, "u": np.uint64}
    wide = kinds.get(array.dtype.kind, np.float32 if array.dtype.itemsize < 4 else np.float64)
    return array.astype(wide)


def _recording(tree: object, where: str) -> Recording:
    if not isinstance(tree, dict) or not {"case", "observations"} <= tree.keys():
        raise VectorError(f"{where} is no table of case and observations.")
    case, listed = tree_case(tree["case"], given_array), tree["observations"]
    if not isinstance(listed, list) or len(listed) > len(case.steps):
        raise VectorError(f"{where}.observations is no list of at most one for each step.")
    seen = tuple(
        _seen(each, case, k, f"{where}.observations[{k}]") for k, each in enumerate(listed)
    )
    return Recording(case, seen, _failure(tree.get("failure"), where))


def _failure(tree: object, where: str) -> TargetFailure | None:
    match tree:
        case None:
            return None
        case {"kind": str(kind), "text": str(text)} if kind in _KINDS:
            return TargetFailure(kind, text[:1000])
    raise VectorError(f"{where}.failure is no kind with a text.")


def _seen(tree: object, case: Case, k: int, where: str) -> Observation:
    if not isinstance(tree, dict) or "output" not in tree or not tree.keys() <= {"output", *PARTS}:
        raise VectorError(f"{where} is no table of output, {', '.join(PARTS)}.")
    parts = {part: _part(tree.get(part), f"{where}.{part}") for part in PARTS}
    empty: Arrays = {}
    found = Observation(
        before=parts["before"] or empty,
        output=given_array(tree["output"], f"{where}.output"),
        stages=parts["stages"] or empty,
        gradients=parts["gradients"],
        passed=parts["passed"] or empty,
        after=parts["after"],
    )
    return _fitting(found, case, k, where)


def _part(tree: object, where: str) -> Arrays | None:
    if tree is None:
        return None
    if not isinstance(tree, dict) or len(tree) > MOST_NAMES:
        raise VectorError(f"{where} is no table of at most {MOST_NAMES} arrays.")
    return {str(name): given_array(value, f"{where}.{name}") for name, value in tree.items()}


def _fitting(seen: Observation, case: Case, k: int, where: str) -> Observation:
    """The observation, whose main arrays have the shapes of the case."""
    lead, (out, into) = case.steps[k].x.shape[:-1], case.weight.shape
    shapes = {"output": (*lead, out), "input": (*lead, into), "weight": (out, into), "bias": (out,)}
    found: list[tuple[str, Any]] = [("output", seen.output)]
    for part in ("before", "gradients", "passed", "after"):
        found += [(f"{part}.{name}", value) for name, value in (getattr(seen, part) or {}).items()]
    for name, value in found:
        wanted = shapes.get(name.rpartition(".")[2])
        if value.dtype.kind not in "fiub":
            raise VectorError(f"{where}.{name} has the type {value.dtype}, allowed are numbers.")
        if wanted is not None and value.shape != wanted:
            raise VectorError(f"{where}.{name} has the shape {value.shape}, allowed is {wanted}.")
    return seen
