"""Nested tables with arrays in one safetensors file, with a schema number, the version of refsim, and a hash.

The header of the file holds, under ``refsim``, JSON with ``schema``, ``kind``, ``version``, ``sha256`` and ``tree``.
In the tree a table with the single key ``array`` names the tensor that stands there. The hash covers all else
in the header, and every tensor.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from refsim.config.atomic import write_atomically
from refsim.errors import VectorError

from .arrays import DTYPES, MOST_AXES, MOST_ELEMENTS

__all__ = ["SCHEMA", "read_tree", "write_tree"]

SCHEMA: Final = 1
"""Number of the format; a reader refuses any other."""
SIZE_LIMIT: Final = 256 * 2**20
"""No file may be larger than this many bytes."""
HEADER: Final = {"schema": int, "kind": str, "version": str, "sha256": str, "tree": dict}
Arrays = dict[str, NDArray[Any]]


def write_tree(path: str | os.PathLike[str], kind: str, tree: Mapping[str, Any]) -> None:
    """Write nested tables and lists whose leaves are plain values and arrays, atomically.

    Parameters
    ----------
    path
        The file.
    kind
        What it holds, which a reader asks for.
    tree
        The content.

    Raises
    ------
    VectorError
        If an array has a data type that a case may not hold.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_tree(f"{folder}/a", "example", {"rows": [np.float32([1, 2])]})
    ...     read_tree(f"{folder}/a", "example")
    {'rows': [array([1., 2.], dtype=float32)]}
    """
    from safetensors.numpy import save

    from refsim import __version__

    arrays: Arrays = {}
    plain = _without_arrays(tree, arrays)
    header: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": kind,
        "version": __version__,
        "tree": plain,
    }
    header["sha256"] = _hash(header, arrays)
    write_atomically(path, save(arrays, {"refsim": json.dumps(header, allow_nan=False)}))


def read_tree(path: str | os.PathLike[str], kind: str) -> dict[str, Any]:
    """Read what :func:`write_tree` wrote; nothing in the file is trusted.

    Parameters
    ----------
    path
        The file.
    kind
        What it must hold.

    Returns
    -------
    dict
        The tree, with arrays in their places.

    Raises
    ------
    VectorError
        If the file is missing, damaged, too large, of another kind or format, or does not agree with its hash.
    """
    place = Path(path)
    arrays, header = _read(place)
    for name, type_ in HEADER.items():
        if type(header.get(name)) is not type_:
            _refuse(place, f"its header has no {name}")
    if header["schema"] != SCHEMA or header["kind"] != kind:
        _refuse(place, f"it is not of kind {kind!r} in schema {SCHEMA}")
    if header.pop("sha256") != _hash(header, arrays):
        _refuse(place, "its content does not agree with its SHA-256")
    tree: dict[str, Any] = _walked(
        header["tree"], lambda leaf: leaf, lambda name: _named(place, arrays, name)
    )
    return tree


def _refuse(path: Path, reason: object) -> NoReturn:
    text = " ".join(str(reason).split()).rstrip(".")
    raise VectorError(f"{path} is not a readable file of vectors: {text}.") from None


def _read(path: Path) -> tuple[Arrays, dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        if not path.is_file():
            _refuse(path, "there is no such file")
        if path.stat().st_size > SIZE_LIMIT:
            _refuse(path, f"it is larger than {SIZE_LIMIT} bytes")
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {}).get("refsim", "null"))
            arrays = {name: _tensor(path, file, name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        _refuse(path, str(error)[:200] or type(error).__name__)
    if not isinstance(header, dict):
        _refuse(path, "it was not written by refsim")
    return arrays, header


def _tensor(path: Path, file: Any, name: str) -> NDArray[Any]:
    """A tensor, whose shape is looked at before it is read."""
    shape = file.get_slice(name).get_shape()
    if len(shape) > MOST_AXES or any(n > MOST_ELEMENTS for n in shape):
        _refuse(path, f"{name[:80]} has the shape {str(shape)[:80]}")
    array: NDArray[Any] = file.get_tensor(name)
    if array.dtype.name not in DTYPES:
        _refuse(path, f"{name[:80]} has the type {array.dtype}")
    return array


def _named(path: Path, arrays: Arrays, name: object) -> NDArray[Any]:
    if not isinstance(name, str) or name not in arrays:
        _refuse(path, f"there is no array {str(name)[:80]}")
    return arrays[name]


def _without_arrays(tree: Any, arrays: Arrays) -> Any:
    """The tree with names in place of the arrays, which are added to ``arrays``."""

    def named(leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray):
            return leaf
        if leaf.dtype.name not in DTYPES:
            raise VectorError(
                f"an array has the type {leaf.dtype}, allowed are {', '.join(DTYPES)}."
            )
        name = f"a{len(arrays)}"
        arrays[name] = np.ascontiguousarray(leaf).reshape(leaf.shape)
        return {"array": name}

    return _walked(tree, named, None)


def _walked(tree: Any, leaf: Callable[[Any], Any], array: Callable[[object], Any] | None) -> Any:
    if isinstance(tree, Mapping):
        if array is not None and tree.keys() == {"array"}:
            return array(tree["array"])
        return {key: _walked(part, leaf, array) for key, part in tree.items()}
    if isinstance(tree, list):
        return [_walked(part, leaf, array) for part in tree]
    return leaf(tree)


def _hash(header: Any, arrays: Arrays) -> str:
    digest = sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
