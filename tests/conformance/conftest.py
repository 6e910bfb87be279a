"""Recorded vectors for tests: those that come with refsim, and a small folder to damage."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from refsim.conformance.vectors import Recording, read_recording
from tests.conformance import folder


@pytest.fixture(scope="session")
def recording() -> Recording:
    """The recorded vectors that come with refsim."""
    return read_recording()


@pytest.fixture
def write(tmp_path: Path) -> folder.Write:
    """Write a folder with one small case; parts of it can be replaced."""
    return partial(folder.write, tmp_path)
