"""The exceptions and warnings of refsim.

Each message is one sentence that says what was given, what is allowed and which parameter is meant.

>>> issubclass(ShapeError, RefsimError) and issubclass(ShapeError, ValueError)
True
>>> issubclass(RangeError, StateError) and issubclass(RangeError, ValueError)
True
"""

from __future__ import annotations

__all__ = [
    "BackendError",
    "ConfigError",
    "InputError",
    "RangeError",
    "RangeWarning",
    "RefsimError",
    "ShapeError",
    "StateError",
    "TargetFailure",
    "Unsupported",
    "VectorError",
]


class RefsimError(Exception):
    """The base of every error that refsim raises on purpose."""


class ConfigError(RefsimError, ValueError):
    """A configuration is wrong, or asks for something that refsim cannot honour."""


class InputError(RefsimError, ValueError):
    """An array or argument holds values or a dtype that refsim refuses."""


class ShapeError(RefsimError, ValueError):
    """An array has the wrong number of axes or the wrong length."""


class StateError(RefsimError):
    """The state of a tile does not allow the request, or a sum has overflowed."""


class RangeError(StateError, InputError):
    """An input range is 0, NaN or infinite."""


class VectorError(RefsimError):
    """Recorded vectors are missing, damaged or not in the documented format."""


class BackendError(RefsimError):
    """A backend is unknown or cannot run on this machine."""


class RangeWarning(UserWarning):
    """An input range has turned negative."""


class Unsupported(RefsimError):
    """Raised by an adapter for a configuration that its implementation does not have."""


class TargetFailure(RefsimError):
    """An implementation under test did not answer as it must.

    Parameters
    ----------
    kind
        ``"error"`` (it raised), ``"crash"`` (its process ended), ``"timeout"``, ``"memory"`` or ``"malformed"``
        (the answer has a wrong form).
    text
        What happened, in a sentence.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text
