"""Generated runs of whole tiles without a trace, so that passes are fused, with arrays of the host or of the device."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from refsim.conformance.runs import GeneratedRun
from refsim.errors import RangeWarning, RefsimError
from refsim.nn import SGD

STEPS = 3


def outcome(run: GeneratedRun, backend: str, place: Callable[[Any], Any]) -> list[Any]:
    """Everything that a user sees of a few steps; inputs go through ``place`` first, outputs come to the host."""
    found: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RangeWarning)
        try:
            _play(run, backend, place, found)
        except RefsimError as error:
            found.append(str(error))
    return found


def _play(run: GeneratedRun, backend: str, place: Callable[[Any], Any], found: list[Any]) -> None:
    d = run.draw()
    config, bias = run.config(d), d.chance()
    tile = run._created(d, config, bias, backend)
    tile.set_weights(d.moderate(d.O, d.I), d.moderate(d.O) if bias else None)
    optimizer = SGD([tile], lr=0.05)
    for k in range(STEPS):
        tile.train(k < STEPS - 1)
        tile.zero_grad()
        y = tile.forward(place(d.moderate(d.N, d.I)))
        found.append(_on_host(y))
        found.append(_on_host(tile.backward(place(d.moderate(d.N, d.O)))))
        found.extend(np.copy(gradient) for gradient in tile.gradients.values())
        if k < STEPS - 1:
            optimizer.step()
        found.extend(np.copy(value) for value in tile.state_dict().values())


def _on_host(x: Any) -> Any:
    return x if isinstance(x, np.ndarray) else x.copy_to_host()
