"""refsim with a mistake in it: the specification in which one function is replaced wherever it is called."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from types import FunctionType, SimpleNamespace
from typing import Any

from refsim import backends, spec
from refsim.conformance.adapters.own import Handle, Own
from refsim.conformance.mistakes import Wrong

__all__ = ["Mistaken", "Watched", "mistaken", "mistaken_spec"]


@lru_cache(maxsize=512)
def mistaken_spec(wrong: Wrong) -> SimpleNamespace:
    """The functions of the specification, all of which call the wrong one.

    Examples
    --------
    >>> import numpy as np
    >>> from refsim.conformance.mistakes import MISTAKES
    >>> wrong = next(wrong for wrong in MISTAKES if str(wrong) == "DC-1 halves up")
    >>> F = np.float32
    >>> a, none = np.full((1, 1), -0.5, F), F(np.inf)
    >>> q, d, below = mistaken_spec(wrong).digital_to_analog(a, np.ones(1, F), F(1), none, None, None, F(0), F(1))
    >>> q
    array([[0.]], dtype=float32)
    """
    right = getattr(spec, wrong.name)

    def replaced(function: FunctionType, copy: FunctionType) -> Any:
        return wrong.function if function is right else copy

    return _changed_spec(replaced)


def _changed_spec(change: Callable[[FunctionType, FunctionType], Any]) -> SimpleNamespace:
    """The specification with what is put in place of each function, given itself and a copy of it."""
    modules = [m for name, m in sys.modules.items() if name.split(".")[:2] == ["refsim", "spec"]]
    copies: dict[str, dict[str, Any]] = {m.__name__: dict(vars(m)) for m in modules}
    made: dict[int, Any] = {}
    for names in copies.values():
        for name, value in names.items():
            if isinstance(value, FunctionType) and value.__module__ in copies:
                if id(value) not in made:
                    made[id(value)] = change(value, _copy(value, copies[value.__module__]))
                names[name] = made[id(value)]
    own = copies[spec.__name__]
    functions = {name: own[name] for name in spec.__all__}
    return SimpleNamespace(__name__=spec.__name__, **functions)


def _copy(function: FunctionType, names: dict[str, Any]) -> FunctionType:
    """The same function, which looks up names elsewhere."""
    made = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    made.__kwdefaults__, made.__doc__ = function.__kwdefaults__, function.__doc__
    return made


def _watched_spec(called: set[str]) -> SimpleNamespace:
    """The functions of the specification, each of which notes its name when it is called."""

    def noting(function: FunctionType, copy: FunctionType) -> Any:
        def noted(*given: Any, **named: Any) -> Any:
            called.add(function.__name__)
            return copy(*given, **named)

        return noted

    return _changed_spec(noting)


@contextmanager
def mistaken(wrong: Wrong) -> Iterator[None]:
    """Within the block, tiles of the backend ``"spec"`` make the mistake."""
    with backends.replaced("spec", mistaken_spec(wrong)):
        yield


class _Replaced(Own):
    """refsim's own tile with another specification."""

    def __init__(self, ops: SimpleNamespace, traced: bool = False) -> None:
        super().__init__("spec", traced)
        self.ops = ops

    def create(
        self, config: Any, weight: Any, bias: Any | None, state: Mapping[str, Any]
    ) -> Handle:
        """As the right tile."""
        with backends.replaced("spec", self.ops):
            return super().create(config, weight, bias, state)

    def forward(self, handle: Handle, x: Any, *, training: bool, noise: Mapping[str, Any]) -> Any:
        """As the right tile, but for what was replaced."""
        with backends.replaced("spec", self.ops):
            return super().forward(handle, x, training=training, noise=noise)

    def backward(self, handle: Handle, dy: Any) -> Mapping[str, Any]:
        """As the right tile, but for what was replaced."""
        with backends.replaced("spec", self.ops):
            return super().backward(handle, dy)

    def step(self, handle: Handle, **sgd: Any) -> None:
        """As the right tile, but for what was replaced."""
        with backends.replaced("spec", self.ops):
            super().step(handle, **sgd)

    def load(self, config: Any, saved: Any) -> Handle:
        """As the right tile."""
        with backends.replaced("spec", self.ops):
            return super().load(config, saved)

    def set_weights(self, handle: Handle, weight: Any, bias: Any | None) -> None:
        """As the right tile, but for what was replaced."""
        with backends.replaced("spec", self.ops):
            super().set_weights(handle, weight, bias)

    def calibrate(
        self, handle: Handle, calibration_type: Any, batches: Any, **options: Any
    ) -> None:
        """As the right tile, but for what was replaced."""
        with backends.replaced("spec", self.ops):
            super().calibrate(handle, calibration_type, batches, **options)


class Mistaken(_Replaced):
    """refsim's own tile with a mistake, as an implementation to be verified.

    Parameters
    ----------
    wrong
        The mistake.
    traced
        Whether intermediates are shown.
    """

    def __init__(self, wrong: Wrong, traced: bool = False) -> None:
        super().__init__(mistaken_spec(wrong), traced)


class Watched(_Replaced):
    """refsim's own tile that notes in ``called`` which functions of the specification it calls."""

    def __init__(self) -> None:
        self.called: set[str] = set()
        super().__init__(_watched_spec(self.called))
