"""The verdict: right backends pass, each planted fault is found and named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from refsim import backends, spec
from refsim.conformance.check import SUPPORTED_GROUPS
from refsim.conformance.generated import clauses
from refsim.conformance.participants import Participant, participants, specification
from refsim.conformance.runs import FAILURE, STEPS, GeneratedRun
from refsim.conformance.verdict import Verdict
from refsim.conformance.verify import Effort, first_difference, verify
from refsim.errors import BackendError, InputError

SMALL = Effort(cases=16, runs=10, every=40)
RUNS = {"dev": 25, "ci": 100, "deep": 2600}[os.environ.get("HYPOTHESIS_PROFILE", "dev")]
Plant = Callable[..., None]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Let the backend ``cpu`` be the specification with some functions replaced."""
    original = backends.load

    def planted(**functions: Any) -> None:
        overlay = SimpleNamespace(**{**vars(spec), **functions})
        monkeypatch.setattr(
            backends,
            "load",
            lambda name, matmul="exact": overlay if name == "cpu" else original(name, matmul),
        )

    return planted


def names_clause(verdict: Verdict) -> set[str]:
    """The clauses of the functions that deviate."""
    return {row.clause for row in verdict.rows if row.deviations and row.clause != "all"}


def test_the_specification_agrees_with_itself(plant: Plant) -> None:
    plant()
    found = verify(["cpu"], effort=SMALL)
    assert found.passed
    assert found.sentence().startswith("refsim agrees: ")
    assert found.compared == ["cpu"]
    assert {row.function for row in found.rows if row.clause != "all"} == set(spec.__all__)
    assert all(row.cases == row.equal > 0 for row in found.rows)
    assert [group.group for group in found.groups["cpu"]] == list(SUPPORTED_GROUPS)
    assert set(found.groups) == {"cpu", "spec"}
    assert not found.skipped


def test_the_backends_of_this_machine_agree() -> None:
    found = verify(effort=SMALL)
    assert found.passed, found.sentence()
    assert "cpu, 2 threads" in found.compared


@pytest.mark.parametrize("seed", [0, 1])
def test_generated_steps_have_the_same_bits_on_every_backend(seed: int) -> None:
    """RUNS runs of several steps for each seed, on each backend and number of threads."""
    found = verify(seed=seed, effort=Effort(cases=1, runs=RUNS, every=100))
    tiles = [row for row in found.rows if row.clause == "all"]
    assert [row.function for row in tiles] == ["whole tile, 4 steps", "manual tile, 4 steps"]
    for row in tiles:
        assert row.cases == RUNS * len(found.compared)
        assert row.smallest is None


def half_up(a: Any, step: Any, rounding: Any = None) -> Any:
    if step == 0:
        return a
    levels = a / step if rounding is None else a / step + rounding
    return np.floor(levels + a.dtype.type(0.5)) * step


def ulp_off(function: str) -> Callable[..., Any]:
    right = getattr(spec, function)

    def wrong(*arguments: Any) -> Any:
        result = right(*arguments)
        return np.nextafter(result, np.inf, dtype=result.dtype)

    return wrong


def exclusive(c: Any, d: Any, r: Any) -> Any:
    zero = r.dtype.type(0)
    return (
        spec.total(np.where((c > r) & (d < zero), d, zero)),
        spec.total(np.where((c < -r) & (d > zero), d, zero)),
    )


def twice_rounded(a: Any, b: Any) -> Any:
    if a.dtype == np.float64:
        return spec.matrix_product(a, b)
    return spec.matrix_product(a.astype(np.float64), b.astype(np.float64)).astype(np.float32)


FAULTS: list[tuple[str, str, Callable[..., Any]]] = [
    ("DC-1", "on_grid", half_up),
    ("PP-1", "scaled_output", ulp_off("scaled_output")),
    ("IR-3", "scaled_input", lambda c, r: c * (r.dtype.type(1) / r)),
    ("IR-4", "range_rule_sums", exclusive),
    (
        "IR-6",
        "unclipped_fraction",
        lambda c, r: np.float32(np.mean(np.abs(c) <= r)) if c.size else np.float32(np.nan),
    ),
    (
        "IR-9",
        "range_input_gradient",
        lambda dv, x, r: (dv / r, np.where(np.abs(x) < np.abs(r), dv / r, r.dtype.type(0))),
    ),
    ("SU-1", "total", lambda x: x.sum(dtype=x.dtype)),
    ("SU-6", "mean", lambda x: spec.total(x) / x.dtype.type(x.size)),
    ("MV-1", "matrix_product", lambda a, b: a @ b.T),
    ("MV-1", "matrix_product", twice_rounded),
    ("BP-2", "dac_gradient", lambda g, q, b, n, f: np.where(n, g * f, g) * (np.abs(q) <= b)),
    ("NM-1", "row_abs_max", lambda v: spec.row_max(v)),
    ("NM-2", "row_max", lambda v: (v.max(axis=1), np.argmax(v, axis=1))),
    ("EF-1", "log", np.log),
    ("EF-2", "exp", np.exp),
    ("RN-2", "uniform", lambda *address: spec.uniform(*address) + np.float32(2**-24)),
    ("BM-2", "within_bound", lambda t, bound: bool((np.abs(t) < bound).all())),
    ("OP-1", "sgd_step", lambda p, g, v, lr, *rest: spec.sgd_step(p, g, v, -lr, *rest)),
    ("WP-2", "clipped_weight", lambda w, b: w),
    ("MS-1", "mapping_scales", lambda w, omega, columnwise: spec.mapping_scales(w, omega, False)),
    ("PP-2", "shifted_output", lambda y, bias: (y + bias).astype(np.float64)),
    ("DC-5", "rescaled_output", lambda z, sigma, out_scale: 1 / 0),
]


