"""One call of each operation on the GPU, for a sanitizer: ``python -m tests.gpu.small``."""

from __future__ import annotations

import numpy as np

from refsim import backends
from tests.kernels import data


def main() -> None:
    """Products by the kernels that are to be examined, and not by NVIDIA's."""
    ops = backends.load("cuda")
    from refsim.kernels.cuda import cublas, product

    cublas.library = lambda: "left out"
    product.FEW_TERMS = 0
    for T in (np.float32, np.float64):
        for name, given in data.calls(T):
            with np.errstate(all="ignore"):
                getattr(ops, name)(*given)


if __name__ == "__main__":
    main()
