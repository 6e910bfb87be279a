"""A small folder of recorded vectors, whole or damaged."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim.conformance.vectors import recorded_folder

Write = Callable[..., Path]
SPEC = {
    "out": 1,
    "in": 2,
    "bias": False,
    "tile": "torch",
    "steps": [{"mode": "eval", "backward": False}],
}
CASE = {"id": "tiny/float32", "group": "tiny", "dtype": "float32", "spec": SPEC, "states": [{}]}
PLACES = {
    "W": ["f4", 0, [1, 2]],
    "init_W_analog": ["f4", 0, [1, 2]],
    "s0_x": ["f4", 2, [1, 2]],
    "s0_y": ["f4", 4, [1, 1]],
}


def npy(array: NDArray[Any]) -> bytes:
    """The array as an .npy file."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=True)
    return stream.getvalue()


def write(
    folder: Path,
    *,
    manifest: Mapping[str, Any] | None = None,
    case: Mapping[str, Any] | None = None,
    index: Any = None,
    members: Mapping[str, bytes | None] | None = None,
    compression: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """Write a folder with one case; parts of it can be replaced."""
    whole = json.loads((recorded_folder() / "manifest.json").read_text())
    document = {
        "defaults": whole["defaults"],
        "quiet_forward": whole["quiet_forward"],
        "groups": {"tiny": {"file": "tiny.npz"}},
        "cases": [{**CASE, **(case or {})}],
        **(manifest or {}),
    }
    (folder / "manifest.json").write_text(json.dumps(document))
    table = {"tiny/float32": PLACES} if index is None else index
    parts: dict[str, bytes | None] = {
        "f4.npy": npy(np.array([1, 2, 0.5, 0.25, 1], dtype=np.float32)),
        "index.npy": npy(np.frombuffer(json.dumps(table).encode(), dtype=np.uint8)),
        **(members or {}),
    }
    with zipfile.ZipFile(folder / "tiny.npz", "w", compression) as archive:
        for name, data in parts.items():
            if data is not None:
                archive.writestr(name, data)
    return folder
