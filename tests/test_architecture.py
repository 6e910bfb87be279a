"""The house rules that can be checked: layers, light imports, one interface, traced clauses."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import traceability

import refsim
from refsim import backends

PACKAGE = Path(refsim.__file__).parent
ROOT = Path(__file__).resolve().parents[1]
POINTS = [*(PACKAGE / "kernels").glob("*points.py")]
HEAVY = ["cattrs", "llvmlite", "matplotlib", "numba", "rich", "safetensors", "scipy", "typer"]


def sources(folder: str) -> list[Path]:
    return sorted((PACKAGE / folder).rglob("*.py"))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported_modules(tree: ast.AST) -> set[str]:
    """Absolute names of all imported modules; a relative import counts as its dots and name."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return names


def functions(module: ModuleType) -> dict[str, inspect.Signature]:
    return {name: inspect.signature(getattr(module, name)) for name in module.__all__}


def test_the_package_under_test_is_the_checkout() -> None:
    assert PACKAGE.parent == ROOT


def test_imports_only_go_down() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("statement", ["import refsim", "import refsim, refsim.spec"])
def test_the_import_is_light(statement: str) -> None:
    command = (
        f"import sys; {statement}; print(*sorted({{n.partition('.')[0] for n in sys.modules}}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not set(HEAVY) & set(result.stdout.split())


@pytest.mark.parametrize("path", sources("spec"), ids=lambda path: path.name)
def test_the_specification_needs_numpy_and_the_standard_library_only(path: Path) -> None:
    outside = {
        name
        for name in imported_modules(parse(path))
        if not (name.startswith(".") and not name.startswith(".."))
        and name.partition(".")[0] not in {*sys.stdlib_module_names, "numpy"}
        and not name.startswith("refsim.spec")
    }
    assert not outside


@pytest.mark.parametrize("path", sources("kernels"), ids=lambda path: path.name)
def test_no_kernel_knows_the_specification(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not {name for name in imported_modules(ast.parse(text)) if "spec" in name.split(".")}
    assert "refsim.spec" not in text


def test_specification_and_cpu_kernels_have_one_interface() -> None:
    assert functions(backends.load("spec")) == functions(backends.load("cpu"))


def test_each_public_function_of_the_specification_is_a_clause() -> None:
    spec = backends.load("spec")
    assert all(
        traceability.IN_DOCSTRING.search(
            (inspect.getdoc(getattr(spec, name)) or "").partition("\n")[0]
        )
        for name in spec.__all__
    )


def test_each_clause_is_specified_once_documented_once_and_tested() -> None:
    specified, documented = traceability.specified(), traceability.documented()
    assert specified.keys() == documented.keys()
    assert specified.keys() == traceability.tested().keys()
    assert all(len(places) == 1 for places in (*specified.values(), *documented.values()))


@pytest.mark.parametrize("clause", sorted(traceability.documented(), key=traceability.order))
def test_each_clause_stands_on_the_page_of_its_family(clause: str) -> None:
    assert traceability.documented()[clause] == [clause.partition("-")[0].lower()]


def contracted(tree: ast.AST) -> list[int]:
    """Lines of a sum with a ``*`` product as operand, written in place or named before."""

    def is_product(node: ast.AST) -> bool:
        if isinstance(node, ast.UnaryOp):
            return is_product(node.operand)
        if isinstance(node, ast.Name):
            return node.id in products
        return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)

    products: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and is_product(node.value):
            products |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    operands = {
        (node.lineno, operand)
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub)
        for operand in (
            [node.left, node.right] if isinstance(node, ast.BinOp) else [node.target, node.value]
        )
    }
    return sorted({line for line, operand in operands if is_product(operand)})


def untyped_literals(tree: ast.AST) -> list[int]:
    """Lines with a float literal outside a conversion such as ``T(0.5)`` or ``T(2.0**-24)``."""
    constant = ast.Constant | ast.UnaryOp | ast.BinOp | ast.operator | ast.unaryop
    typed = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and len(node.args) == 1
        for part in ast.walk(node.args[0])
        if all(isinstance(other, constant) for other in ast.walk(node.args[0]))
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, float)
        and id(node) not in typed
    ]


def test_scalar_bodies_cannot_be_contracted() -> None:
    assert not [path for path in POINTS if contracted(parse(path))]


def test_scalar_bodies_have_typed_literals_only() -> None:
    assert not [path for path in POINTS if untyped_literals(parse(path))]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("y = a * b + c", 1),
        ("y = c - -(a * b)", 1),
        ("y += a * b", 1),
        ("p = a * b\ny = c + p", 1),
        ("y = (a + b) * c", 0),
        ("y = add(mul(a, b), c)", 0),
    ],
)
def test_the_contraction_lint_sees_a_product_in_a_sum(source: str, lines: int) -> None:
    assert len(contracted(ast.parse(source))) == lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("y = 0.5 * x", 1),
        ("y = T(0.5 * x)", 1),
        ("y = T(0.5) * x", 0),
        ("y = T(2.0**-24)", 0),
        ("y = x[2]", 0),
    ],
)
def test_the_literal_lint_sees_an_untyped_float(source: str, lines: int) -> None:
    assert len(untyped_literals(ast.parse(source))) == lines
