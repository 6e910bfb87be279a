"""Reports for people and programs, and findings kept on disk so that they can be replayed."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final

import numpy as np

from refsim import __version__
from refsim.config.atomic import write_atomically
from refsim.conformance.cases import Case, Step
from refsim.conformance.cases.files import case_document, case_from_document, case_id
from refsim.errors import InputError, VectorError

from .finding import Finding
from .outcome import Outcome
from .shrink import size

__all__ = ["document", "finding_lines", "junit", "keep_findings", "replayed"]

FOLDER: Final = "refsim-findings"
FEW: Final = 6
PLAIN: Final = ("forward", "pre_post", "input_range")
"""Sections whose settings need no further name."""
MANY: Final = 64
"""Numbers of an array that are shown where a case cannot be made smaller."""
LOST: Final = ("timeout", "memory", "crash")


def document(outcome: Outcome) -> dict[str, Any]:
    """The whole outcome as plain values; the cases of the findings are in it, complete.

    Examples
    --------
    >>> from refsim.conformance.adapters.own import Own
    >>> from refsim.conformance.kit import verify_target
    >>> found = document(verify_target(Own(), phases=["generated"], max_examples=3))
    >>> found["passed"], found["findings"], found["cases"]
    (True, [], {'generated': 3})
    """
    declared = outcome.capabilities
    return {
        "refsim": __version__,
        "target": declared.name,
        "profile": declared.profile.name,
        "passed": outcome.passed,
        "complete": outcome.complete,
        "verdict": outcome.sentence(),
        "seed": outcome.seed,
        "seconds": round(outcome.seconds, 3),
        "cases": dict(outcome.cases),
        "failing": dict(outcome.failing),
        "refused": dict(outcome.refused),
        "unknown_stages": sorted(outcome.unknown_stages),
        "overwritten": sorted(outcome.overwritten),
        "clauses": [vars(row) for _, row in sorted(outcome.rows.items())],
        "ambiguous_codes": {
            stage: {"ambiguous": ambiguous, "codes": codes}
            for stage, (ambiguous, codes) in outcome.ambiguous.items()
        },
        "flips": {
            "codes": outcome.flips.codes,
            "observed": outcome.flips.observed,
            "expected": outcome.flips.expected,
            "allowed": outcome.flips.allowed,
        },
        "findings": [finding_document(finding) for finding in outcome.findings],
        "waived": [
            {
                "clause": waiver.clause,
                "reason": waiver.reason,
                "finding": str(finding),
                "guessed": finding.guessed,
            }
            for waiver, finding in outcome.waived
        ],
        "doubtful_waivers": [
            {"clause": waiver.clause, "finding": case_id(finding.case)}
            for waiver, finding in outcome.doubtful
        ],
        "stale_waivers": [waiver.clause for waiver in outcome.stale],
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    """A finding as plain values."""
    return {
        "id": case_id(finding.case),
        "clause": finding.clause,
        "stage": finding.stage,
        "step": finding.step,
        "kind": finding.kind,
        "text": finding.text,
        "cause": finding.cause,
        "guessed": finding.guessed,
        "freedom": finding.freedom,
        "follows": None if finding.follows is None else case_id(finding.follows.case),
        "case": case_document(finding.case),
    }


def finding_lines(
    finding: Finding, target: str, options: str = "", also: Sequence[Finding] = ()
) -> Iterator[str]:
    """A finding in a few lines: what is wrong, on which case, how to see it again with these options, what follows."""
    word = "VIOLATION" if finding.kind in ("violation", "missing", "law", "flips") else "FAILURE"
    cause = f"; the same as of a tile with the mistake: {finding.cause}" if finding.cause else ""
    text = finding.text.rstrip(".")
    yield f"{word} {finding.clause} {finding.stage}, step {finding.step}: {text}{cause}."
    case = described(finding.case, MANY if finding.kind in LOST else FEW)
    yield f"  Smallest failing case: {case}"
    if finding.freedom:
        yield f'  Nothing but rounding: admissible with --profile "{finding.freedom}", if the program computes so.'
    yield f"  Reproduce: refsim verify {target} --replay {case_id(finding.case)}{options}"
    if also:
        seen = (f"{each.clause} {each.stage} ({case_id(each.case)})" for each in also)
        yield f"  Also seen as: {', '.join(seen)}"


def described(case: Case, few: int = FEW) -> str:
    """A case in words: size, settings that are not the defaults, and its arrays of up to ``few`` numbers.

    Where many are allowed, larger arrays are told by shape and extremes.
    """
    outputs, inputs, rows, steps = size(case)
    what = (
        f"{outputs}x{inputs} tile, {rows} row{'s' * (rows != 1)}, {steps} step{'s' * (steps != 1)}"
    )
    parts = [what, ", ".join(_settings(case.config))]
    if any(step.update for step in case.steps):
        parts[1] += f", lr={case.sgd.lr:g}"
    parts.append(_in_words(few, {"weight": case.weight, "bias": case.bias, **case.state}))
    for number, step in enumerate(case.steps):
        prefix = f"step {number} " if steps > 1 else ""
        parts += [f"{prefix}{word}" for word in _modes(step)]
        parts.append(_in_words(few, {f"{prefix}{name}": a for name, a in _arrays_of(step).items()}))
    return "; ".join(filter(None, parts)) + "."


def _modes(step: Step) -> Iterator[str]:
    """What happens in a step beside its passes."""
    if step.reload:
        yield "after saving and loading"
    if not step.training:
        yield "in evaluation mode"


def _arrays_of(step: Step) -> dict[str, Any]:
    """What a step is given."""
    found: dict[str, Any] = {}
    if step.weight is not None:
        found |= {"set_weights": step.weight, "its bias": step.bias}
    if step.calibration is not None:
        columns = step.x.shape[-1]
        for number, batch in enumerate(step.calibration.batches):
            found[f"{step.calibration.kind} calibration, batch {number}"] = batch.reshape(
                -1, columns
            )
    return found | {"x": step.x, "dy": step.dy, **step.noise}


def _in_words(few: int, arrays: Mapping[str, Any]) -> str:
    shown = (_array(name, np.asarray(a), few) for name, a in arrays.items() if a is not None)
    return ", ".join(filter(None, shown))


def _array(name: str, a: Any, few: int) -> str:
    if a.size <= few:
        return f"{name} = {a.tolist()}"
    return f"{name} of shape {a.shape} from {a.min()} to {a.max()}" if few > FEW else ""


def _settings(part: Any, section: str = "") -> Iterator[str]:
    """Settings that differ from the default and matter, as ``name=value``, some with the name of their section."""
    default, own = vars(type(part)()), vars(part)
    for switch, off in (("is_perfect", True), ("enable", False)):
        if own.get(switch) is off:
            own = {switch: off}
    for name, value in own.items():
        if name in ("runtime", "choices", "tile_class", "backward"):
            continue
        if hasattr(value, "__dataclass_fields__"):
            yield from _settings(value, "" if name in PLAIN else f"{name}.")
        elif value != default.get(name):
            yield f"{section}{name}={value.name if isinstance(value, Enum) else value}"


# ----- programs


def junit(outcome: Outcome) -> bytes:
    """The outcome as a JUnit XML document: one test for each clause, and one for each other finding.

    Findings that follow from others are output of the test, not failures.
    """
    findings: dict[str, list[Finding]] = {}
    for finding in outcome.independent:
        findings.setdefault(finding.clause, []).append(finding)
    clauses = sorted({*outcome.rows, *findings, *(each.clause for each in outcome.findings)})
    suite = ET.Element(
        "testsuite",
        name=outcome.capabilities.name,
        tests=str(len(clauses)),
        failures=str(len(findings)),
        errors="0",
        time=f"{outcome.seconds:.3f}",
    )
    for clause in clauses:
        test = ET.SubElement(suite, "testcase", classname="refsim.verify", name=clause)
        for finding in findings.get(clause, []):
            failure = ET.SubElement(test, "failure", message=str(finding), type=finding.kind)
            failure.text = json.dumps(finding_document(finding))
        _notes(test, [each for each in outcome.findings if each.follows and each.clause == clause])
    text: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return text


def _notes(test: ET.Element, consequences: Sequence[Finding]) -> None:
    """What broke here only because of something else: not a failure of this test, but told."""
    if consequences:
        documents = [json.dumps(finding_document(finding)) for finding in consequences]
        ET.SubElement(test, "system-out").text = "\n".join(documents)


# ----- on disk


def keep_findings(outcome: Outcome, folder: str | os.PathLike[str] = FOLDER) -> list[Path]:
    """Write every finding to a folder, from where it can be replayed.

    Parameters
    ----------
    outcome
        What was found.
    folder
        The folder; it is made if there is something to write.

    Returns
    -------
    list of Path
        One JSON file for each finding, named by its id.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    paths = []
    for finding in outcome.findings:
        Path(folder).mkdir(parents=True, exist_ok=True)
        path = Path(folder, f"{case_id(finding.case)}.json")
        write_atomically(path, (json.dumps(finding_document(finding), indent=1) + "\n").encode())
        paths.append(path)
    return paths


