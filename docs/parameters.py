"""Where each field of the parameter page acts: clauses, tiles and tests.

The table of fields is written by hand; ``tests/test_parameters.py`` holds it against the classes and against what the
tiles do. ``page`` writes the page of the documentation, with the tests of each clause as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import traceability

TILES = ("TorchInferenceTile", "InferenceTile", "CustomTile", "FloatingPointTile")
ACTS, IGNORED, REFUSED, KEPT = "acts", "ignored", "refused", "kept"
MEANING = {
    ACTS: "another value makes another result",
    IGNORED: "no value makes another result",
    REFUSED: "a `ConfigError` when the tile is created",
    KEPT: "text that is printed, saved and loaded, and no number depends on it",
}


@dataclass(frozen=True)
class Row:
    """One field: the clauses that use it, and its effect on each tile."""

    clauses: tuple[str, ...]
    effects: tuple[str, ...]

    @classmethod
    def everywhere(cls, *clauses: str, effect: str = ACTS) -> Row:
        """A field with the same effect on every tile."""
        return cls(clauses, (effect,) * len(TILES))


FIELDS: Mapping[str, Mapping[str, Row]] = {
    "InputRangeParameter": {
        "enable": Row.everywhere("IR-1", "IR-2", "IR-3"),
        "learn_input_range": Row.everywhere("IR-4", "IR-5", "IR-8"),
        "init_value": Row.everywhere("IR-1", "IR-2", "IR-3"),
        "init_from_data": Row.everywhere("IR-1"),
        "init_std_alpha": Row.everywhere("IR-1"),
        "decay": Row.everywhere("IR-7"),
        "input_min_percentage": Row.everywhere("IR-6", "IR-7"),
        "manage_output_clipping": Row(("BP-3", "IR-10", "IR-11"), (ACTS, ACTS, IGNORED, REFUSED)),
        "output_min_percentage": Row(("IR-10", "IR-11"), (ACTS, ACTS, IGNORED, IGNORED)),
        "gradient_scale": Row.everywhere("IR-5"),
        "gradient_relative": Row.everywhere("IR-5"),
        "calibration_info": Row.everywhere(effect=KEPT),
    },
}
"""Fields by class, in the order of the parameter page."""


def mentions(field: str) -> list[str]:
    """Test files that mention a field."""
    word = re.compile(rf"\b{field}\b")
    return [
        path.relative_to(traceability.ROOT).as_posix()
        for path in sorted((traceability.ROOT / "tests").rglob("test_*.py"))
        if word.search(path.read_text(encoding="utf-8"))
    ]


def tests_of(field: str, row: Row) -> list[str]:
    """Test files of the clauses of a field; of a field without clauses, those that mention it."""
    tested = traceability.tested()
    found = {path for clause in row.clauses for path in tested.get(clause, [])}
    return sorted(found) or mentions(field)


def page() -> str:
    """The page of the documentation."""
    lines = [
        "# Parameters",
        "",
        "Each field of the parameter page: the clauses that use it, what it does on each tile, and the tests "
        "that hold it. "
        "Written from the sources with each build; a test changes each field on each tile and looks at the results.",
        "",
        *(f"*{effect}*\n: {meaning}\n" for effect, meaning in MEANING.items()),
    ]
    for name, rows in FIELDS.items():
        lines += [f"## {name}", "", table(rows), ""]
    return "\n".join(lines)


def table(rows: Mapping[str, Row]) -> str:
    """The table of one class."""
    head = ["field", "clauses", *(f"`{tile}`" for tile in TILES), "tests"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for field, row in rows.items():
        links = ", ".join(f"[{c}]({c.partition('-')[0].lower()}.md)" for c in row.clauses)
        tests = traceability.code(tests_of(field, row))
        lines.append(f"| {' | '.join([f'`{field}`', links, *row.effects, tests])} |")
    return "\n".join(lines)
