"""The zoo: right tiles that compute differently, and wrong ones. Does the conformance kit tell them apart?"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from .registry import RIGHT, WRONG, Right, Wrong

__all__ = ["RIGHT", "WRONG", "Right", "Wrong"]

for _path in sorted(Path(__file__).parent.glob("*_*.py")):
    if _path.stem.startswith(("wrong_", "right_")):
        import_module(f"{__name__}.{_path.stem}")
