"""Foreign code in this process: whatever it raises or returns is a finding and never a traceback."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from refsim.errors import InputError, TargetFailure, Unsupported

from . import answers
from .answers import Sizes, plain_text
from .capabilities import Capabilities
from .capability_file import declared_by
from .protocol import OPTIONAL

__all__ = ["Guarded", "Safe", "called", "guarded"]

_NEEDED: Final = ("create", "forward", "backward", "step", "state")
_LONGEST: Final = 300


@dataclass
class Handle:
    """The handle of an adapter with the sizes of its tile."""

    own: Any
    sizes: Sizes
    overwritten: list[str] = field(default_factory=list)


def guarded(adapter: Any) -> Any:
    """An adapter whose only exceptions are :class:`TargetFailure` and :class:`Unsupported`.

    What the adapter is given are copies, so that it cannot change a case. What it returns is copied into NumPy arrays
    and checked: real numbers, in the shape that was asked for. Neither time nor memory is limited; for that let it
    run in :class:`~refsim.conformance.adapters.process.ProcessTarget`.

    Parameters
    ----------
    adapter
        An :class:`~refsim.conformance.adapters.Adapter`, or what makes one when it is called, such as a class.

    Returns
    -------
    Safe
        The same adapter, with those of the optional methods that it has; itself if it is safe already.

    Raises
    ------
    InputError
        If a method that every adapter needs is missing.
    ConfigError
        If its ``capabilities`` are none.
    TargetFailure
        If it cannot be called.

    Examples
    --------
    >>> guarded("refsim")
    Traceback (most recent call last):
        ...
    refsim.errors.InputError: the adapter is a str without create, needed are the methods create,
    forward, backward, step and state.
    """
    if isinstance(adapter, Safe):
        return adapter
    if isinstance(adapter, type) or (callable(adapter) and not hasattr(adapter, "create")):
        adapter = called(adapter, "the constructor")
    for name in _NEEDED:
        if not callable(_attribute(adapter, name)):
            raise InputError(
                f"the adapter is a {type(adapter).__name__} without {name}, needed are the methods "
                f"{', '.join(_NEEDED[:-1])} and {_NEEDED[-1]}."
            )
    return Guarded(adapter)


class Safe:
    """An adapter whose only exceptions are :class:`TargetFailure` and :class:`Unsupported`, and that checks answers."""

    capabilities: Capabilities | None = None

    def overwritten(self, handle: Any) -> tuple[str, ...]:
        """The arrays of the caller that passes wrote into since they were last asked for: ``"x in forward"``."""
        noted: list[str] = getattr(handle, "overwritten", [])
        found = tuple(dict.fromkeys(noted))
        noted.clear()
        return found


class Guarded(Safe):
    """An adapter behind a guard, see :func:`guarded`."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter
        found = {name: _attribute(adapter, name) for name in OPTIONAL}

        self.capabilities = declared_by(found.pop("capabilities"))
        for name, method in found.items():
            if callable(method):
                setattr(self, name, getattr(self, f"_{name}"))

    def create(self, config: Any, weight: Any, bias: Any | None, state: Mapping[str, Any]) -> Any:
        """A tile, as :meth:`Adapter.create`."""
        out, into = np.shape(weight)
        given = copy.deepcopy(config), _copy(weight), _copy(bias), _copies(state)
        own = called(lambda: self._adapter.create(*given), "create")
        return Handle(own, Sizes(out, into))

    def forward(self, handle: Handle, x: Any, *, training: bool, noise: Mapping[str, Any]) -> Any:
        """The output, as :meth:`Adapter.forward`."""
        handle.sizes.lead = np.shape(x)[:-1]
        given, used = _copy(x), _copies(noise)
        deviates = dict(used)

        def run() -> Any:
            y = self._adapter.forward(handle.own, given, training=training, noise=used)
            return answers.output(y, handle.sizes)

        y = called(run, "forward")
        pairs = {"x": (x, given), **{name: (noise[name], a) for name, a in deviates.items()}}
        handle.overwritten += [f"{name} in forward" for name, two in pairs.items() if _differ(*two)]
        return y

    def backward(self, handle: Handle, dy: Any) -> Mapping[str, Any]:
        """The gradients, as :meth:`Adapter.backward`."""

        given = _copy(dy)

        def run() -> Any:
            return answers.gradients(self._adapter.backward(handle.own, given), handle.sizes)

        found: Mapping[str, Any] = called(run, "backward")
        handle.overwritten += ["dy in backward"] if _differ(dy, given) else []
        return found

    def step(self, handle: Handle, **sgd: Any) -> None:
        """One step of SGD, as :meth:`Adapter.step`."""
        called(lambda: self._adapter.step(handle.own, **sgd), "step")

    def state(self, handle: Handle) -> Mapping[str, Any]:
        """The state, as :meth:`Adapter.state`."""
        own = handle.own
        return called(  # type: ignore[no-any-return]
            lambda: answers.state(self._adapter.state(own), handle.sizes), "state"
        )

    def _stages(self, handle: Handle) -> Mapping[str, Any]:
        return called(  # type: ignore[no-any-return]
            lambda: answers.stages(self._adapter.stages(handle.own)), "stages"
        )

    def _save(self, handle: Handle) -> Any:
        sizes = Sizes(handle.sizes.out, handle.sizes.into)
        return Handle(called(lambda: self._adapter.save(handle.own), "save"), sizes)

    def _load(self, config: Any, saved: Handle) -> Handle:
        given = copy.deepcopy(config), saved.own
        sizes = Sizes(saved.sizes.out, saved.sizes.into)
        return Handle(called(lambda: self._adapter.load(*given), "load"), sizes)

    def _set_weights(self, handle: Handle, weight: Any, bias: Any | None) -> None:
        given = handle.own, _copy(weight), _copy(bias)
        called(lambda: self._adapter.set_weights(*given), "set_weights")

    def _calibrate(
        self, handle: Handle, calibration_type: Any, batches: Any, **options: Any
    ) -> None:
        given = handle.own, calibration_type, [_copy(batch) for batch in batches]
        called(lambda: self._adapter.calibrate(*given, **options), "calibrate")

    def _close(self, handle: Handle) -> None:
        called(lambda: self._adapter.close(handle.own), "close")


def _attribute(adapter: Any, name: str) -> Any:
    return called(lambda: getattr(adapter, name, None), name)


def _copy(value: Any | None) -> Any:
    return None if value is None else np.array(value)


def _differ(before: Any, now: Any) -> bool:
    return not np.array_equal(before, now, equal_nan=True)


def _copies(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.array(value) for name, value in given.items()}


def called(run: Callable[[], Any], method: str) -> Any:
    """What foreign code returns; anything that it raises is a failure."""
    try:
        return run()
    except (Unsupported, KeyboardInterrupt):
        raise
    except TargetFailure as failure:
        if failure.kind == "malformed":
            text = f"{failure.text.rstrip('.')} ({method})."
            raise TargetFailure(failure.kind, text) from failure
        raise
    except MemoryError as error:
        raise TargetFailure("memory", _sentence(error, method)) from error
    except (Exception, SystemExit) as error:  # foreign code may raise anything
        raise TargetFailure("error", _sentence(error, method)) from error


def _sentence(error: BaseException, method: str) -> str:
    try:
        text = plain_text(str(error), _LONGEST)
    except Exception:  # noqa: BLE001  so may the text of its exceptions
        text = "an exception that cannot be printed"
    return f"{type(error).__name__}: {text.rstrip('.')} in {method}."
