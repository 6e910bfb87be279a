"""Simpler cases: fewer steps, rows, outputs and inputs, less switched on, rounder numbers."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, Final

import numpy as np

from refsim.conformance.cases import Case, Step
from refsim.errors import RefsimError

__all__ = ["SIMPLER", "switched_on"]

FEW: Final = 8
PLAIN_SGD: Final[tuple[dict[str, Any], ...]] = (
    {"nesterov": False},
    {"nesterov": False, "momentum": 0.0, "dampening": 0.0},
    {"dampening": 0.0},
    {"weight_decay": 0.0},
    {"lr": 1.0},
)
QUIET: Final[dict[str, Any]] = {
    "inp_res": -1.0,
    "out_res": -1.0,
    "out_noise": 0.0,
    "inp_bound": -1.0,
    "out_bound": -1.0,
    "decay": 0.0,
    "init_from_data": 0,
    "noise_management": "NONE",
    "bound_management": "NONE",
    "gradient_relative": False,
    "is_perfect": True,
}
"""What switches a field off, where that is not its default."""
FIRST: Final = ("is_perfect", "enable", "learn_input_range", "init_from_data")
"""Fields that switch much off at once."""


def _with(case: Case, number: int, step: Step) -> Case:
    steps = list(case.steps)
    steps[number] = step
    return replace(case, steps=tuple(steps))


def _fewer_steps(case: Case) -> Iterator[Case]:
    for count in (1, len(case.steps) // 2):
        if 0 < count < len(case.steps):
            yield replace(case, steps=case.steps[:count])
    if len(case.steps) > 1:
        for number in reversed(range(len(case.steps))):
            yield replace(case, steps=case.steps[:number] + case.steps[number + 1 :])


def _fewer_rows(case: Case) -> Iterator[Case]:
    for number, step in enumerate(case.steps):
        if step.x.ndim != 2:
            yield _with(case, number, _flat(step))
            for axis in range(-step.x.ndim, -1):
                if step.x.shape[axis] > 1:
                    yield _with(case, number, _one_of(step, axis))
            continue
        rows = len(step.x)
        half = rows // 2
        parts = [range(half), range(half, rows)] if rows > 3 else []
        single = [[r for r in range(rows) if r != out] for out in range(rows)] if rows > 1 else []
        for part in [*parts, *single]:
            yield _with(case, number, _rows(step, list(part)))


def _one_of(step: Step, axis: int) -> Step:
    """The first part of a batch along an axis, counted from the last."""
    noise = {
        name: a if name.startswith("weight") else np.take(a, [0], axis)
        for name, a in step.noise.items()
    }
    dy = None if step.dy is None else np.take(step.dy, [0], axis)
    return replace(step, x=np.take(step.x, [0], axis), dy=dy, noise=noise)


def _fewer_batches(case: Case) -> Iterator[Case]:
    """Less to calibrate with."""
    for number, step in enumerate(case.steps):
        made = step.calibration
        if made is None:
            continue
        batches = made.batches
        shorter = [batches[:i] + batches[i + 1 :] for i in range(len(batches))]
        shorter = shorter if len(batches) > 1 else []
        for i, batch in enumerate(batches):
            rows = range(len(batch)) if len(batch) > 1 else ()
            shorter += [(*batches[:i], np.delete(batch, row, 0), *batches[i + 1 :]) for row in rows]
        for one in shorter:
            yield _with(case, number, replace(step, calibration=replace(made, batches=one)))


def _flat(step: Step) -> Step:
    lead = step.x.shape[:-1]
    rows = int(np.prod(lead))

    def flat(a: Any) -> Any:
        return np.reshape(a, (rows, a.shape[-1]))

    noise = {
        name: a if name.startswith("weight") else _flat_noise(a, lead, rows)
        for name, a in step.noise.items()
    }
    dy = None if step.dy is None else flat(step.dy)
    return replace(step, x=flat(step.x), dy=dy, noise=noise)


def _flat_noise(a: Any, lead: tuple[int, ...], rows: int) -> Any:
    passes = a.shape[: a.ndim - len(lead) - 1]
    return np.reshape(a, (*passes, rows, a.shape[-1]))


def _rows(step: Step, kept: list[int]) -> Step:
    noise = {}
    for name, a in step.noise.items():
        per_row = not name.startswith("weight")
        if per_row:
            noise[name] = a[..., kept, :]
        else:
            noise[name] = a[kept] if a.ndim == 3 else a
    dy = None if step.dy is None else step.dy[kept]
    return replace(step, x=step.x[kept], dy=dy, noise=noise)


def _fewer_lines(case: Case) -> Iterator[Case]:
    outputs, inputs = case.weight.shape
    for axis, count in ((0, outputs), (1, inputs)):
        if count < 2:
            continue
        half = count // 2
        halves = [range(half), range(half, count)] if count > 3 else []
        for kept in [*halves, *([i for i in range(count) if i != out] for out in range(count))]:
            yield _lines(case, axis, list(kept))


def _lines(case: Case, axis: int, kept: list[int]) -> Case:
    outputs = case.weight.shape[0]

    def taken(a: Any) -> Any:
        return a[..., kept]

    def stepped(step: Step) -> Step:
        side = "out" if axis == 0 else "inp"
        noise = {
            name: np.take(a, kept, axis=a.ndim - 2 + axis)
            if name.startswith("weight")
            else (taken(a) if name.startswith(side) else a)
            for name, a in step.noise.items()
        }
        if step.weight is not None:
            step = replace(step, weight=np.take(step.weight, kept, axis))
        if axis == 1:
            made = step.calibration
            if made is not None:
                made = replace(made, batches=tuple(map(taken, made.batches)))
            return replace(step, x=taken(step.x), noise=noise, calibration=made)
        dy, bias = (None if a is None else taken(a) for a in (step.dy, step.bias))
        return replace(step, dy=dy, bias=bias, noise=noise)

    state, bias = dict(case.state), case.bias
    if axis == 0:
        bias = None if bias is None else taken(bias)
        state = {
            name: taken(a) if a.shape == (outputs,) and outputs > 1 and a.ndim == 1 else a
            for name, a in state.items()
        }
    steps = tuple(map(stepped, case.steps))
    return replace(
        case, weight=np.take(case.weight, kept, axis), bias=bias, state=state, steps=steps
    )


def _less_asked(case: Case) -> Iterator[Case]:
    """Without updates, reloads, backward passes, bias, further state, or with a plainer optimiser."""
    for number, step in enumerate(case.steps):
        plainer: list[dict[str, Any]] = [{"reload": False}, {"update": False}, {"dy": None}]
        plainer += [{"calibration": None}, {"weight": None}]
        for change in [*plainer, {"training": False}]:
            ((name, plain),) = change.items()
            if getattr(step, name) is not plain:
                yield _with(case, number, replace(step, **change))
    if case.bias is not None:
        steps = tuple(replace(step, bias=None) for step in case.steps)
        yield replace(case, bias=None, steps=steps)
    for name in case.state:
        yield replace(case, state={k: v for k, v in case.state.items() if k != name})
    for change in PLAIN_SGD:
        sgd = replace(case.sgd, **change)
        if sgd != case.sgd:
            yield replace(case, sgd=sgd)


def _less_configured(case: Case) -> Iterator[Case]:
    """One field of the configuration switched off, or back at its default."""
    for path, name, value, off in sorted(_switches(case.config), key=_much_at_once):
        if value == off:
            continue
        config = copy.deepcopy(case.config)
        part = config
        for step in path:
            part = getattr(part, step)
        try:
            setattr(part, name, off)
            yield _fitting(replace(case, config=config))
        except RefsimError:
            continue  # not a configuration


def _without_range(case: Case) -> Iterator[Case]:
    """The inputs in units of the range, and no range: what fails then has nothing to do with it."""
    config = copy.deepcopy(case.config)
    p = config.pre_post.input_range
    if not p.enable:
        return
    p.enable = False
    r = np.abs(np.ravel(case.state.get("input_range", [p.init_value])))[0].astype(case.T)
    if r == 0:
        return
    steps = (replace(step, x=np.clip(step.x, -r, r) / r, calibration=None) for step in case.steps)
    with suppress(RefsimError):
        yield _fitting(replace(case, config=config, steps=tuple(steps)))


def switched_on(config: Any) -> set[str]:
    """The fields of a configuration that are not off, by path (``"forward.inp_res"``)."""
    every = {".".join((*path, name)): value != off for path, name, value, off in _switches(config)}
    return {
        name
        for name, on in every.items()
        if on and every.get(name.rpartition(".")[0] + ".is_perfect") is not False
    }


def _much_at_once(switch: tuple[tuple[str, ...], str, Any, Any]) -> bool:
    return switch[1] not in FIRST


def _switches(
    part: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str, Any, Any]]:
    """Every field of a configuration: where it is, its name, its value, and what switches it off."""
    default = type(part)()
    for field in fields(part):
        value, plain = getattr(part, field.name), getattr(default, field.name)
        if field.name in ("tile_class", "runtime", "choices"):
            continue
        if is_dataclass(value):
            yield from _switches(value, (*path, field.name))
        elif field.name in QUIET:
            off = QUIET[field.name]
            yield path, field.name, value, type(value)[off] if isinstance(value, Enum) else off
        else:
            yield path, field.name, value, plain


def _fitting(case: Case) -> Case:
    """The case without noise, state or shapes for what is switched off."""
    tile = case.config.create_tile(*case.weight.shape, bias=case.bias is not None, backend="spec")
    known = {**tile.state_dict()}
    state = {
        name: a if name == "mapping_scales" or a.shape == known[name].shape else a.reshape(-1)[:1]
        for name, a in case.state.items()
        if name in known or name == "mapping_scales"
    }
    return replace(case, state=state, steps=tuple(_quiet(tile, step) for step in case.steps))


def _quiet(tile: Any, step: Step) -> Step:
    """The step with the noise that is still switched on."""
    if not step.noise:
        return step
    _, trace = tile.train(step.training).forward(step.x, trace=True)
    kept = {}
    for name, a in step.noise.items():
        if name in trace.noise:
            used = trace.noise[name]
            kept[name] = a if a.ndim == used.ndim else (a[0] if a.ndim > used.ndim else a)
    return replace(step, noise=kept)


def _rounder(case: Case) -> Iterator[Case]:
    """Simpler numbers: all of an array at once, then one by one where there are few."""
    for where, a in _arrays(case):
        if not a.size:
            continue
        for simple in (np.zeros_like, np.ones_like, np.round, _halves, _short):
            made = simple(a)
            if _rank(made) < _rank(a):
                yield _put(case, where, made)
        if a.size <= FEW:
            for index in np.ndindex(a.shape):
                for simple in (np.zeros_like, np.ones_like, np.round, _halves):
                    made = a.copy()
                    made[index] = simple(a[index])
                    if _rank(made) < _rank(a):
                        yield _put(case, where, made)


def _halves(a: Any) -> Any:
    return np.round(np.multiply(a, 2)) / np.asarray(2, np.asarray(a).dtype)


def _short(a: Any) -> Any:
    return np.round(a * 64) / a.dtype.type(64)


def _rank(a: Any) -> float:
    """0 for zero, 1 for one, more for whole numbers, halves, 64ths and others; added up. It only falls."""
    x = np.asarray(a, dtype=float)
    ranks = [x == 0, x == 1, x == np.round(x), 2 * x == np.round(2 * x), 64 * x == np.round(64 * x)]
    return float(np.select(ranks, range(5), 5).sum())


Where = tuple[Any, ...]


def _arrays(case: Case) -> Iterator[tuple[Where, Any]]:
    yield ("weight",), case.weight
    if case.bias is not None:
        yield ("bias",), case.bias
    for number, step in enumerate(case.steps):
        yield (number, "x"), step.x
        for name in ("dy", "weight", "bias"):
            if getattr(step, name) is not None:
                yield (number, name), getattr(step, name)
        for name, a in step.noise.items():
            yield (number, "noise", name), a


def _put(case: Case, where: Where, a: Any) -> Case:
    a = np.asarray(a, dtype=case.T)
    if len(where) == 1:
        return replace(case, **{where[0]: a})
    step = case.steps[where[0]]
    if len(where) == 2:
        return _with(case, where[0], replace(step, **{where[1]: a}))
    noise: Mapping[str, Any] = {**step.noise, where[2]: a}
    return _with(case, where[0], replace(step, noise=noise))


SIMPLER: Final = (
    _fewer_steps,
    _fewer_rows,
    _fewer_batches,
    _fewer_lines,
    _less_asked,
    _without_range,
    _less_configured,
    _rounder,
)
"""Functions that propose simpler cases, tried in this order."""
