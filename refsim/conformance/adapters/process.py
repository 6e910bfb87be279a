"""An implementation in another process, in any language: asked over its standard input and output."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from refsim import __version__
from refsim.config.files import to_json
from refsim.errors import InputError, TargetFailure

from . import answers, wire
from .answers import LARGEST, MOST_NAMES, Sizes, malformed, shown
from .guard import Safe
from .introduction import Introduction, introduction
from .pipe import Pipe
from .wire_arrays import Folder, decoded, encoded

__all__ = ["MEMORY", "TIMEOUT", "ProcessTarget"]

TIMEOUT: Final = 30.0
"""Seconds for each answer, unless another time is given."""
START: Final = 30.0
"""Seconds that the introduction may take at least, since a program has to be loaded before it."""
MEMORY: Final = 2 * 2**30
"""Bytes that a process and its children may hold, unless another number is given."""
MOST_RESTARTS: Final = 200
_GRACE: Final = 1.0


@dataclass
class Handle:
    """The number of a tile in a process, and its sizes."""

    number: int
    sizes: Sizes
    pipe: Pipe
    overwritten: list[str] = field(default_factory=list)


@dataclass
class Saved:
    """What a process answered when it was to save a tile."""

    sizes: Sizes
    content: Any


@dataclass
class Held:
    """What must not be left behind: the process and the folder for array files."""

    pipe: Pipe | None
    folder: Folder

    def drop(self) -> None:
        """End the process and remove the folder."""
        if self.pipe is not None:
            self.pipe.end()
        shutil.rmtree(self.folder.path, ignore_errors=True)


class ProcessTarget(Safe):
    """An implementation that runs as a process of its own and speaks the protocol of :doc:`/protocol`.

    A crash, a hang, an answer of a wrong form or too much memory is a :class:`TargetFailure`; the process is then ended
    with all its children, and a new one is started for the next tile.

    Parameters
    ----------
    command
        The program and its arguments.
    timeout
        Seconds for each answer; the introduction may take 30 in any case.
    memory
        Bytes that the process and its children may hold; None: no limit.
    cwd
        Its working folder; the present one by default.
    env
        Variables that are added to its environment.

    Attributes
    ----------
    name, version
        As the implementation calls itself.
    capabilities
        What it declares, None if it does not say.

    Raises
    ------
    InputError
        If the program cannot be started, or an argument is impossible.
    TargetFailure
        If it does not introduce itself as the protocol asks.

    Examples
    --------
    >>> import sys, numpy as np, refsim as rs
    >>> config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    >>> one = np.ones((1, 1), np.float32)
    >>> host = [sys.executable, "-m", "refsim.conformance.adapters.host"]
    >>> with ProcessTarget([*host, "refsim.conformance.adapters:Own"]) as target:
    ...     tile = target.create(config, 2 * one, None, {})
    ...     target.forward(tile, one, training=True, noise={})
    array([[2.]], dtype=float32)
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        timeout: float = TIMEOUT,
        memory: int | None = MEMORY,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.command = _checked_command(command)
        self.timeout, self.memory = _checked_limits(timeout, memory)
        self._cwd, self._env = cwd, os.environ | dict(env or {})
        folder = Folder(tempfile.mkdtemp(prefix="refsim-"))
        self._held = Held(None, folder)
        self._finalizer = weakref.finalize(self, self._held.drop)
        self._asked = self._tiles = self._started = 0
        self._form = "base64"
        try:
            hello = self._start()
        except BaseException:
            self.close_process()
            raise
        self.name, self.version, self.capabilities = hello.name, hello.version, hello.capabilities
        for method in hello.methods:
            setattr(self, method, getattr(self, f"_{method}"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close_process()

    def close_process(self) -> None:
        """Say goodbye to the process, and end it with all its children at the latest after a second."""
        pipe = self._held.pipe
        if pipe is not None and pipe.alive:
            try:
                pipe.exchange(wire.request(self._asked + 1, "bye", {}), _GRACE)
                pipe.end(_GRACE)
            except TargetFailure:
                pipe.end()
        self._finalizer()

    # ----- the methods of an adapter

    def create(self, config: Any, weight: Any, bias: Any | None, state: Mapping[str, Any]) -> Any:
        """A tile, as :meth:`Adapter.create`, in a new process if the last one was lost."""
        self._restart()
        out, into = weight.shape
        handle = self._handle(Sizes(out, into))
        self._ask(
            handle,
            "create",
            config=_document(config),
            weight=self._sent(weight),
            bias=None if bias is None else self._sent(bias),
            state=self._all_sent(state),
        )
        return handle

    def forward(self, handle: Handle, x: Any, *, training: bool, noise: Mapping[str, Any]) -> Any:
        """The output, as :meth:`Adapter.forward`."""
        handle.sizes.lead = x.shape[:-1]
        given = {"training": bool(training), "noise": self._all_sent(noise)}
        found = self._ask(handle, "forward", x=self._sent(x), **given)
        handle.overwritten += answers.names(found.get("overwritten", []), "overwritten")
        return answers.output(self._got(found["output"], "the output"), handle.sizes)

    def backward(self, handle: Handle, dy: Any) -> Mapping[str, Any]:
        """The gradients, as :meth:`Adapter.backward`."""
        found = self._ask(handle, "backward", dy=self._sent(dy))
        handle.overwritten += answers.names(found.get("overwritten", []), "overwritten")
        return answers.gradients(self._all_got(found["gradients"], "gradients"), handle.sizes)

    def step(self, handle: Handle, **sgd: Any) -> None:
        """One step of SGD, as :meth:`Adapter.step`."""
        self._ask(handle, "step", **sgd)

    def state(self, handle: Handle) -> Mapping[str, Any]:
        """The state, as :meth:`Adapter.state`."""
        found = self._ask(handle, "state")
        return answers.state(self._all_got(found["state"], "state"), handle.sizes)

    def _stages(self, handle: Handle) -> Mapping[str, Any]:
        return answers.stages(self._all_got(self._ask(handle, "stages")["stages"], "stages"))

    def _save(self, handle: Handle) -> Saved:
        saved = self._ask(handle, "save")["saved"]
        return Saved(Sizes(handle.sizes.out, handle.sizes.into), saved)

    def _load(self, config: Any, saved: Saved) -> Handle:
        self._restart()
        handle = self._handle(Sizes(saved.sizes.out, saved.sizes.into))
        self._ask(handle, "load", config=_document(config), saved=saved.content)
        return handle

    def _set_weights(self, handle: Handle, weight: Any, bias: Any | None) -> None:
        sent = None if bias is None else self._sent(bias)
        self._ask(handle, "set_weights", weight=self._sent(weight), bias=sent)

    def _calibrate(
        self, handle: Handle, calibration_type: Any, batches: Any, **options: Any
    ) -> None:
        sent = [self._sent(batch) for batch in batches]
        self._ask(
            handle,
            "calibrate",
            calibration_type=getattr(calibration_type, "value", calibration_type),
            batches=sent,
            **options,
        )

    def _close(self, handle: Handle) -> None:
        if handle.pipe.alive:
            self._ask(handle, "close")

    # ----- the process

    def _start(self) -> Introduction:
        """A new process that has introduced itself."""
        if self._started > MOST_RESTARTS:
            text = f"the process was lost {self._started} times and is not started again."
            raise TargetFailure("crash", text)
        self._started += 1
        self._held.pipe = Pipe(self.command, self.memory, self._cwd, self._env)
        folder = str(self._held.folder.path)
        told = self._told("hello", protocol=wire.PROTOCOL, refsim=__version__, folder=folder)
        try:
            hello = introduction(told)
        except TargetFailure:
            self._held.pipe.end()
            raise
        self._form = hello.form
        return hello

    def _restart(self) -> None:
        """Start again if the process was lost."""
        if self._held.pipe is not None and self._held.pipe.alive:
            return
        try:
            self._start()
        except InputError as error:
            raise TargetFailure("crash", str(error)) from error

    def _handle(self, sizes: Sizes) -> Handle:
        self._tiles += 1
        assert self._held.pipe is not None
        return Handle(self._tiles, sizes, self._held.pipe)

    def _ask(self, handle: Handle, op: str, **fields: Any) -> dict[str, Any]:
        if not handle.pipe.alive:
            raise TargetFailure("crash", f"the tile was lost with its process ({op}).")
        return self._told(op, handle=handle.number, **fields)

    def _told(self, op: str, **fields: Any) -> dict[str, Any]:
        """What the process answers; it is ended if that is not an answer."""
        pipe = self._held.pipe
        assert pipe is not None
        self._asked += 1
        try:
            timeout = max(self.timeout, START) if op == "hello" else self.timeout
            line = pipe.exchange(wire.request(self._asked, op, fields), timeout)
            return wire.result(line, self._asked, op)
        except wire.Answered as answered:
            failure = answered.failure
            if isinstance(failure, TargetFailure) and failure.kind == "memory":
                pipe.end()
            raise failure from None
        except TargetFailure as failure:
            pipe.end()
            text = f"{failure.text.rstrip('.')} ({op})."
            raise TargetFailure(failure.kind, text) from failure.__cause__
        except BaseException:  # interrupted: what it answers later would not be understood
            pipe.end()
            raise
        finally:
            self._held.folder.forget()

    # ----- arrays

    def _sent(self, value: Any) -> dict[str, Any]:
        return encoded(value, self._form, self._held.folder)

    def _all_sent(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._sent(value) for name, value in values.items()}

    def _got(self, value: Any, what: str) -> Any:
        return decoded(value, what, self._held.folder)

    def _all_got(self, values: Any, what: str) -> Any:
        if not isinstance(values, dict) or len(values) > MOST_NAMES:
            raise malformed(
                f"{what} is {shown(values)}, allowed are objects of {MOST_NAMES} arrays."
            )
        found, total = {}, 0
        for name, value in values.items():
            if value is not None:
                found[name] = self._got(value, f"{shown(name)} in {what}")
                total += found[name].nbytes
            if total > LARGEST:
                raise malformed(f"{what} has more than {LARGEST} bytes.")
        return found


def _document(config: Any) -> Any:
    import json

    return json.loads(to_json(config))


def _checked_command(command: Sequence[str]) -> list[str]:
    if (
        type(command) not in (list, tuple)
        or not command
        or not all(type(w) is str for w in command)
    ):
        raise InputError(f"command is {command!r}, allowed are non-empty lists of texts.")
    return list(command)


def _checked_limits(timeout: Any, memory: Any) -> tuple[float, int | None]:
    if not isinstance(timeout, (int, float)) or not 0 < timeout <= 86400:
        raise InputError(f"timeout is {timeout!r}, allowed are seconds above 0 up to 86400.")
    if memory is not None and (type(memory) is not int or not 2**24 <= memory < 2**62):
        raise InputError(f"memory is {memory!r}, allowed are None and bytes from {2**24}.")
    return float(timeout), memory
