"""Cases as plain values, complete and small enough to paste into a report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from hashlib import sha256
from types import NoneType
from typing import Any, Final

import numpy as np

from refsim.config import InputRangeCalibrationType
from refsim.errors import ConfigError, RefsimError, VectorError
from refsim.nn import SGD

from .arrays import array_document, array_from_document, given_array
from .configs import config_document, config_from_document
from .container import read_tree, write_tree
from .limits import check_limits
from .model import Calibration, Case, SGDSettings, Step

__all__ = [
    "case_document",
    "case_from_document",
    "case_id",
    "case_tree",
    "read_cases",
    "tree_case",
    "write_cases",
]

KIND: Final = "cases"
KEYS: Final = (
    "config",
    "weight",
    "bias",
    "state",
    "sgd",
    "steps",
    "clauses",
    "catches",
    "name",
)
STEP_KEYS: Final = tuple(field.name for field in fields(Step))
CALIBRATION_KEYS: Final = tuple(field.name for field in fields(Calibration))
CALIBRATION_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "kind": (str,),
    "batches": (list,),
    "quantile": (float, int),
    "max_samples": (int,),
    "std_alpha": (float, int, NoneType),
}
KINDS: Final = tuple(kind.name for kind in InputRangeCalibrationType)
Tree = dict[str, Any]


def case_document(case: Case) -> Tree:
    """A case as plain values.

    Parameters
    ----------
    case
        Any case whose configuration refsim can write to a file.

    Returns
    -------
    dict
        What JSON can write: ``config`` as a configuration file, arrays as ``dtype``, ``shape`` and ``values``, exact to
        the last bit; what is as by default is left out.

    Raises
    ------
    VectorError
        If the configuration or an array cannot be written.

    Examples
    --------
    >>> import refsim as rs
    >>> one = np.ones((1, 1), np.float32)
    >>> case = Case(rs.TorchInferenceRPUConfig(), one, None, (Step(x=one),), clauses=("MV-1",))
    >>> document = case_document(case)
    >>> document["steps"]
    [{'x': {'dtype': 'float32', 'shape': [1, 1], 'values': [1.0]}}]
    >>> case_document(case_from_document(document)) == document
    True
    """
    return {name: _plain(value) for name, value in case_tree(case).items()}


def case_from_document(document: object) -> Case:
    """The case of :func:`case_document`, checked: nothing in the document is trusted.

    Parameters
    ----------
    document
        Anything.

    Returns
    -------
    Case
        The case; its tile can be made, and its batches fit.

    Raises
    ------
    VectorError
        If it is not such a document, or asks for more than a case may.

    Examples
    --------
    >>> case_from_document({"weight": [1, 2]})
    Traceback (most recent call last):
        ...
    refsim.errors.VectorError: the case has no config.
    """
    return tree_case(document, array_from_document)


def case_id(case: Case) -> str:
    """A name that follows from the content alone: the first clause, and a hash of what is asked.

    Parameters
    ----------
    case
        Any case whose configuration refsim can write to a file.

    Returns
    -------
    str
        Clause and eight hexadecimal digits; ``case`` stands for a case without a clause.

    Examples
    --------
    >>> import refsim as rs
    >>> one = np.ones((1, 1), np.float32)
    >>> case_id(Case(rs.TorchInferenceRPUConfig(), one, None, (Step(x=one),), clauses=("MV-1",)))
    'MV-1-b1d6a69e'
    """
    document = case_document(case)
    asked = {k: v for k, v in document.items() if k not in ("clauses", "catches", "name")}
    text = json.dumps(asked, sort_keys=True)
    return f"{(*case.clauses, 'case')[0]}-{sha256(text.encode()).hexdigest()[:8]}"


def case_tree(case: Case) -> Tree:
    """A case as nested tables and lists whose leaves are plain values and arrays."""
    try:
        config = config_document(case.config)
    except ConfigError as error:
        raise VectorError(f"the case cannot be written: {error}") from error
    sgd = {k: v for k, v in asdict(case.sgd).items() if v != getattr(SGDSettings(), k)}
    tree = {
        "config": config,
        "weight": case.weight,
        "bias": case.bias,
        "state": dict(case.state),
        "sgd": sgd,
        "steps": [_step_tree(step) for step in case.steps],
        "clauses": list(case.clauses),
        "catches": case.catches,
        "name": case.name,
    }
    return {key: value for key, value in tree.items() if not _is_empty(value)}


def tree_case(tree: object, array: Callable[[object, str], Any]) -> Case:
    """The case of a tree; ``array`` makes an array of a leaf, given what it is."""
    table = _table(tree, "the case", KEYS, ("config", "weight", "steps"))
    steps = table["steps"]
    if not isinstance(steps, list) or not steps:
        raise VectorError("steps is no list of at least one step.")
    bias = table.get("bias")
    case = Case(
        config=config_from_document(table["config"]),
        weight=array(table["weight"], "weight"),
        bias=None if bias is None else array(bias, "bias"),
        steps=tuple(_step(step, f"steps[{k}]", array) for k, step in enumerate(steps)),
        state=_arrays(table.get("state", {}), "state", array),
        sgd=_sgd(table.get("sgd", {})),
        clauses=_texts(table.get("clauses", [])),
        catches=_text(table.get("catches", ""), "catches"),
        name=_text(table.get("name", ""), "name"),
    )
    check_limits(case)
    try:
        with np.errstate(all="ignore"):
            SGD([case.tile()], **asdict(case.sgd))
    except (RefsimError, TypeError) as error:
        raise VectorError(f"no tile can be made of the case: {error}") from error
    return case


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return array_document(value)
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, (dict, list, str)) and not value)


def _step_tree(step: Step) -> Tree:
    tree: Tree = {"x": step.x}
    if step.dy is not None:
        tree["dy"] = step.dy
    for field in fields(Step):
        if field.type == "bool" and getattr(step, field.name) != field.default:
            tree[field.name] = getattr(step, field.name)
    for name in ("weight", "bias"):
        if getattr(step, name) is not None:
            tree[name] = getattr(step, name)
    if step.calibration is not None:
        tree["calibration"] = vars(step.calibration) | {"batches": list(step.calibration.batches)}
    return tree | ({"noise": dict(step.noise)} if step.noise else {})


def _step(tree: object, where: str, array: Callable[[object, str], Any]) -> Step:
    table = _table(tree, where, STEP_KEYS, ("x",))
    flags = {name: table[name] for name in ("training", "update", "reload") if name in table}
    for name, value in flags.items():
        if type(value) is not bool:
            raise VectorError(f"{where}.{name} is {str(value)[:40]}, allowed are true and false.")
    given = {name: table[name] for name in ("dy", "weight", "bias") if table.get(name) is not None}
    calibration = table.get("calibration")
    return Step(
        x=array(table["x"], f"{where}.x"),
        **{name: array(value, f"{where}.{name}") for name, value in given.items()},
        calibration=None if calibration is None else _calibration(calibration, where, array),
        noise=_arrays(table.get("noise", {}), f"{where}.noise", array),
        **flags,
    )


def _calibration(tree: object, where: str, array: Callable[[object, str], Any]) -> Calibration:
    where = f"{where}.calibration"
    table = _table(tree, where, CALIBRATION_KEYS, ("kind", "batches"))
    for name, kinds in CALIBRATION_KINDS.items():
        if name in table and type(table[name]) not in kinds:
            raise VectorError(f"{where}.{name} is {str(table[name])[:40]}, of the wrong kind.")
    if table["kind"] not in KINDS:
        raise VectorError(
            f"{where}.kind is {table['kind'][:40]!r}, allowed are {', '.join(KINDS)}."
        )
    batches = tuple(array(value, f"{where}.batches") for value in table["batches"])
    return Calibration(**{**table, "batches": batches})


def _arrays(tree: object, where: str, array: Callable[[object, str], Any]) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise VectorError(f"{where} is no table of arrays.")
    return {name: array(value, f"{where}.{name[:80]}") for name, value in tree.items()}


def _sgd(tree: object) -> SGDSettings:
    names = tuple(field.name for field in fields(SGDSettings))
    table = _table(tree, "sgd", names, ())
    for name, value in table.items():
        if type(value) not in ((bool,) if name == "nesterov" else (int, float)):
            raise VectorError(f"sgd.{name} is {str(value)[:40]}, which is of the wrong kind.")
    try:
        return SGDSettings(**table)
    except ConfigError as error:
        raise VectorError(f"sgd cannot be used: {error}") from error


def _texts(tree: object) -> tuple[str, ...]:
    if not isinstance(tree, list):
        raise VectorError("clauses is no list of texts.")
    return tuple(_text(item, "clauses") for item in tree)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise VectorError(f"{where} must be text of at most 1000 characters.")
    return value


def _table(tree: object, where: str, known: tuple[str, ...], needed: tuple[str, ...]) -> Tree:
    if not isinstance(tree, dict):
        raise VectorError(f"{where} is no table.")
    for name in needed:
        if name not in tree:
            raise VectorError(f"{where} has no {name}.")
    for name in tree:
        if name not in known:
            allowed = ", ".join(known)
            raise VectorError(f"{where} has the key {str(name)[:40]!r}, allowed are {allowed}.")
    return tree


def write_cases(path: str | os.PathLike[str], cases: Sequence[Case]) -> None:
    """Write cases to one safetensors file, atomically.

    Parameters
    ----------
    path
        The file.
    cases
        The cases, in order.

    Raises
    ------
    VectorError
        If a case cannot be written.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import refsim as rs
    >>> from tempfile import TemporaryDirectory
    >>> one = np.ones((1, 1), np.float32)
    >>> case = Case(rs.TorchInferenceRPUConfig(), one, None, (Step(x=one),))
    >>> with TemporaryDirectory() as folder:
    ...     write_cases(f"{folder}/cases.safetensors", [case])
    ...     [case_id(read) for read in read_cases(f"{folder}/cases.safetensors")]
    ['case-b1d6a69e']
    """
    write_tree(path, KIND, {"cases": [case_tree(case) for case in cases]})


def read_cases(path: str | os.PathLike[str]) -> list[Case]:
    """Read the cases of :func:`write_cases`; nothing in the file is trusted.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Case
        In order.

    Raises
    ------
    VectorError
        If the file is missing, damaged, too large, or holds anything but cases.
    """
    listed = read_tree(path, KIND).get("cases")
    if not isinstance(listed, list):
        raise VectorError(f"{path} holds no list of cases.")
    return [tree_case(tree, given_array) for tree in listed]
