"""These tests need a GPU; without one they are not collected."""

from __future__ import annotations

from refsim.kernels import gpu

if gpu.simulated() or gpu.missing():
    collect_ignore_glob = ["test_*.py"]
