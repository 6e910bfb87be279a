"""What the CUDA kernels need, and whether it is here; imports nothing of CUDA before it is asked."""

from __future__ import annotations

import contextlib
import os
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

EXTRA = "pip install 'refsim[cuda]'"
OLDEST = (8, 0)
"""The oldest compute capability that the kernels are compiled for in the tests."""
SIMULATOR = "numba's simulator of one"
TOOLKIT = ("nvidia-nvvm", "nvidia-cuda-nvrtc", "cuda-bindings")


def simulated() -> bool:
    """Whether kernels run in numba's simulator of a GPU."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def missing() -> str | None:
    """What stands between this machine and the ``cuda`` backend, as a sentence; None if nothing does."""
    if simulated():
        return None
    if find_spec("numba_cuda") is None:
        return f"the package numba-cuda is not installed; {EXTRA}"
    _prefer_numba_cuda()
    return _toolkit() or _driver() or _device()


def _prefer_numba_cuda() -> None:
    """``numba.cuda`` is that of numba-cuda, also where its package lies outside of Python's own folder of packages."""
    if "numba.cuda" not in sys.modules:
        with contextlib.suppress(ImportError):
            import_module("_numba_cuda_redirector")


def _toolkit() -> str | None:
    from numba.cuda.cudadrv import nvvm
    from numba.cuda.cudadrv.error import NvvmSupportError

    try:
        nvvm.NVVM()
    except (NvvmSupportError, ImportError, OSError, RuntimeError) as error:
        return f"the CUDA compiler NVVM cannot be loaded ({_line(error)}); {EXTRA}"
    return None


def _driver() -> str | None:
    from numba import cuda

    cuda_: Any = cuda
    if cuda_.is_available():
        return None
    reason = cuda_.cuda_error()
    if reason:
        return f"no NVIDIA driver can be used ({_line(reason)}); install one for your GPU"
    return "there is no NVIDIA GPU in this machine, or none is visible to this process"


def _device() -> str | None:
    from numba import cuda

    cuda_: Any = cuda
    found = tuple(cuda_.get_current_device().compute_capability)
    if found < OLDEST:
        return f"the GPU has compute capability {found[0]}.{found[1]}, needed is 8.0 or later"
    return None


def _line(error: object) -> str:
    """The first sentence of an error."""
    words = " ".join(str(error).split()).removeprefix("Error at driver init: ")
    return words.partition(". ")[0].rstrip(".: ")


def description() -> dict[str, str]:
    """Device, driver and toolkit of a machine where nothing is missing, as topic and value."""
    packages = {name: found for name in ("numba-cuda", *TOOLKIT) if (found := _version(name))}
    packages["GPU products"] = _products()
    if simulated():
        return {"GPU": SIMULATOR, **packages}
    from numba import cuda

    cuda_: Any = cuda
    device, (major, minor) = cuda_.get_current_device(), _runtime()
    name = device.name.decode() if isinstance(device.name, bytes) else device.name
    capability = ".".join(str(part) for part in device.compute_capability)
    return {
        "GPU": f"{name}, compute capability {capability}",
        "GPU driver": f"for CUDA {major}.{minor}",
        **packages,
    }


def _runtime() -> tuple[int, int]:
    """The CUDA version of the driver."""
    from numba.cuda.cudadrv.driver import driver

    found: tuple[int, int] = driver.get_version()
    return found


def _products() -> str:
    from .cuda.cublas import description

    return description()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
