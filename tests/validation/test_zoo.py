"""The zoo: wrong tiles are wrong where they say so, the kit finds a sample of them, and leaves the right ones alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refsim.config import Choices
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.cases import Case, features
from refsim.conformance.cases.examples import examples
from refsim.conformance.cases.generate import generated_cases
from refsim.conformance.kit import Recording, judge, play
from refsim.errors import Unsupported
from validation.zoo import RIGHT, WRONG, Wrong, plain
from validation.zoo.adapter import ZooAdapter
from validation.zoo.page import page, same
from validation.zoo.run import Result, examined
from validation.zoo.sources import ENGINEER

ROOT = Path(__file__).resolve().parents[2]
CLAUSES = set(re.findall(r"^#+ ([A-Z]{2}-\d+)", "\n".join(
    path.read_text("utf-8") for path in (ROOT / "docs" / "clauses").glob("*.md")), re.MULTILINE))  # fmt: skip
SAMPLE = [
    ("ThresholdStrict", "IR-4"), ("ClipBeforeRound", "DC-3"), ("SignedPeak", "NM-1"), ("BoundTestAfterClip", "BM-2"),
    ("BiasGradientIsMean", "SU-3"), ("DividedOnce", "MS-3"), ("DampenedFirstStep", "OP-1"),
    ("WeightStepOneSided", "WM-4"), ("ClipBeforeZeroPoint", "QU-8"), ("ManualPathBlocks", "MV-3"),
]  # fmt: skip
"""A wrong tile of each family, with the clause of its examples."""


def test_there_are_enough_inhabitants() -> None:
    assert len(WRONG) >= 45
    assert sum(wrong.source != ENGINEER for wrong in WRONG.values()) >= 15
    assert len(RIGHT) >= 12


@pytest.mark.parametrize("name", WRONG)
def test_an_entry_names_clauses_that_exist_and_a_source(name: str) -> None:
    wrong = WRONG[name]
    assert wrong.clauses
    assert set(wrong.clauses) <= CLAUSES | {"state"}
    assert wrong.sentence.endswith(".")
    assert wrong.source == ENGINEER or wrong.source.startswith("aihwkit")
    assert re.fullmatch(r"([A-Z][a-z]+)+", name)


def test_all_families_of_clauses_are_broken() -> None:
    families = {clause[:2] for wrong in WRONG.values() for clause in wrong.clauses}
    assert families >= {
        "IR",
        "DC",
        "NM",
        "BM",
        "MV",
        "BP",
        "PP",
        "MS",
        "SU",
        "QU",
        "RE",
        "WM",
        "WP",
        "OP",
        "CA",
        "st",
    }


def test_the_plain_tile_uses_nothing_of_refsim_but_configurations_and_errors() -> None:
    for path in Path(plain.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            used = {name for name in names if name.startswith("refsim")}
            assert used <= {"refsim.config", "refsim.errors"}, path.name


# ----- every mistake is one


RIGHT_TILE = type("Nothing", (), {})
"""No change at all."""


@cache
def every_example() -> list[Case]:
    return list(examples())


@cache
def references(own: frozenset[str], configs: tuple[str, ...]) -> list[tuple[Case, Recording]]:
    """Cases within some features, and what the right tile does in them."""
    taken = [case for case in every_example() if features(case) <= own]
    taken += generated_cases(1, 250, own, Choices(), (1, 6))
    done = [(case, played(ZooAdapter(RIGHT_TILE, configs), case)) for case in taken]
    return [(case, recording) for case, recording in done if recording is not None]


def cases(wrong: Wrong) -> list[tuple[Case, Recording]]:
    """Cases that a wrong tile takes, those that ask for all that it needs first."""
    found = references(wrong.capabilities.features, wrong.configs)
    return sorted(found, key=lambda each: len(wrong.needs - features(each[0])))


def played(target: Any, case: Case) -> Recording | None:
    try:
        return play(guarded(target), case)
    except Unsupported:
        return None


def differ(a: Recording, b: Recording) -> bool:
    if len(a.observations) != len(b.observations):
        return True
    pairs = zip(a.observations, b.observations, strict=True)
    return any(not equal(vars(p), vars(q)) for p, q in pairs)


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if a is None or b is None:
        return a is b
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


def calibrated(target: Any, case: Case) -> bytes:
    """The range after calibrations of all kinds with a row of zeros and negative inputs."""
    found = b""
    rows = np.float32([[0, 0], [-1, -4], [-2, 0.5]])
    for kind in ("MAX", "CACHE_QUANTILE", "MOVING_QUANTILE", "MOVING_STD"):
        handle = target.create(case.config, rows[1:], None, {})
        target.calibrate(handle, kind, [rows, 2 * rows], quantile=0.75)
        found += target.state(handle)["input_range"].tobytes()
    return found


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_tile_differs_from_the_right_one_where_it_says_so(name: str) -> None:
    wrong = WRONG[name]
    if wrong.clauses[0].startswith("CA"):
        case = next(case for case, _ in cases(wrong) if "input_range" in features(case))
        right = ZooAdapter(RIGHT_TILE, wrong.configs)
        assert calibrated(wrong.adapter(), case) != calibrated(right, case)
        return
    for case, expected in cases(wrong):
        got = played(wrong.adapter(), case)
        if got is not None and differ(expected, got):
            return
    pytest.fail(f"{name} does what the right tile does")


# ----- the kit finds them


@pytest.mark.parametrize(("name", "clause"), SAMPLE)
def test_a_wrong_tile_is_flagged_with_the_clause_that_it_breaks(name: str, clause: str) -> None:
    wrong = WRONG[name]
    declared = wrong.capabilities
    found = []
    for case in every_example():
        if clause in case.clauses and features(case) <= declared.features:
            recording = played(wrong.adapter(shows=True), case)
            found += [] if recording is None else judge(recording, declared.profile).findings
    assert found
    assert found[0].clause in wrong.clauses


def test_a_whole_verification_names_the_clause_on_a_small_case() -> None:
    result = examined("DecayGrows", examples=20)
    assert result.right_clause
    assert result.small
    assert result.failing["examples"]


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("shows", [False, True])
def test_a_right_tile_raises_no_alarm(name: str, shows: bool) -> None:
    right = RIGHT[name]
    declared = right.capabilities
    judged = 0
    for case in generated_cases(
        7, 40 if right.double else 8, declared.features, declared.choices, (1, 3)
    ):
        recording = played(right.adapter(shows), case)
        if recording is not None:
            verdict = judge(recording, declared.profile)
            assert not verdict.findings, (str(verdict.findings[0]), case)
            judged += verdict.judged
    assert judged


# ----- the page


def results(clause: str) -> dict[str, Result]:
    wrong = {
        name: Result(name, {"examples": 9}, {"examples": 2}, [clause], [1, 2, 3, 4], "", 5.4)
        for name in WRONG
    }
    return wrong | {name: Result(name, {"generated": 50}, {}) for name in RIGHT}


def test_the_page_has_every_inhabitant_and_says_what_was_named() -> None:
    text = page(results("IR-4"), {})
    assert all(f"`{name}`" in text for name in (*WRONG, *RIGHT))
    named = sum("IR-4" in wrong.clauses for wrong in WRONG.values())
    assert (
        f"{len(WRONG)} of {len(WRONG)} wrong tiles are flagged, {named} with the right clause"
        in text
    )
    assert f"0 of {len(RIGHT)} right ones are flagged, in 50 cases or more each" in text
    assert "| 1 x 2, 3, 4 | 5 s |" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(widths) == 2  # two tables


def test_pages_are_compared_without_their_seconds() -> None:
    later = {
        name: Result(**(vars(result) | {"seconds": 99.0}))
        for name, result in results("IR-4").items()
    }
    assert same(page(results("IR-4"), {}), page(later, {}))
    assert not same(page(results("IR-4"), {}), page(results("IR-5"), {}))


def test_the_command_refuses_names_that_there_are_not() -> None:
    command = [sys.executable, "-m", "validation.zoo", "--only", "Elephant"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "--only has Elephant, allowed are" in result.stderr
