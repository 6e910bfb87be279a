from __future__ import annotations

import numpy as np
import pytest

from refsim import ConfigError
from refsim.tile.settings import typed

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


def test_a_remembered_setting_keeps_the_sign_of_zero() -> None:
    signs = [bool(np.signbit(typed(zero, SINGLE, "x"))) for zero in (0.0, -0.0, 0, 0.0, -0.0)]
    assert signs == [False, True, False, False, True]


def test_a_setting_is_remembered_for_its_data_type() -> None:
    assert typed(0.1, SINGLE, "x") != typed(0.1, DOUBLE, "x")
    assert typed(0.1, DOUBLE, "x").dtype == DOUBLE


def test_a_setting_is_refused_each_time() -> None:
    for name in ("x", "y", "x"):
        with pytest.raises(ConfigError, match=f"^{name} is 1e-60"):
            typed(1e-60, SINGLE, name)
    assert typed(1e-60, DOUBLE, "x") == 1e-60
