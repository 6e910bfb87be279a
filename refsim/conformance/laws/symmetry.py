"""Laws of sign, size, order and splitting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from refsim.config import NoiseManagementType
from refsim.conformance.cases import Case

from .law import Law, Run, equal, gradients, repeated, stepped
from .state import PLAIN

__all__ = ["LAWS"]

UNMANAGED = PLAIN - {"noise_management"}


def _linear(run: Run, case: Case) -> None:
    dy: Any = case.steps[0].dy
    once, twice = run(stepped(case)), run(stepped(case, dy=2 * dy))
    found = {name: value for _, name, value in gradients(case, twice[0])}
    for clause, name, value in gradients(case, once[0]):
        law = "twice the gradient of half the output's is"
        equal(clause, f"gradient of {name}", found.get(name), 2 * value, law)


def _odd(run: Run, case: Case) -> None:
    step = case.steps[0]
    turned = stepped(case, x=-step.x, dy=None if step.dy is None else -step.dy)
    here, there = run(stepped(case))[0], run(turned)[0]
    clause = "DC-1" if _rounds(case) else "IR-2"
    equal(clause, "output of -x", there.output, -here.output, "minus the output of x is")
    found = {name: value for _, name, value in gradients(case, there)}
    for rule, name, value in gradients(case, here):
        sign = 1 if name in ("weight", "input_range", "out_scaling_alpha") else -1
        equal(
            rule, f"gradient of {name} at -x", found.get(name), sign * value, "by that at x it is"
        )


def _rounds(case: Case) -> bool:
    io = getattr(case.config, "forward", None)
    return io is not None and not io.is_perfect and (io.inp_res > 0 or io.out_res > 0)


def _scaled(run: Run, case: Case) -> None:
    r = case.state.get("input_range", np.array([_first(case)], case.T))
    bias = None if case.bias is None else 2 * case.bias
    larger = replace(case, bias=bias, state={**case.state, "input_range": 2 * r})
    here = run(stepped(case))[0]
    there = run(stepped(larger, x=2 * case.steps[0].x))[0]
    law = "twice the output of half the input and range is"
    equal("IR-3", "output", there.output, 2 * here.output, law)


def _first(case: Case) -> float:
    return float(case.config.pre_post.input_range.init_value)


def _clipped(run: Run, case: Case) -> None:
    (seen,) = run(stepped(case))
    r = np.abs(seen.passed["input_range"][0])
    (inside,) = run(stepped(case, x=np.clip(case.steps[0].x, -r, r)))
    equal("IR-2", "output", inside.output, seen.output, "without clipping beforehand it is")


def _rows(run: Run, case: Case) -> None:
    order = np.arange(len(case.steps[0].x))[::-1]
    step = case.steps[0]
    moved = stepped(case, x=step.x[order], dy=None if step.dy is None else step.dy[order])
    here, there = run(stepped(case))[0], run(moved)[0]
    equal("MV-1", "output", there.output, here.output[order], "in the order of the rows it is")
    found = {name: value for _, name, value in gradients(case, there)}
    for clause, name, value in gradients(case, here):
        wanted = value[order] if name == "input" else value
        equal(clause, f"gradient of {name}", found.get(name), wanted, "whatever the order it is")


def _outputs(run: Run, case: Case) -> None:
    order, count = np.arange(len(case.weight))[::-1], len(case.weight)
    step = case.steps[0]
    state = {k: v[order] if v.shape == (count,) else v for k, v in case.state.items()}
    moved = replace(
        case,
        weight=case.weight[order],
        bias=None if case.bias is None else case.bias[order],
        state=state,
    )
    dy = None if step.dy is None else step.dy[:, order]
    here, there = run(stepped(case))[0], run(stepped(moved, dy=dy))[0]
    law = "in the order of the outputs it is"
    equal("PP-1", "output", there.output, here.output[:, order], law)
    if step.dy is not None and here.gradients and there.gradients:
        got = there.gradients.get("input")
        equal("MV-3", "gradient of input", got, here.gradients["input"], "whatever the order it is")


def _inputs(run: Run, case: Case) -> None:
    order = np.arange(case.weight.shape[1])[::-1]
    moved = replace(case, weight=case.weight[:, order])
    here = run(stepped(case))[0]
    there = run(stepped(moved, x=case.steps[0].x[:, order]))[0]
    equal("MV-1", "output", there.output, here.output, "whatever the order of the inputs it is")


def _split(run: Run, case: Case) -> None:
    step = replace(case.steps[0], training=False, dy=None, update=False)
    (whole,) = run(repeated(case, step))
    rows = [replace(step, x=step.x[i : i + 1]) for i in range(len(step.x))]
    parts = [seen.output for seen in run(repeated(case, *rows))]
    law = "row by row it is"
    equal("MV-1", "output", whole.output, np.concatenate(parts), law)


def _rescaled(run: Run, case: Case) -> None:
    state = {**case.state, "mapping_scales": 2 * case.state["mapping_scales"]}
    here, there = run(stepped(case))[0], run(stepped(replace(case, state=state)))[0]
    equal("PP-1", "output", there.output, 2 * here.output, "twice that of half the scales is")


def _back(case: Case) -> bool:
    return case.steps[0].dy is not None


def _ranged(case: Case) -> bool:
    return bool(case.config.pre_post.input_range.enable)


def _signed(case: Case) -> bool:
    """Whether management tells positive from negative inputs."""
    io = getattr(case.config, "forward", None)
    return io is not None and io.noise_management == NoiseManagementType.MAX


def _many(case: Case) -> bool:
    return len(case.steps[0].x) > 1


def _shortcut(case: Case) -> bool:
    """Whether no row has a scale of 0, which management treats apart if all rows have."""
    return bool(case.steps[0].x.any(axis=-1).all()) and _many(case) and not _signed(case)


NONE: frozenset[str] = frozenset()
RANGED = frozenset({"input_range"})

LAWS = (
    Law(
        "linear in the gradient",
        "MV-4",
        _linear,
        PLAIN,
        frozenset({"backward"}),
        _back,
        rounds=True,
    ),
    Law("odd", "DC-1", _odd, PLAIN - {"asymmetry", "bias"}, NONE, lambda case: not _signed(case)),
    Law("twice as large", "IR-3", _scaled, PLAIN, RANGED, _ranged),
    Law("clipped before", "IR-2", _clipped, PLAIN, RANGED, _ranged),
    Law("order of rows", "MV-1", _rows, PLAIN, NONE, _many),
    Law("order of outputs", "PP-1", _outputs, PLAIN, NONE, lambda case: len(case.weight) > 1),
    Law("order of inputs", "MV-1", _inputs, UNMANAGED, NONE, lambda case: case.weight.shape[1] > 1),
    Law(
        "row by row",
        "MV-1",
        _split,
        PLAIN - {"bound_management"} | {"eval"},
        frozenset({"eval"}),
        _shortcut,
    ),
    Law(
        "scales twice as large",
        "PP-1",
        _rescaled,
        PLAIN - {"bias"},
        frozenset({"mapping_scales"}),
        lambda case: "mapping_scales" in case.state,
    ),
)
