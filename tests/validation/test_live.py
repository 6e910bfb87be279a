"""Live runs without the libraries: situations are noticed, scripts are Python, reports are complete."""

from __future__ import annotations

import ast

import pytest

from refsim.conformance.adapters import Own
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.cases import Case
from refsim.conformance.kit import Finding, judge, play, verify_target
from refsim.errors import Unsupported
from validation.live import __main__ as command
from validation.live import findings, report
from validation.live.sieve import Sieve
from validation.live.situations import SITUATIONS
from validation.live.snippet import script
from validation.live.witnesses import witnesses

WITNESSES = witnesses()


@pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
@pytest.mark.parametrize("name", WITNESSES)
def test_refsim_is_right_where_aihwkit_differs(name: str) -> None:
    recording = play(guarded(Own()), WITNESSES[name])
    assert recording.failure is None
    assert [str(finding) for finding in judge(recording).findings] == []


@pytest.mark.parametrize("name", [name for name in WITNESSES if name != "E-5"])
def test_each_situation_is_noticed(name: str) -> None:
    """But for E-5, scales that do not exist, which refsim does not have."""
    with pytest.raises(Unsupported, match=rf"^{name.split()[0]}: "):
        play(guarded(Sieve(Own())), WITNESSES[name])


def test_situations_are_errata_with_a_witness_or_errors_of_refsim_too() -> None:
    numbers = {situation.number for situation in SITUATIONS}
    assert numbers - {name.split()[0] for name in WITNESSES} == {"E-16"}
    assert len(numbers) == len(SITUATIONS)


@pytest.mark.parametrize("name", WITNESSES)
@pytest.mark.parametrize("stage", ["output", "weight_gradient"])
def test_scripts_are_python_and_name_all_arrays(name: str, stage: str) -> None:
    case = WITNESSES[name]
    text = script(case, stage)
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    forward = [
        call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "layer"
    ]
    assert len(forward) == len(case.steps)
    assert "refsim" not in text


class Found:
    """A process that prints."""

    returncode, stdout, stderr = 1, "output [[nan]]\n", "Traceback\nRuntimeError: no\n"


def test_a_report_has_every_finding_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings.subprocess, "run", lambda *given, **named: Found())
    outcome = verify_target(Own(), max_examples=2, phases=["generated"])
    case: Case = WITNESSES["E-1"]
    finding = Finding(case, 0, "MS-1", "weight", "violation", "got nan, admissible 0.0")
    one = findings.printed(findings.explained(Own(), finding), "python")
    assert (one.number, one.kind) == ("E-1", "known")
    assert one.printed == "output [[nan]]\nRuntimeError: no"
    text = report.markdown("A run", ["Command."], [report.Run("as it is", outcome)], [one])
    for part in (
        one.id,
        "got nan, admissible 0.0",
        '"weight": {"dtype": "float32"',
        "tile.set_weights",
    ):
        assert part in text


def test_a_python_without_the_library_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["aihwkit", "--python", "/no/such/python"]) == 2
    assert "does not run the library" in capsys.readouterr().err
