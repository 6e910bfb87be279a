"""Findings that become permanent vectors."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from refsim.conformance.cases import Case, case_from_document, container
from refsim.errors import VectorError

__all__ = ["cases_of_findings"]


def cases_of_findings(path: str | os.PathLike[str]) -> list[Case]:
    """The cases of a finding, of a whole report of ``refsim verify TARGET --json``, or a plain case.

    Parameters
    ----------
    path
        The JSON file.

    Returns
    -------
    list of Case
        Each with the clause that was broken before its own, and the cause as the mistake that it catches.

    Raises
    ------
    VectorError
        If the file is missing, damaged, too large, or holds no case.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from refsim.conformance.cases import case_document
    >>> from refsim.conformance.cases.examples import examples
    >>> finding = {"clause": "IR-4", "cause": "strict edges", "case": case_document(examples()[0])}
    >>> with TemporaryDirectory() as folder:
    ...     size = Path(folder, "finding.json").write_text(json.dumps(finding))
    ...     (case,) = cases_of_findings(Path(folder, "finding.json"))
    >>> case.clauses, case.catches
    (('IR-4', 'MV-1'), 'StrictEdges')
    """
    place = Path(path)
    document = _document(place)
    listed = document.get("findings") if isinstance(document, dict) else document
    if listed is None:
        listed = [document]
    if not isinstance(listed, list) or not listed:
        raise VectorError(f"{place} holds no findings.")
    return [_case(place, item) for item in listed]


def _case(place: Path, item: Any) -> Case:
    if not isinstance(item, dict):
        raise VectorError(f"{place} holds something that is no finding.")
    if "case" not in item:
        return case_from_document(item)
    case = case_from_document(item["case"])
    clause, cause = item.get("clause"), item.get("cause") or item.get("stage")
    first = (clause,) if isinstance(clause, str) and "-" in clause else ()
    clauses = tuple(dict.fromkeys((*first, *case.clauses)))
    words = "".join(w.capitalize() for w in _words(cause)) if isinstance(cause, str) else ""
    return replace(case, clauses=clauses, catches=(words or case.catches)[:200])


def _words(text: str) -> list[str]:
    """The words of a cause, without the clause that may stand in front."""
    words = text.replace("_", " ").split()
    return words[1:] if len(words) > 1 and words[0][2:3] == "-" else words


def _document(place: Path) -> Any:
    try:
        if place.stat().st_size > container.SIZE_LIMIT:
            raise VectorError(f"{place} is larger than {container.SIZE_LIMIT} bytes.")
        return json.loads(place.read_text("utf-8"))
    except OSError as error:
        raise VectorError(f"{place} cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:
        raise VectorError(f"{place} is no JSON document: {str(error)[:100]}.") from None
