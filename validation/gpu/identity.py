"""What is tested, and on which machine."""

from __future__ import annotations

import hashlib
import subprocess
from importlib.metadata import distributions
from pathlib import Path

from refsim import __version__, backends
from refsim.errors import BackendError
from refsim.kernels import gpu

PACKAGES = ("numba", "numpy", "scipy", "llvmlite", "torch", "aihwkit")
PREFIXES = ("numba-cuda", "cuda-", "cupy", "nvidia-")


def missing() -> str | None:
    """Why nothing can be run here, None if everything is there."""
    try:
        backends.load("cuda")
    except BackendError as error:
        return str(error).rstrip(".")
    return None


def sources(root: Path) -> str:
    """A hash of all sources that are tested, which names them where git does not."""
    found = hashlib.sha256()
    for path in sorted((root / "refsim").rglob("*.py")):
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def _git(root: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def tested(root: Path, commit: str | None) -> dict[str, str]:
    """The commit, as git has it or as it was given, and the hash of the sources."""
    head, changes = _git(root, "rev-parse", "HEAD"), _git(root, "status", "--porcelain")
    named = commit or head or "unknown, git says nothing"
    if commit and head and not head.startswith(commit):
        named += f" (git says {head})"
    if changes and not commit:
        named += f", with changes to {len(changes.splitlines())} files"
    return {"commit": named, "sources": sources(root), "refsim": __version__}


def machine() -> dict[str, str]:
    """Device, driver, toolkit and packages."""
    found = {
        name: distribution.version
        for distribution in distributions()
        if (name := (distribution.name or "").lower()) in PACKAGES or name.startswith(PREFIXES)
    }
    packages = ", ".join(f"{name} {version}" for name, version in sorted(found.items()))
    known = {name: value for name, value in gpu.description().items() if name not in found}
    return {**known, "packages": packages}
