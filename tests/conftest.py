"""Hypothesis profiles and the fixtures that every test module may use."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

SLOW_IS_FINE = [HealthCheck.too_slow]
settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=SLOW_IS_FINE)
settings.register_profile(
    "ci", settings.get_profile("dev"), max_examples=150, derandomize=True, print_blob=True
)
settings.register_profile("deep", settings.get_profile("dev"), max_examples=3000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(scope="session", params=["spec", "cpu"])
def ops(request: pytest.FixtureRequest) -> ModuleType:
    """Each backend in turn."""
    from refsim import backends

    return backends.load(request.param)


@pytest.fixture(scope="session", params=[np.float32, np.float64], ids=["float32", "float64"])
def T(request: pytest.FixtureRequest) -> type[np.floating[Any]]:
    """Each data type in turn."""
    return request.param
