"""Makes ``refsim/nn/data/digits.npz`` from the file that scikit-learn distributes.

    pip install scikit-learn
    python validation/data/make_digits.py [OUTPUT]

The values are those of the source, in its order; nothing is scaled, shuffled or left out.
"""

from __future__ import annotations

import sys
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np

OUTPUT = Path(__file__).resolve().parents[2] / "refsim" / "nn" / "data" / "digits.npz"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it runs


def write(path: Path, **arrays: np.ndarray) -> None:
    """Write a compressed ``.npz`` whose bytes depend on nothing but the arrays and zlib."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            content = BytesIO()
            np.save(content, array, allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", EPOCH)
            archive.writestr(member, content.getvalue(), zipfile.ZIP_DEFLATED, 9)


def main(path: Path) -> None:
    """Read the source, check it and write the file."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images, classes = pixels.astype(np.uint8), labels.astype(np.uint8)
    assert images.shape == (1797, 64)
    assert np.array_equal(images, pixels)
    assert images.max() == 16
    assert set(classes.tolist()) == set(range(10))
    write(path, images=images, labels=classes)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT)
