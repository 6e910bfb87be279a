"""Where each field of the parameter page acts: clauses, tiles, an example and tests.

The table of fields is written by hand; ``tests/test_parameters.py`` holds it against the classes and against what the
tiles do with each example. ``page`` writes the page of the documentation, with the tests of each clause as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import traceability

import refsim as rs
from refsim.config.base import Parameters

TILES = (
    "TorchInferenceTile",
    "InferenceTile",
    "CustomTile",
    "FloatingPointTile",
    "QuantizedTorchInferenceTile",
    "QuantizedTileModuleArray",
)
ACTS, IGNORED, REFUSED, KEPT = "acts", "ignored", "refused", "kept"
MEANING = {
    ACTS: "the value of the example makes another result",
    IGNORED: "no value makes another result",
    REFUSED: "a `ConfigError` when the tile is created",
    KEPT: "text that is printed, saved and loaded, and no number depends on it",
}


@dataclass(frozen=True)
class Row:
    """One field: the clauses that use it, its effect on each tile, and another value than the default."""

    clauses: tuple[str, ...]
    effects: tuple[str, ...]
    example: Any

    @classmethod
    def everywhere(cls, *clauses: str, example: Any, effect: str = ACTS) -> Row:
        """A field with the same effect on every tile."""
        return cls(clauses, (effect,) * len(TILES), example)

    @classmethod
    def quantised(cls, *clauses: str, example: Any, others: str = IGNORED) -> Row:
        """A field that acts on the quantised tile and array."""
        return cls(clauses, (others,) * 4 + (ACTS,) * 2, example)


RANGED = rs.InputRangeParameter(enable=True, init_value=2.0, init_from_data=0)
FOUR_BITS = rs.PeripheryQuantizationParameter(n_bits=4)
INPUT_RANGE = Row.everywhere("IR-1", "IR-2", "IR-3", example=RANGED)
FIELDS: Mapping[str, Mapping[str, Row]] = {
    "InputRangeParameter": {
        "enable": Row.everywhere("IR-1", "IR-2", "IR-3", example=True),
        "learn_input_range": Row.everywhere("IR-4", "IR-5", "IR-8", example=False),
        "init_value": Row.everywhere("IR-1", "IR-2", "IR-3", example=1.5),
        "init_from_data": Row.everywhere("IR-1", example=1),
        "init_std_alpha": Row.everywhere("IR-1", example=2.0),
        "decay": Row.everywhere("IR-7", example=0.5),
        "input_min_percentage": Row.everywhere("IR-6", "IR-7", example=1.0),
        "manage_output_clipping": Row(
            ("BP-3", "IR-10", "IR-11"), (ACTS, ACTS, IGNORED, REFUSED, ACTS, ACTS), True
        ),
        "output_min_percentage": Row(
            ("IR-10", "IR-11"), (ACTS, ACTS, IGNORED, IGNORED, ACTS, ACTS), 0.25
        ),
        "gradient_scale": Row.everywhere("IR-5", example=0.5),
        "gradient_relative": Row.everywhere("IR-5", example=False),
        "calibration_info": Row.everywhere(example="by hand", effect=KEPT),
    },
    "PeripheryQuantizationParameter": {
        "n_bits": Row.quantised(
            "QU-1", "QU-2", "QU-3", "QU-4", "QU-8", "QU-9", example=2, others=REFUSED
        ),
        "symmetric": Row.quantised("QU-2", "QU-3", "QU-4", "QU-7", example=False),
        "learn_quant_params": Row.quantised("QU-11", "QU-12", "QU-13", "QU-14", example=True),
        "init_learning_after": Row.quantised("QU-12", "QU-14", example=1),
    },
    "PrePostProcessingParameter": {"input_range": INPUT_RANGE},
    "PrePostProcessingParameterQuant": {
        "input_range": INPUT_RANGE,
        "periph_quant": Row.quantised("PP-3", "QU-1", "QU-9", example=FOUR_BITS, others=REFUSED),
    },
    "PrePostProcessingRPU": {
        "tile_class": Row.everywhere("BP-3", "IR-8", example="refsim.tile:TorchInferenceTile"),
        "runtime": Row.everywhere(
            "MV-1", example=rs.RuntimeParameter(data_type=rs.RPUDataType.DOUBLE)
        ),
        "pre_post": Row.everywhere(
            "IR-1", "IR-2", "IR-3", example=rs.PrePostProcessingParameterQuant(RANGED)
        ),
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


def shown(name: str, field: str, value: Any) -> str:
    """The example as it is written."""
    text = str(value) if isinstance(value, Parameters) else repr(value)
    return f"{name}({field}={text})"


def page() -> str:
    """The page of the documentation."""
    lines = [
        "# Parameters",
        "",
        "Each field of aihwkit's parameter page of input range and periphery: the clauses that use it, what it does on "
        "each tile, an example, and the tests that hold it. In a `TileModuleArray` it does what it does on its tiles. "
        "Written from the sources with each build; a test changes each field on each tile to the value of its example "
        "and looks at the results.",
        "",
        *(f"*{effect}*\n: {meaning}\n" for effect, meaning in MEANING.items()),
    ]
    for name, rows in FIELDS.items():
        lines += [f"## {name}", "", table(name, rows), ""]
    return "\n".join(lines)


def table(name: str, rows: Mapping[str, Row]) -> str:
    """The table of one class."""
    head = ["field", "clauses", *(f"`{tile}`" for tile in TILES), "example", "tests"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for field, row in rows.items():
        links = ", ".join(f"[{c}]({c.partition('-')[0].lower()}.md)" for c in row.clauses)
        example = traceability.code([shown(name, field, row.example)])
        tests = traceability.code(tests_of(field, row))
        lines.append(f"| {' | '.join([f'`{field}`', links, *row.effects, example, tests])} |")
    return "\n".join(lines)
