"""Operations never raise for data: infinities and NaN are values here, not warnings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def quiet_floats() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield
