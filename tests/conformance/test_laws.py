"""Laws that need no oracle: refsim keeps them all, and for each there is a tile that breaks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from refsim.conformance.adapters import Capabilities
from refsim.conformance.adapters.capabilities import DEFAULT_FEATURES
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.adapters.own import Own
from refsim.conformance.cases import FEATURES
from refsim.conformance.kit.behaviours import BEHAVIOURS
from refsim.conformance.laws import LAWS, laws

pytestmark = pytest.mark.filterwarnings("ignore::refsim.RangeWarning")
DECLARED = Capabilities(features=DEFAULT_FEATURES | {"checkpoint"})


def test_refsim_keeps_all_laws() -> None:
    everything = Capabilities(features=frozenset(FEATURES))
    results = list(laws(guarded(Own(traced=False)), everything, seed=1, count=8))
    assert [result for result in results if not result.ok] == []
    assert Counter(result.law for result in results) == {law.name: 8 for law in LAWS}


def test_laws_are_reproducible() -> None:
    first, second = (list(laws(guarded(Own()), DECLARED, count=1)) for _ in range(2))
    assert [(r.law, r.case.steps[0].x.tolist()) for r in first] == [
        (r.law, r.case.steps[0].x.tolist()) for r in second
    ]


def test_laws_of_what_is_not_declared_are_left_out() -> None:
    plain = Capabilities(features=frozenset({"bias"}))
    names = {result.law for result in laws(guarded(Own(traced=False)), plain, count=1)}
    assert "saved and loaded" not in names
    assert "twice as large" not in names
    assert "order of inputs" in names


# ----- a tile for each law that breaks it


def changed_output(change: Callable[[Any, Any], Any]) -> Own:
    """refsim's tile with a change to its output, given the input."""

    class Changed(Own):
        def forward(self, handle: Any, x: Any, **options: Any) -> Any:
            return change(super().forward(handle, x, **options), x)

    return Changed(traced=False)


def changed_gradients(change: Callable[[Any], Any]) -> Own:
    class Changed(Own):
        def backward(self, handle: Any, dy: Any) -> Any:
            return {name: change(g) for name, g in super().backward(handle, dy).items()}

    return Changed(traced=False)


class Noisy(Own):
    """Noise that nobody asked for."""

    calls = 0

    def forward(self, handle: Any, x: Any, **options: Any) -> Any:
        self.calls += 1
        return super().forward(handle, x, **options) + np.float32(self.calls)


class Restless(Own):
    """The weight moves in every step."""

    def step(self, handle: Any, **sgd: Any) -> None:
        super().step(handle, **sgd)
        handle.tile.parameters["weight"] += np.float32(0.5)


def by_behaviour(mistake: str) -> Any:
    return next(b for b in BEHAVIOURS if b.mistake == mistake).make()


def first_input_counts_more(y: Any, x: Any) -> Any:
    return y + x[..., :1]


def halved(y: Any, x: Any) -> Any:
    return y / 2


def wrapped(y: Any, x: Any) -> Any:
    return (y + 1) % 2 - 1


def with_rows_before(y: Any, x: Any) -> Any:
    return np.cumsum(y, axis=0, dtype=y.dtype)


def centred(y: Any, x: Any) -> Any:
    return y - y.max(axis=0, keepdims=True) if len(y) else y


def first_output_for_all(y: Any, x: Any) -> Any:
    return y + y[..., :1]


def offset(y: Any, x: Any) -> Any:
    return y + y.dtype.type(1)


def of_the_raw_input(y: Any, x: Any) -> Any:
    return y + x.max(initial=0)


WRONG: dict[str, tuple[Any, str]] = {
    "the same again": (Noisy(traced=False), "state"),
    "evaluation changes nothing": (by_behaviour("evaluation mode is ignored"), "state"),
    "saved and loaded": (by_behaviour("the range is lost on load"), "state"),
    "gradients add up": (
        by_behaviour("gradients replace each other instead of adding up"),
        "state",
    ),
    "a step clears gradients": (by_behaviour("gradients are not cleared by a step"), "state"),
    "no gradient, no change": (Restless(traced=False), "OP-1"),
    "linear in the gradient": (changed_gradients(lambda g: np.clip(g, -1, 1)), "MV-3"),
    "odd": (changed_output(offset), "DC-1"),
    "twice as large": (changed_output(offset), "IR-3"),
    "clipped before": (changed_output(of_the_raw_input), "IR-2"),
    "order of rows": (changed_output(with_rows_before), "MV-1"),
    "order of outputs": (changed_output(first_output_for_all), "PP-1"),
    "order of inputs": (changed_output(first_input_counts_more), "MV-1"),
    "row by row": (changed_output(centred), "MV-1"),
    "scales twice as large": (changed_output(offset), "PP-1"),
    "rounded twice": (changed_output(halved), "DC-1"),
    "never falls": (changed_output(wrapped), "DC-1"),
}


@pytest.mark.parametrize("name", [law.name for law in LAWS])
def test_each_law_rejects_a_wrong_tile(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from refsim.conformance import laws as module

    target, clause = WRONG[name]
    monkeypatch.setattr(module, "LAWS", tuple(law for law in LAWS if law.name == name))
    broken = [r for r in laws(guarded(target), DECLARED, count=8) if not r.ok]
    assert broken
    assert clause in {result.clause for result in broken}
    assert all(result.text for result in broken)


def test_a_failing_target_is_reported() -> None:
    class Failing(Own):
        def forward(self, handle: Any, x: Any, **options: Any) -> Any:
            raise RuntimeError("no current")

    results = list(laws(guarded(Failing()), DECLARED, count=1))
    assert {(result.clause, result.ok) for result in results} == {("target", False)}
