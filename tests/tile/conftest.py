"""Each test of a tile runs on every backend of this machine."""

from __future__ import annotations

import pytest

from refsim import backends


@pytest.fixture(scope="session", params=backends.available())
def backend(request: pytest.FixtureRequest) -> str:
    """The name of each backend in turn."""
    name: str = request.param
    return name
