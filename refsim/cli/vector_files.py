"""``refsim vectors generate`` and ``refsim vectors show``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer

from refsim.conformance.adapters.capabilities import DEFAULT_FEATURES
from refsim.conformance.cases import FEATURES, Case, features
from refsim.conformance.cases.examples import examples
from refsim.conformance.golden import Vector, is_golden, read_folder, vector_document, vector_of
from refsim.conformance.golden.answers import named
from refsim.conformance.golden.catches import generated_with_catch
from refsim.conformance.golden.findings import cases_of_findings
from refsim.conformance.golden.folder import read_vectors, write_folder
from refsim.conformance.kit.report import described
from refsim.conformance.mistakes import MISTAKES
from refsim.conformance.vectors import Recording, read_recording
from refsim.errors import InputError

from .output import print_document, print_table, progress_bar

__all__ = ["generate", "show"]

COLUMNS = ("Id", "Clauses", "Catches", "What happens", "Tile", "Steps")


def generate(
    directory: str,
    clauses: Sequence[str],
    seed_and_count: tuple[int, int],
    allowed: Sequence[str],
    sources: Sequence[str],
    json: bool,
) -> int:
    """Write vectors, report, and return the exit status."""
    cases = [case for path in sources for case in cases_of_findings(path)]
    if not sources:
        cases = list(_chosen(clauses, *seed_and_count, _features(allowed)))
    vectors = []
    with progress_bar() as progress:
        for done, case in enumerate(cases):
            progress("vectors", done, len(cases))
            vectors.append(vector_of(case))
    folder = write_folder(directory, vectors)
    found = {name: len(folder.load(name)) for name in folder.files}
    if json:
        ids = [vector.id for vector in vectors]
        print_document({"directory": directory, "written": ids, "files": found})
    else:
        print_table(("File", "Vectors"), list(found.items()))
        typer.echo(f"\n{len(vectors)} vectors written to {directory}.")
    return 0


def _features(allowed: Sequence[str]) -> frozenset[str]:
    names = [name for words in allowed for name in words.split(",")]
    if not names:
        return DEFAULT_FEATURES
    if names == ["all"]:
        return frozenset(FEATURES)
    for name in names:
        if name not in FEATURES:
            raise InputError(f"features is {name!r}, allowed are all, {', '.join(FEATURES)}.")
    return frozenset(names)


def _chosen(
    clauses: Sequence[str], seed: int, count: int, allowed: frozenset[str]
) -> Iterator[Case]:
    """Examples, and generated cases."""
    known = {clause for case in examples() for clause in case.clauses}
    known |= {wrong.clause for wrong in MISTAKES}
    for clause in clauses:
        if clause not in known:
            raise InputError(f"clause is {clause!r}, allowed are {', '.join(sorted(known))}.")
    for case in examples():
        if not clauses or set(clauses) & set(case.clauses):
            yield case
    yield from generated_with_catch(
        seed, count, allowed, clauses=frozenset(clauses) if clauses else None
    )


def show(path: str, case: str | None, json: bool) -> int:
    """Show vectors, and return the exit status."""
    place = Path(path)
    if place.is_dir() and not is_golden(place):
        _show_recorded(read_recording(place), case, json)
        return 0
    if place.is_dir():
        folder = read_folder(place)
        vectors = [vector for name in folder.files for vector in folder.load(name)]
    else:
        vectors = read_vectors(place)
    if case is None:
        _list(vectors, json)
    else:
        _one(_by_id(vectors, case), json)
    return 0


def _by_id(vectors: Sequence[Vector], wanted: str) -> Vector:
    found = [vector for vector in vectors if vector.id.startswith(wanted)]
    if len(found) != 1:
        some = ", ".join(vector.id for vector in (found or vectors)[:20])
        raise InputError(
            f"case is {wanted!r}, which names {len(found)} vectors, allowed are {some} ..."
        )
    return found[0]


def _list(vectors: Sequence[Vector], json: bool) -> None:
    if json:
        print_document({"vectors": [_entry(vector) for vector in vectors]})
        return
    rows = [
        (
            vector.id,
            " ".join(vector.case.clauses),
            vector.case.catches,
            vector.case.name,
            "x".join(map(str, vector.case.weight.shape)),
            len(vector.case.steps),
        )
        for vector in vectors
    ]
    print_table(COLUMNS, rows)
    typer.echo(f"\n{len(vectors)} vectors.")


def _entry(vector: Vector) -> dict[str, Any]:
    case = vector.case
    return {
        "id": vector.id,
        "clauses": list(case.clauses),
        "catches": case.catches,
        "name": case.name,
        "features": sorted(features(case)),
    }


def _one(vector: Vector, json: bool) -> None:
    if json:
        print_document(vector_document(vector))
        return
    case = vector.case
    typer.echo(f"{vector.id}: {case.name}")
    typer.echo(f"Clauses {', '.join(case.clauses) or 'none'}; catches {case.catches or 'nothing'}.")
    typer.echo(f"{described(case)}\n")
    rows = [
        (clause, name, _shown(value))
        for step, answer in enumerate(vector.answers)
        for clause, name, value in named(step, answer)
    ]
    print_table(("Clause", "Name", "Value"), rows)


def _shown(value: Any) -> str:
    array = np.asarray(value)
    if array.size > 16:
        return f"{array.dtype} {array.shape}, first {array.ravel()[:3].tolist()}"
    return str(array.tolist())


def _show_recorded(recording: Recording, wanted: str | None, json: bool) -> None:
    if wanted is None:
        rows = [(case.id, case.group, str(case.dtype)) for case in recording.cases]
        if json:
            names = ("id", "group", "dtype")
            print_document({"cases": [dict(zip(names, row, strict=True)) for row in rows]})
        else:
            print_table(("Id", "Group", "Type"), rows)
            typer.echo(f"\n{len(rows)} cases.")
        return
    case = next((case for case in recording.cases if case.id == wanted), None)
    if case is None:
        raise InputError(f"case is {wanted!r}, which is none of the {len(recording.cases)} cases.")
    arrays = recording.load(case.group)[case.id]
    if json:
        values = {
            name: {"dtype": str(a.dtype), "shape": list(a.shape), "values": _plain(a)}
            for name, a in arrays.items()
        }
        print_document(
            {"id": case.id, "group": case.group, "recipe": dict(case.entries), "arrays": values}
        )
        return
    typer.echo(f"{case.id}, group {case.group}, {case.dtype}\n")
    print_table(("Array", "Value"), [(name, _shown(a)) for name, a in arrays.items()])


def _plain(array: Any) -> list[Any]:
    return [v if np.isfinite(v) else str(v) for v in array.ravel().tolist()]
