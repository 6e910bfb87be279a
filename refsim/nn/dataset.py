"""The handwritten digits: 1,797 images of 8x8 pixels that come with refsim.

Alpaydin and Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository, 1998, CC BY 4.0; see
``refsim/nn/data/ATTRIBUTION.md``.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refsim import random

TEST_IMAGES = 360


class Digits(NamedTuple):
    """Images, ``(n, 64)`` float32 from 0 to 1, and labels, ``(n,)`` int64 from 0 to 9, for training and for testing."""

    train_x: NDArray[np.float32]
    train_y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]


def digits() -> Digits:
    """The handwritten digits in a fixed split, 1,437 images for training and 360 for testing.

    Pixels are multiples of 1/16, exactly. The test images are those with the 360 smallest uniform deviates of stream
    ``data_split``, seed 0, step 0, where the index is the position of an image in the source; of equal deviates the
    first is smaller. Both parts keep the order of the source. No setting of refsim was chosen by the test images.

    Returns
    -------
    ``(train_x, train_y, test_x, test_y)``, new arrays.

    Examples
    --------
    >>> data = digits()
    >>> data.train_x.shape, data.test_x.shape
    ((1437, 64), (360, 64))
    >>> data.test_y[:10]
    array([3, 4, 2, 3, 7, 1, 5, 7, 0, 9])
    """
    with (
        as_file(files("refsim.nn") / "data" / "digits.npz") as path,
        np.load(path, allow_pickle=False) as file,
    ):
        images: NDArray[Any] = file["images"].astype(np.float32) / np.float32(16)
        labels = file["labels"].astype(np.int64)
    deviates = random.uniform(0, "data_split", 0, np.arange(len(labels)))
    test = np.zeros(len(labels), dtype=np.bool_)
    test[np.argsort(deviates, kind="stable")[:TEST_IMAGES]] = True
    return Digits(images[~test], labels[~test], images[test], labels[test])


__all__ = ["Digits", "digits"]
