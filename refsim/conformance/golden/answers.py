"""What refsim answers in a case, stage by stage, and how other answers differ from it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from refsim.conformance.adapters.own import Own
from refsim.conformance.bits import difference
from refsim.conformance.cases import Case
from refsim.conformance.kit.play import prepared
from refsim.errors import RangeWarning, RefsimError, VectorError

__all__ = ["Answer", "answers", "differences", "named"]


@dataclass(frozen=True)
class Answer:
    """What is right in one step.

    Parameters
    ----------
    output
        ``(..., out)``.
    stages
        Clause, name and value of every intermediate, in order.
    gradients
        What a backward pass returns, those of parameters as accumulated; empty without one.
    passed
        The state after forward and backward.
    after
        The state after the update; empty without one.
    """

    output: Any
    stages: tuple[tuple[str, str, Any], ...]
    gradients: dict[str, Any]
    passed: dict[str, Any]
    after: dict[str, Any]


def answers(case: Case, backend: str = "spec") -> tuple[Answer, ...]:
    """The right answers in a case, one for each step.

    Parameters
    ----------
    case
        What is asked.
    backend
        What computes; all give the same bits.

    Returns
    -------
    tuple of Answer
        Every array a copy.

    Raises
    ------
    VectorError
        If nothing is right: refsim refuses the configuration, a sum overflows, or the range is 0.

    Examples
    --------
    >>> from refsim.conformance.cases.examples import examples
    >>> (answer,) = answers(next(case for case in examples() if case.clauses[0] == "IR-2"))
    >>> answer.output.tolist()
    [[1.0], [-1.0], [0.5]]
    >>> [name for clause, name, value in answer.stages if clause == "IR-2"]
    ['input', 'clip_mask', 'clipped_input']
    """
    own = Own(backend)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RangeWarning)
        try:
            return tuple(_played(own, case))
        except RefsimError as error:
            raise VectorError(
                f"refsim has no answer to {case.name or 'the case'}: {error}"
            ) from error


def _played(own: Own, case: Case) -> Iterator[Answer]:
    handle = own.create(case.config, case.weight, case.bias, case.state)
    for step in case.steps:
        if step.reload:
            handle = own.load(case.config, own.save(handle))
        prepared(own, handle, step)
        y = own.forward(handle, step.x, training=step.training, noise=step.noise)
        gradients = {} if step.dy is None else _copies(own.backward(handle, step.dy))
        stages = tuple(
            (stage.clause, stage.name, np.array(stage.value))
            for trace in handle.traces
            for stage in trace
            if stage.value is not None
        )
        passed = _copies(own.state(handle))
        after: dict[str, Any] = {}
        if step.update:
            own.step(handle, **asdict(case.sgd))
            after = _copies(own.state(handle))
        yield Answer(np.array(y), stages, gradients, passed, after)


def _copies(given: Any) -> dict[str, Any]:
    return {name: np.array(value) for name, value in given.items()}


def named(step: int, answer: Answer) -> Iterator[tuple[str, str, Any]]:
    """Clause, name and value of everything in an answer, in the order in which it comes about."""
    for clause, name, value in answer.stages:
        yield clause, f"step {step} {clause} {name}", value
    yield "PP-2", f"step {step} output", answer.output
    for name, value in answer.gradients.items():
        yield "gradient", f"step {step} gradient of {name}", value
    for name, value in answer.passed.items():
        yield "state", f"step {step} {name}", value
    for name, value in answer.after.items():
        yield "OP-1", f"step {step} {name} after the update", value


def differences(found: tuple[Answer, ...], right: tuple[Answer, ...]) -> dict[str, str]:
    """What differs between answers, bit by bit: the name of each value, and how it differs in a sentence."""
    texts: dict[str, str] = {}
    for step, (got, wanted) in enumerate(zip(found, right, strict=True)):
        here, there = _numbered(named(step, got)), _numbered(named(step, wanted))
        for name in dict.fromkeys((*there, *here)):
            if name not in here or name not in there:
                texts[name] = f"{name} is {'missing' if name not in here else 'not expected'}."
                continue
            text = difference(here[name], there[name], name)
            if text is not None:
                texts[name] = f"{text}."
    return texts


def _numbered(values: Iterator[tuple[str, str, Any]]) -> dict[str, Any]:
    """Values by name; of a name that comes again the place is part of it."""
    table: dict[str, Any] = {}
    for _, name, value in values:
        key, count = name, 1
        while key in table:
            count += 1
            key = f"{name} ({count})"
        table[key] = value
    return table