def replayed(name: str, folder: str | os.PathLike[str] = FOLDER) -> tuple[Case, str | None]:
    """The case of a finding that was kept, and the law that it breaks, if it is one.

    Parameters
    ----------
    name
        Its id, or the path of its file, or of a JSON report with this one finding.
    folder
        Where findings are kept.

    Raises
    ------
    InputError
        If there is none of that name.
    VectorError
        If the file holds something else.
    """
    path = Path(name) if name.endswith(".json") else Path(folder, f"{name}.json")
    try:
        if path.stat().st_size > LARGEST:
            raise VectorError(f"{path} has {path.stat().st_size} bytes, allowed are {LARGEST}.")
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        kept = sorted(each.stem for each in Path(folder).glob("*.json"))
        raise InputError(
            f"there is no finding {name!r} in {folder}, kept are {', '.join(kept) or 'none'}."
        ) from error
    except (UnicodeDecodeError, ValueError) as error:
        raise VectorError(f"{path} is no JSON document.") from error
    found = _only_finding(found, path)
    law = found.get("stage") if isinstance(found, Mapping) and found.get("kind") == "law" else None
    return case_from_document(_case_of(found)), law


LARGEST: Final = 64 * 2**20


def _only_finding(found: object, path: Path) -> object:
    """The finding of a report that has one alone, but for what follows from it."""
    if isinstance(found, Mapping) and isinstance(found.get("findings"), list):
        every = found["findings"]
        first = [one for one in every if not (isinstance(one, Mapping) and one.get("follows"))]
        if len(first) != 1:
            raise VectorError(
                f"{path} holds {len(first)} findings, allowed is one; name it by its id."
            )
        return first[0]
    return found


def _case_of(found: object) -> object:
    return found["case"] if isinstance(found, Mapping) and "case" in found else found
