"""Laws of what a tile remembers, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from refsim.conformance.cases import Case

from .law import Law, Run, all_equal, equal, repeated

__all__ = ["LAWS"]

PLAIN = frozenset(
    {
        "bias",
        "input_range",
        "learned_range",
        "dac",
        "adc",
        "asymmetry",
        "noise_management",
        "bound_management",
        "mapping_scales",
        "out_scaling",
        "backward",
        "float64",
    }
)
"""What may be switched on where a law is about something else."""


def _deterministic(run: Run, case: Case) -> None:
    for first, second in zip(run(case), run(case), strict=True):
        law = "the same steps returned before"
        equal("state", "output", second.output, first.output, law)
        all_equal("state", second.gradients or {}, first.gradients or {}, law)
        all_equal("state", second.passed, first.passed, law)


def _evaluation(run: Run, case: Case) -> None:
    step = replace(case.steps[0], training=False, update=False, reload=False)
    (seen,) = run(repeated(case, step))
    before = {name: value for name, value in seen.before.items() if name in KEPT}
    all_equal("state", seen.passed, before, "before an evaluation it was")


KEPT = ("weight", "bias", "input_range", "input_range_update_idx", "mapping_scales")
"""State that an evaluation leaves alone; the count of passes goes on, and quantisers without a range take one."""


def _restored(run: Run, case: Case) -> None:
    first = replace(case.steps[0], reload=False)
    second = replace(first, update=False)
    straight = run(repeated(case, first, second))[1]
    loaded = run(repeated(case, first, replace(second, reload=True)))[1]
    law = "without saving and loading it is"
    all_equal("state", loaded.before, straight.before, law)
    equal("state", "output", loaded.output, straight.output, law)


def _added(run: Run, case: Case) -> None:
    first = replace(case.steps[0], training=False, update=False)
    second = replace(first, x=first.x[::-1].copy(), dy=-2 * _dy(first))
    alone = [run(repeated(case, step))[0].gradients or {} for step in (first, second)]
    both = run(repeated(case, first, second))[1].gradients or {}
    wanted = {k: alone[0][k] + alone[1][k] for k in _parameters(alone[0])}
    all_equal("state", both, wanted, "the sum of both passes is")


def _cleared(run: Run, case: Case) -> None:
    step = replace(case.steps[0], training=False, update=False)
    still = replace(case, sgd=replace(case.sgd, lr=0.0, momentum=0.0, nesterov=False))
    alone = run(repeated(still, step))[0].gradients or {}
    again = run(repeated(still, replace(step, update=True), step))[1].gradients or {}
    wanted = {k: alone[k] for k in _parameters(alone)}
    all_equal("state", again, wanted, "without a step before it is")


def _standing(run: Run, case: Case) -> None:
    step = replace(case.steps[0], dy=np.zeros_like(_dy(case.steps[0])), update=True)
    plain = replace(case.sgd, momentum=0.0, nesterov=False, weight_decay=0.0)
    (seen,) = run(replace(case, steps=(step,), sgd=plain))
    kept = {k: v for k, v in seen.passed.items() if k in ("weight", "bias", "out_scaling_alpha")}
    all_equal("OP-1", seen.after or {}, kept, "before a step with gradients of 0 it is")


def _parameters(found: Mapping[str, Any]) -> list[str]:
    return [name for name in found if name != "input"]


def _dy(step: Any) -> Any:
    return step.dy


def _back(case: Case) -> bool:
    return case.steps[0].dy is not None


EVALUATED = frozenset({"eval"})
TRAINED = frozenset({"eval", "backward", "sgd"})

LAWS = (
    Law(
        "the same again",
        "state",
        _deterministic,
        PLAIN | {"data_init", "decay", "eval"},
        rounds=True,
    ),
    Law(
        "evaluation changes nothing",
        "state",
        _evaluation,
        PLAIN | {"data_init", "decay"},
        EVALUATED,
        rounds=True,
    ),
    Law(
        "saved and loaded",
        "state",
        _restored,
        PLAIN | {"data_init", "decay", "checkpoint", "sgd"},
        frozenset({"checkpoint"}),
        lambda case: case.sgd.momentum == 0 and (case.steps[0].dy is None or case.steps[0].update),
        ("save", "load"),
        rounds=True,
    ),
    Law(
        "gradients add up",
        "state",
        _added,
        PLAIN | {"decay", "sgd"},
        frozenset({"eval", "backward"}),
        _back,
    ),
    Law("a step clears gradients", "state", _cleared, PLAIN | {"decay", "sgd"}, TRAINED, _back),
    Law(
        "no gradient, no change",
        "OP-1",
        _standing,
        PLAIN | {"sgd"},
        frozenset({"backward", "sgd"}),
        _back,
    ),
)
