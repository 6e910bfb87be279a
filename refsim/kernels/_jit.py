"""Compiler flags, the compilation cache and the binding of the scalar bodies: the one place for all three."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeVar, cast

import numba
import numba.extending
import numpy as np

NUMBA: Any = numba  # typed or not, depending on its version
FLAGS = {"nogil": True, "fastmath": False, "error_model": "numpy"}
STALE_AFTER = 30 * 24 * 3600  # seconds
Function = TypeVar("Function", bound=Callable[..., object])


def _digest() -> str:
    """Hash of everything a compiled kernel depends on: numba does not notice an edited callee."""
    sources = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    package = Path(__file__).parent
    for path in sorted(package.rglob("*.py")):
        sources.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return sources.hexdigest()[:16]


def _user_cache() -> Path:
    if chosen := os.environ.get("REFSIM_CACHE_DIR"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "refsim"


@functools.cache
def cache_directory() -> Path | None:
    """Where compiled kernels are kept, or None where nothing can be written."""
    try:
        directory = _user_cache() / f"kernels-{_digest()}"
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            os.utime(directory)
    except (OSError, RuntimeError):  # no home directory is a RuntimeError
        return None
    _remove_stale(directory.parent)
    return directory


def _remove_stale(folder: Path) -> None:
    """Removes the kernels of other sources that no process has used for long."""
    for other in folder.glob("kernels-" + "[0-9a-f]" * 16):
        with contextlib.suppress(OSError):  # another process may remove it, too
            if time.time() - other.stat().st_mtime > STALE_AFTER:
                shutil.rmtree(other)


def compiled(function: Function) -> Function:
    """A kernel: compiled at the first call and cached; it runs without the interpreter lock."""
    directory, chosen = cache_directory(), NUMBA.config.CACHE_DIR
    if directory is None:
        return cast(Function, NUMBA.njit(**FLAGS)(function))
    NUMBA.config.CACHE_DIR = str(directory)
    try:
        return cast(Function, NUMBA.njit(cache=True, **FLAGS)(function))
    finally:
        NUMBA.config.CACHE_DIR = chosen


def inlined(function: Function) -> Function:
    """A scalar body: compiled into each kernel that calls it."""
    return cast(Function, NUMBA.njit(forceinline=True, **FLAGS)(function))


def bind(jit: Callable[[Any], Any], *bodies: ModuleType, **primitives: object) -> ModuleType:
    """The functions of some modules compiled for one target, which call ``primitives`` and each other."""
    bound = ModuleType(bodies[0].__name__)  # cached kernels look their module up
    names = vars(bound)
    for module in bodies:
        names |= {key: value for key, value in vars(module).items() if key[:2] != "__"}
    for module in bodies:
        for name, body in vars(module).items():
            if isinstance(body, FunctionType) and body.__module__ == module.__name__:
                names[name] = jit(FunctionType(body.__code__, names, name, body.__defaults__))
    names |= primitives
    return bound


def _reinterpreted(pairs: dict[Any, Any]) -> Any:
    """A primitive that reads the bits of a number as another type of the same width."""

    def reinterpret(context: Any, x: Any) -> Any:
        def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], target.get_value_type(signature.return_type))

        return (pairs[x](x), generate) if x in pairs else None

    return numba.extending.intrinsic(reinterpret)


_WIDTHS = {NUMBA.float32: NUMBA.int32, NUMBA.float64: NUMBA.int64}
_REINTERPRETED = {
    "bits": _reinterpreted(_WIDTHS),
    "number": _reinterpreted({integer: real for real, integer in _WIDTHS.items()}),
}
CPU_PRIMITIVES: dict[str, Any] = {} if NUMBA.config.DISABLE_JIT else _REINTERPRETED
