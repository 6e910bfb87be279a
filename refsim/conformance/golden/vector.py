"""A golden vector: a case, the right answers, and what it is good for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refsim.conformance.cases import Case, case_id
from refsim.conformance.cases.arrays import array_document, given_array
from refsim.conformance.cases.files import case_document, case_tree, tree_case
from refsim.errors import VectorError

from .answers import Answer, answers

__all__ = ["Vector", "vector_document", "vector_of"]

Tree = dict[str, Any]


@dataclass(frozen=True)
class Vector:
    """A case and the right answers to it.

    Parameters
    ----------
    case
        What is asked; its clauses say what it is about, and ``catches`` the mistake that it catches.
    answers
        What is right, one for each step.
    """

    case: Case
    answers: tuple[Answer, ...]

    @property
    def id(self) -> str:
        """The name that follows from the case."""
        return case_id(self.case)


def vector_of(case: Case, backend: str = "spec") -> Vector:
    """The vector of a case, with refsim's answers; a :class:`~refsim.VectorError` if there are none."""
    return Vector(case, answers(case, backend))


def vector_document(vector: Vector) -> Tree:
    """The vector as plain values."""
    return {
        "id": vector.id,
        "case": case_document(vector.case),
        "answers": [_plain(_answer_tree(answer)) for answer in vector.answers],
    }


def vector_tree(vector: Vector) -> Tree:
    """The vector as nested tables whose leaves are plain values and arrays."""
    return {
        "id": vector.id,
        "case": case_tree(vector.case),
        "answers": [_answer_tree(answer) for answer in vector.answers],
    }


def tree_vector(tree: object) -> Vector:
    """The vector of a tree that was read from a file, checked."""
    if not isinstance(tree, dict) or tree.keys() != {"id", "case", "answers"}:
        raise VectorError("a vector must have id, case and answers.")
    case, listed = tree_case(tree["case"], given_array), tree["answers"]
    if not isinstance(listed, list) or len(listed) != len(case.steps):
        raise VectorError(f"a vector must have {len(case.steps)} answers, one for each step.")
    vector = Vector(case, tuple(_answer(answer) for answer in listed))
    if tree["id"] != vector.id:
        raise VectorError(f"the id of a vector is {str(tree['id'])[:60]}, but it is {vector.id}.")
    return vector


def _answer_tree(answer: Answer) -> Tree:
    stages = [{"clause": c, "name": n, "value": v} for c, n, v in answer.stages]
    return {
        "output": answer.output,
        "stages": stages,
        "gradients": answer.gradients,
        "passed": answer.passed,
        "after": answer.after,
    }


def _answer(tree: object) -> Answer:
    keys = {"output", "stages", "gradients", "passed", "after"}
    if not isinstance(tree, dict) or tree.keys() != keys or not isinstance(tree["stages"], list):
        raise VectorError(f"an answer must have {', '.join(sorted(keys))}.")
    return Answer(
        given_array(tree["output"], "output"),
        tuple(_stage(stage) for stage in tree["stages"]),
        _arrays(tree["gradients"], "gradients"),
        _arrays(tree["passed"], "passed"),
        _arrays(tree["after"], "after"),
    )


def _stage(tree: object) -> tuple[str, str, Any]:
    if not isinstance(tree, dict) or tree.keys() != {"clause", "name", "value"}:
        raise VectorError("a stage must have clause, name and value.")
    clause, name = tree["clause"], tree["name"]
    if not isinstance(clause, str) or not isinstance(name, str):
        raise VectorError("the clause and the name of a stage must be text.")
    return clause, name, given_array(tree["value"], name)


def _arrays(tree: object, where: str) -> Tree:
    if not isinstance(tree, dict):
        raise VectorError(f"{where} is no table of arrays.")
    return {name: given_array(value, name) for name, value in tree.items()}


def _plain(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _plain(value) for key, value in tree.items()}
    return [_plain(value) for value in tree] if isinstance(tree, list) else array_or(tree)


def array_or(leaf: Any) -> Any:
    """A document of an array; other leaves as they are."""
    return array_document(leaf) if hasattr(leaf, "dtype") else leaf