@pytest.mark.parametrize(
    ("clause", "function", "wrong"), FAULTS, ids=[f"{c}-{i}" for i, (c, _, _) in enumerate(FAULTS)]
)
def test_a_planted_fault_is_found_and_named(
    plant: Plant, clause: str, function: str, wrong: Callable[..., Any]
) -> None:
    assert clauses()[function] == clause
    plant(**{function: wrong})
    found = verify(["cpu"], effort=Effort(cases=96, runs=0, every=100), only=[clause])
    assert not found.passed
    assert names_clause(found) == {clause}
    (deviation,) = found.deviations
    assert deviation.clause == clause
    assert "does NOT agree" in found.sentence()


def test_a_function_that_changes_its_arguments_is_found(plant: Plant) -> None:
    def impolite(y: Any, bias: Any) -> Any:
        result = spec.shifted_output(y, bias)
        y[...] = 0
        return result

    plant(shifted_output=impolite)
    (deviation,) = verify(["cpu"], effort=Effort(16, 0, 100), only=["PP-2"]).deviations
    assert deviation.text == "the arguments were changed"


def test_a_fault_is_traced_to_its_clause_in_whole_tiles(plant: Plant) -> None:
    plant(range_residual=ulp_off("range_residual"))
    found = verify(["cpu"], effort=Effort(cases=0, runs=20, every=400))
    row, manual = (row for row in found.rows if row.clause == "all")
    assert row.deviations > 3
    assert row.smallest is not None
    assert row.smallest.clause == "IR-8"
    assert "range_residual" in row.smallest.text
    assert not manual.deviations  # that path has no residual


def test_a_fault_is_traced_to_its_clause_in_tiles_of_the_manual_path(plant: Plant) -> None:
    plant(unscaled_gradient=ulp_off("unscaled_gradient"))
    row, manual = (
        row
        for row in verify(["cpu"], effort=Effort(cases=0, runs=20, every=400)).rows
        if row.clause == "all"
    )
    assert not row.deviations
    assert manual.deviations > 3
    assert manual.smallest is not None
    assert manual.smallest.clause == "MS-5"


def test_a_failing_function_is_found_in_whole_tiles(plant: Plant) -> None:
    plant(input_scale=lambda alpha, beta: 1 / 0)
    found = verify(["cpu"], effort=Effort(cases=0, runs=6, every=400))
    assert next(text for _, _, text in found.groups["cpu"][0].failures).startswith(
        "the replay stopped with ZeroDivisionError"
    )
    assert len(found.deviations) == 2
    assert all("ZeroDivisionError" in deviation.text for deviation in found.deviations)


def test_a_failing_specification_is_no_agreement(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any) -> Any:
        """It fails. [DC-5]"""
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(spec, "rescaled_output", failing)
    plant()
    found = verify(["cpu"], effort=Effort(cases=2, runs=0, every=400), only=["DC-5"])
    assert (
        found.deviations[0].text
        == "the specification fails with ZeroDivisionError: division by zero"
    )
    run = next(
        r
        for r in map(GeneratedRun, range(9), [0] * 9)
        if r.play(specification())[-1].clause == FAILURE
    )
    deviation = first_difference(run, Participant("cpu"))
    assert deviation is not None
    assert deviation.text == "the specification fails with ZeroDivisionError: division by zero"


def test_the_smallest_deviation_is_kept_and_can_be_made_again(plant: Plant) -> None:
    plant(clip=lambda a, bound: a)
    found = verify(["cpu"], effort=Effort(64, 0, 100), only=["DC-2"])
    (deviation,) = found.deviations
    assert deviation.size <= 8
    code = deviation.reproduce.replace("'cpu'", "'spec'")
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert len(result.stdout.splitlines()) >= 2


def test_a_whole_tile_can_be_made_again(plant: Plant) -> None:
    plant(scaled_output=ulp_off("scaled_output"))
    for row in verify(["cpu"], effort=Effort(0, 4, 400)).rows:
        if row.clause == "all":
            assert row.smallest is not None
            code = row.smallest.reproduce.replace("'cpu'", "'spec'")
            result = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            )
            assert result.stdout == "None\n"


def test_participants_are_the_backends_of_this_machine() -> None:
    assert Participant("cpu", 2) in participants()
    assert participants(["cpu"]) == [Participant("cpu", 1), Participant("cpu", 2)]
    assert participants(["spec"]) == []
    assert [p.label for p in participants(["cpu"])] == ["cpu, 1 thread", "cpu, 2 threads"]
    with pytest.raises(BackendError):
        participants(["abacus"])


def test_the_specification_alone_is_checked_against_the_vectors_only() -> None:
    found = verify(["spec"], effort=SMALL)
    assert found.passed
    assert found.rows == []
    assert list(found.groups) == ["spec"]


def test_nothing_compared_is_no_success() -> None:
    found = verify(["spec"], only=["MV-1"])
    assert not found.passed
    assert found.sentence() == "refsim does NOT agree: nothing was compared."


def test_an_unknown_clause_is_an_input_error() -> None:
    with pytest.raises(InputError, match="clause is 'XX-1', allowed are BM-1, "):
        verify(["spec"], only=["XX-1"])


def test_progress_is_reported(plant: Plant) -> None:
    plant()
    seen: list[tuple[str, int, int]] = []
    verify(["cpu"], effort=Effort(1, 2, 100), progress=lambda *state: seen.append(state))
    assert {what for what, _, _ in seen} == {"clauses", "whole tiles", *SUPPORTED_GROUPS}
    assert all(0 <= done < total for _, done, total in seen)


def test_a_run_has_every_step() -> None:
    record = GeneratedRun(0, 0).play(specification())
    assert {entry.step for entry in record} == set(range(STEPS))
