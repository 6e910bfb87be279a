"""The check of golden vectors: refsim answers again, and every bit is compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from refsim.conformance.check import GroupResult
from refsim.conformance.comparison import CaseResult
from refsim.errors import InputError, VectorError

from .answers import answers, differences, named
from .folder import Folder
from .vector import Vector

__all__ = ["check_folder"]


def check_folder(
    folder: Folder,
    groups: Sequence[str] = (),
    backend: str = "cpu",
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[GroupResult]:
    """Replay golden vectors.

    Parameters
    ----------
    folder
        From :func:`~refsim.conformance.golden.read_folder`.
    groups
        Which clause families (``"IR"``); all by default.
    backend
        What computes.
    progress
        Called with what is being done, how much of it is done, and how much there is.

    Returns
    -------
    list of GroupResult
        One for each family.

    Raises
    ------
    InputError
        If a family is not there.
    VectorError
        If a file cannot be read.
    """
    names = {Path(name).stem: name for name in folder.files}
    for group in groups:
        if group not in names:
            raise InputError(f"group is {group!r}, allowed are {', '.join(names)}.")
    reports = []
    for group in dict.fromkeys(groups or names):
        vectors, report = folder.load(names[group]), GroupResult(group)
        for done, vector in enumerate(vectors):
            progress(group, done, len(vectors))
            report.results.append(_checked(vector, backend))
        reports.append(report)
    return reports


def _checked(vector: Vector, backend: str) -> CaseResult:
    result = CaseResult(vector.id)
    for step, answer in enumerate(vector.answers):
        result.compared += [name for _, name, _ in named(step, answer)]
    try:
        result.failures = differences(answers(vector.case, backend), vector.answers)
    except VectorError as error:
        result.failures["case"] = str(error)
    return result
