"""Laws of the converters: rounding twice is rounding once, and more in is never less out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from refsim.conformance.cases import Case

from .law import Broken, Law, Run, equal, stepped

__all__ = ["LAWS"]

ALONE = frozenset({"dac", "adc", "input_range", "float64"})


def _single(case: Case) -> Case:
    """The case on a tile of one input and one output of weight 1, with the batch in a column."""
    x = case.steps[0].x.reshape(-1, 1)
    one = np.ones((1, 1), case.T)
    state = {k: v for k, v in case.state.items() if k == "input_range"}
    return stepped(replace(case, weight=one, bias=None, state=state), x=x, dy=None)


def _idempotent(run: Run, case: Case) -> None:
    single = _single(case)
    once = run(single)[0].output
    again = run(stepped(single, x=once))[0].output
    equal("DC-1", "output of a rounded input", again, once, "rounded once it was")


def _monotone(run: Run, case: Case) -> None:
    single = _single(case)
    x = np.sort(single.steps[0].x, axis=0)
    y = run(stepped(single, x=x))[0].output
    falls = np.argwhere(np.diff(y[:, 0]) < 0)
    if falls.size:
        i = int(falls[0, 0])
        text = f"the outputs of {x[i, 0]} and {x[i + 1, 0]} are {y[i, 0]} and {y[i + 1, 0]}"
        raise Broken("DC-1", f"{text}, but more in must not be less out")


def _one_converter(case: Case) -> bool:
    """Whether only one side rounds or clips, so that its grid and bound are those of the output."""
    io, p = getattr(case.config, "forward", None), case.config.pre_post.input_range
    if io is None or io.is_perfect or io.out_scale != 1 or p.enable:
        return False
    one_side = (io.inp_res > 0) != (io.out_res > 0)
    other = io.out_bound if io.inp_res > 0 else io.inp_bound
    return bool(one_side and other <= 0)


def _rises(case: Case) -> bool:
    io = getattr(case.config, "forward", None)
    return bool(case.steps[0].x.size and (io is None or io.is_perfect or io.out_scale > 0))


LAWS = (
    Law("rounded twice", "DC-1", _idempotent, ALONE - {"input_range"}, fits=_one_converter),
    Law("never falls", "DC-1", _monotone, ALONE, fits=_rises),
)
