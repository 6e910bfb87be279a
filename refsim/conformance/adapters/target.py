"""TARGET on the command line: from its text to an adapter and what it declares."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

import refsim
from refsim.conformance.cases import FEATURES
from refsim.errors import InputError

from .capabilities import Capabilities
from .capability_file import WAYS, CapabilityFile, read_capabilities
from .found import check_name, found_object, names_object
from .guard import guarded
from .own import Own
from .process import MEMORY, TIMEOUT, ProcessTarget

__all__ = ["BUILT_IN", "load_target"]

BUILT_IN: Final = "refsim"
"""The name of refsim's own tiles."""


def load_target(
    text: str,
    *,
    in_process: bool = False,
    timeout: float | None = None,
    memory: int | None = None,
) -> tuple[Any, Capabilities]:
    """The implementation that a text names, and what it declares.

    Parameters
    ----------
    text
        ``module:object`` or ``file.py:object``, an adapter in Python; ``file.toml``, a capability file; a file or
        folder of recorded observations; or ``refsim``, its own tiles.
    in_process
        Whether an adapter in Python runs in this process, where nothing limits its time and memory, instead of in one
        of its own; so it always does on Windows.
    timeout
        Seconds for each answer, instead of those of the capability file, or 30.
    memory
        Bytes that its process may hold, instead of those of the capability file, or 2 GiB; 0: no limit.

    Returns
    -------
    tuple
        An adapter whose only exceptions are :class:`TargetFailure` and :class:`Unsupported`, and its
        :class:`Capabilities`. A target in a process of its own has a method ``close_process``.

    Raises
    ------
    InputError, ConfigError, VectorError
        If the text names nothing, or what it names cannot be read.
    TargetFailure
        If the implementation cannot be started.

    Examples
    --------
    >>> target, declared = load_target("refsim")
    >>> declared.name
    'refsim'
    >>> load_target("my_tile")
    Traceback (most recent call last):
        ...
    refsim.errors.InputError: the target is 'my_tile', allowed are module:object, file.py:object,
    a capability file in .toml, a file or folder of recorded observations, and refsim.
    """
    limits = _limits(TIMEOUT if timeout is None else timeout, MEMORY if memory is None else memory)
    if text == BUILT_IN:
        every = frozenset(FEATURES) - {"float64"}
        return guarded(Own()), Capabilities(name="refsim", features=every)
    if text.endswith(".toml"):
        file = read_capabilities(text)
        given = _limits(
            file.timeout if timeout is None else timeout,
            file.memory_mib * 2**20 if memory is None else memory,
        )
        target = _reached(file, text, given, in_process)
        name = getattr(target, "name", Path(text).stem)
        return target, file.completed(target.capabilities or Capabilities(name=name))
    if names_object(text):
        target = _python(text, limits, in_process)
    elif text.endswith(".py") and Path(text).exists():
        raise InputError(f"{text} is a file with code; name the adapter in it, {text}:object.")
    elif text and Path(text).exists():
        target = _recorded(Path(text))
    else:
        raise InputError(
            f"the target is {text[:200]!r}, allowed are module:object, file.py:object, a capability file in "
            ".toml, a file or folder of recorded observations, and refsim."
        )
    return target, target.capabilities or Capabilities(name=text[:100])


def _limits(timeout: float, memory: int) -> dict[str, Any]:
    return {"timeout": timeout, "memory": memory or None}


def _reached(file: CapabilityFile, text: str, limits: dict[str, Any], in_process: bool) -> Any:
    """The target of a capability file; its paths start from its folder."""
    if file.python is not None:
        place, colon, name = file.python.rpartition(":")
        if place.endswith(".py"):
            return _python(f"{file.folder / place}{colon}{name}", limits, in_process)
        return _python(file.python, limits, in_process, file.folder)
    if file.command is not None:
        return ProcessTarget(file.command, cwd=file.folder, **limits)
    if file.recording is not None:
        return _recorded(file.folder / file.recording)
    raise InputError(f"{text} names no target, needed is one of {', '.join(WAYS)}.")


def _python(text: str, limits: dict[str, Any], in_process: bool, folder: Path = Path()) -> Any:
    """An adapter in Python, in this process or in one of its own."""
    check_name(text)
    if in_process or os.name != "posix":
        return guarded(found_object(text))
    found = [str(folder.resolve()), str(Path(refsim.__file__).parents[1])]
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    env = {"PYTHONPATH": os.pathsep.join([*found, *paths])}
    command = [sys.executable, "-m", "refsim.conformance.adapters.host", text]
    return ProcessTarget(command, env=env, **limits)


def _recorded(path: Path) -> Any:
    from .recorded import Recorded

    return Recorded.read(path)
