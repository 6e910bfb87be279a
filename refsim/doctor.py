"""The state of this machine: versions, threads, BLAS, cache and GPU; what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np

from refsim import __version__, backends

__all__ = ["Finding", "examine", "warm_up"]

REQUIRED: Final = (
    "numpy",
    "numba",
    "scipy",
    "safetensors",
    "cattrs",
    "tomli-w",
    "typer",
    "rich",
    "threadpoolctl",
)
EXTRAS: Final = {"plot": "matplotlib", "cuda": "numba-cuda", "sweep": "dask"}
NEEDED_FOR: Final = {
    "plot": "needed for refsim train --plot",
    "cuda": "needed for the cuda backend on an NVIDIA GPU",
}
ENVIRONMENT: Final = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "REFSIM_NUM_THREADS",
    "REFSIM_CACHE_DIR",
)
WARM_UP_CASES: Final = 8


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor looked at.

    Parameters
    ----------
    topic, value
        What was looked at and what was found.
    advice
        What to do about it, empty if nothing.
    voids
        Whether it voids the arithmetic contract.
    """

    topic: str
    value: str
    advice: str = ""
    voids: bool = False


def examine() -> list[Finding]:
    """Everything that the doctor looks at.

    Examples
    --------
    >>> findings = examine()
    >>> findings[0].topic, any(finding.voids for finding in findings)
    ('refsim', False)
    """
    parts = (_versions, _extras, _subnormals, _threads, _blas, _environment, _cache, _gpu)
    return [finding for part in parts for finding in part()]


def warm_up(progress: Callable[[str, int, int], None] = lambda what, done, total: None) -> int:
    """Compile every kernel of the ``cpu`` backend for both data types; returns the number of functions."""
    from refsim.conformance.generated import GeneratedCase, clauses

    ops, names = backends.load("cpu"), list(clauses())
    with np.errstate(all="ignore"):
        for done, name in enumerate(names):
            progress(name, done, len(names))
            for dtype in ("float32", "float64"):
                for index in range(WARM_UP_CASES):
                    getattr(ops, name)(*GeneratedCase(name, dtype, index, seed=0).arguments())
    return len(names)


def _versions() -> Iterator[Finding]:
    yield Finding("refsim", __version__)
    yield Finding(
        "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    for name in REQUIRED:
        found = _version(name)
        advice = "" if found else "pip install --force-reinstall refsim"
        yield Finding(name, found or "missing", advice)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _extras() -> Iterator[Finding]:
    for extra, package in EXTRAS.items():
        found = _version(package)
        need = NEEDED_FOR.get(extra, "not needed by this version")
        advice = "" if found else f"{need}; pip install 'refsim[{extra}]'"
        yield Finding(f"extra {extra}", f"{package} {found}" if found else "not installed", advice)


def flushed(T: Any) -> list[str]:
    """What this thread does to subnormal numbers of a type: nothing, or flush results or operands to zero."""
    info = np.finfo(T)
    normal = np.full(8, info.smallest_normal)
    subnormal = np.frombuffer(np.ones(8, dtype=f"u{info.bits // 8}").tobytes(), dtype=T)
    with np.errstate(all="ignore"):
        results = (normal * T(0.5)).view(f"u{info.bits // 8}")
        operands = (subnormal * T(2.0**info.nmant)).view(f"u{info.bits // 8}")
    found = []
    if not results.all():
        found.append("subnormal results become 0")
    if not operands.all():
        found.append("subnormal operands count as 0")
    return found


def _subnormals() -> Iterator[Finding]:
    found = sorted({text for T in (np.float32, np.float64) for text in flushed(T)})
    advice = (
        "another library has switched the processor to flush-to-zero, which voids refsim's arithmetic; "
        "do not load libraries built with -ffast-math into this process"
    )
    yield Finding(
        "subnormal numbers", "; ".join(found) or "exact", advice if found else "", voids=bool(found)
    )


def _threads() -> Iterator[Finding]:
    affinity = getattr(os, "sched_getaffinity", None)
    usable = len(affinity(0)) if affinity else os.cpu_count() or 1
    yield Finding("processors", f"{usable} usable of {os.cpu_count()}")
    pool = getattr(backends.load("cpu"), "threads", None)
    if pool is not None:
        yield Finding("threads of the cpu backend", str(pool.get_num_threads()))


def _blas() -> Iterator[Finding]:
    from threadpoolctl import threadpool_info

    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    for library in libraries:
        core = library.get("architecture") or "unknown core type"
        value = f"{library['internal_api']} {library['version']}, {library['num_threads']} threads, {core}"
        yield Finding("BLAS", value)
    if not libraries:
        yield Finding("BLAS", "not recognised", "refsim's results do not depend on it")


def _environment() -> Iterator[Finding]:
    for name in ENVIRONMENT:
        if name in os.environ:
            yield Finding(name, os.environ[name])


def _cache() -> Iterator[Finding]:
    from refsim.kernels._jit import cache_directory

    if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        advice = "unset it: kernels run hundreds of times slower without compilation"
        yield Finding("compilation", "switched off by NUMBA_DISABLE_JIT", advice)
    directory = cache_directory()
    if directory is None:
        advice = "kernels are compiled anew in each process; set REFSIM_CACHE_DIR to a folder that can be written"
        yield Finding("compilation cache", "no folder can be written", advice)
        return
    compiled = sum(1 for _ in directory.rglob("*.nbi"))
    advice = "" if compiled else "refsim doctor --warm-up compiles all kernels now"
    yield Finding("compilation cache", f"{directory}, {compiled} functions compiled", advice)


def _gpu() -> Iterator[Finding]:
    from refsim.kernels import gpu

    absent = gpu.missing()
    if absent:
        what, _, advice = absent.partition("; ")
        yield Finding("GPU", f"the cuda backend does not run here: {what}", advice)
        return
    yield from (Finding(topic, value) for topic, value in gpu.description().items())
