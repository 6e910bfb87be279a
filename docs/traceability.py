"""Where each clause stands: in the specification, in the documentation and in the tests.

The three places are read as text, so that nothing is imported. ``page`` writes the traceability
page of the documentation; ``tests/test_architecture.py`` fails on a clause that is missing from
one of them.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IN_DOCSTRING = re.compile(r"\[([A-Z]{2}-\d+(?:, [A-Z]{2}-\d+)*)\]$")
IN_HEADING = re.compile(r"^#{2,} ([A-Z]{2}-\d+)\b", re.MULTILINE)
Places = dict[str, list[str]]


def specified() -> Places:
    """Clause id to the functions of ``refsim.spec`` whose first docstring line ends with it."""
    places: Places = defaultdict(list)
    for path in sorted((ROOT / "refsim" / "spec").glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                first_line = (ast.get_docstring(node) or "").partition("\n")[0]
                if found := IN_DOCSTRING.search(first_line):
                    for clause in found[1].split(", "):
                        places[clause].append(f"{path.stem}.{node.name}")
    return dict(places)


def documented() -> Places:
    """Clause id to the pages of ``docs/clauses`` with a heading of that name."""
    places: Places = defaultdict(list)
    for path in sorted((ROOT / "docs" / "clauses").glob("*.md")):
        for clause in IN_HEADING.findall(path.read_text(encoding="utf-8")):
            places[clause].append(path.stem)
    return dict(places)


@cache
def tested() -> Places:
    """Clause id to the test files with a ``pytest.mark.clause`` of that name."""
    places: Places = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for clause in sorted(set(marked(ast.parse(path.read_text(encoding="utf-8"))))):
            places[clause].append(path.relative_to(ROOT).as_posix())
    return dict(places)


def marked(tree: ast.Module) -> Iterator[str]:
    """The clause ids of all ``pytest.mark.clause(...)`` calls, also those that a constant of the module lists."""
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.clause":
            for argument in node.args:
                listed = argument.value if isinstance(argument, ast.Starred) else argument
                source = constants[listed.id] if isinstance(listed, ast.Name) else listed
                yield from (str(p.value) for p in ast.walk(source) if isinstance(p, ast.Constant))


def order(clause: str) -> tuple[str, int]:
    """Sorts ``SU-2`` before ``SU-10``."""
    family, number = clause.split("-")
    return family, int(number)


def page() -> str:
    """The traceability page."""
    columns = specified(), documented(), tested()
    lines = [
        "# Traceability",
        "",
        "Written from the sources with each build. A test fails where a cell is empty.",
        "",
        "| clause | specification | page | tests |",
        "|---|---|---|---|",
    ]
    for clause in sorted(set().union(*columns), key=order):
        function, pages, tests = (column.get(clause, []) for column in columns)
        links = ", ".join(f"[{name}]({name}.md)" for name in pages)
        lines.append(f"| {clause} | {code(function)} | {links} | {code(tests)} |")
    return "\n".join(lines) + "\n"


def code(names: list[str]) -> str:
    """The names as code, comma separated."""
    return ", ".join(f"`{name}`" for name in names)
