"""Recorded vectors: a reader that trusts nothing in the files.

A folder holds ``manifest.json`` and one ``.npz`` file for each group of cases. The manifest lists the cases with the
recipe of each. A group's file holds flat buffers ``f4``, ``f8`` and ``i8``, and ``index``: UTF-8 JSON that maps case id
to array name to ``[buffer, offset, shape]``. Nothing is unpickled, and sizes are checked before anything is read.

>>> recording = read_recording()
>>> case = recording.cases[0]
>>> case.group
'g01_input_range'
>>> recording.load(case.group)[case.id]["W"].shape
(4, 6)
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from refsim.errors import VectorError

__all__ = ["Arrays", "Case", "Recording", "read_recording", "recorded_folder"]

Arrays = dict[str, NDArray[Any]]
"""The recorded arrays of a case, by name; read-only."""

SIZE_LIMIT: Final = 256 * 2**20
"""No file, and no member of a file, may be larger than this many bytes."""
_BUFFERS: Final = {
    name: np.dtype(code)
    for name, code in (("f4", "<f4"), ("f8", "<f8"), ("i8", "<i8"), ("index", "|u1"))
}
_DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
}
_HEADER: Final = re.compile(
    rb"\x93NUMPY\x01\x00(..)\{'descr': '([<|][fiu][1-8])', 'fortran_order': False, 'shape': \((\d{1,12}),\), \} *\n",
    re.DOTALL,
)
_DAMAGE: Final = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # encrypted, compressed by an unknown method, or nested too deeply
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Case:
    """One recorded case: what the manifest says of it.

    Parameters
    ----------
    id, group
        Names.
    dtype
        Data type of the tile.
    entries
        Everything else in the manifest, the recipe ``spec`` and the ``states`` among it.
    """

    id: str
    group: str
    dtype: np.dtype[Any]
    entries: Mapping[str, Any]


@dataclass(frozen=True)
class Recording:
    """A folder of recorded vectors.

    Parameters
    ----------
    folder
        The folder.
    files
        File name of each group.
    cases
        All cases, in the order of the manifest.
    defaults
        Parameter class to field to value, what a recipe deviates from.
    quiet_forward
        Settings of ``IOParameters`` in force before a recipe's own.
    """

    folder: Path
    files: Mapping[str, str]
    cases: tuple[Case, ...]
    defaults: Mapping[str, Mapping[str, Any]]
    quiet_forward: Mapping[str, Any]

    def load(self, group: str) -> dict[str, Arrays]:
        """The arrays of all cases of a group that the manifest lists, by case id.

        Raises
        ------
        VectorError
            If the file is missing, damaged, not in the documented format, or does not hold the cases of the manifest.
        """
        path = self.folder / self.files[group]
        buffers = _read_buffers(path)
        index = _json(buffers.pop("index").tobytes(), path)
        listed = {case.id for case in self.cases if case.group == group}
        if not isinstance(index, dict) or not listed <= index.keys():
            _refuse(path, "its index lacks cases of manifest.json")
        return {case: _arrays(path, case, index[case], buffers) for case in sorted(listed)}


def recorded_folder() -> Path:
    """Where the vectors lie that come with refsim: in the package if installed, else in the checkout."""
    installed = Path(__file__).parent / "recorded"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "validation" / "vectors"


def read_recording(folder: str | os.PathLike[str] | None = None) -> Recording:
    """Read the manifest of a folder of recorded vectors.

    Parameters
    ----------
    folder
        The folder; that which comes with refsim by default.

    Returns
    -------
    Recording
        Its cases; the arrays are read by :meth:`Recording.load`.

    Raises
    ------
    VectorError
        If the manifest is missing, damaged or not in the documented format.
    """
    home = recorded_folder() if folder is None else Path(folder)
    path = home / "manifest.json"
    manifest = _json(_bytes(path), path)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("cases"), list):
        _refuse(path, "it has no list of cases")
    files = {
        name: _file_name(path, name, entry)
        for name, entry in _table(path, manifest, "groups").items()
    }
    cases = tuple(_case(path, entry, files) for entry in manifest["cases"])
    if len({case.id for case in cases}) < len(cases):
        _refuse(path, "it lists a case twice")
    defaults = {
        name: _table(path, manifest["defaults"], name)
        for name in _table(path, manifest, "defaults")
    }
    return Recording(home, files, cases, defaults, _table(path, manifest, "quiet_forward"))


def _refuse(path: Path, reason: object) -> NoReturn:
    text = " ".join(str(reason).split()).rstrip(".")
    raise VectorError(f"{path} is not a readable file of recorded vectors: {text}.") from None


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            _refuse(path, "there is no such file")
        if path.stat().st_size > SIZE_LIMIT:
            _refuse(path, f"it is larger than {SIZE_LIMIT} bytes")
        return path.read_bytes()
    except OSError as error:
        _refuse(path, error.strerror or error)


def _json(data: bytes, path: Path) -> Any:
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        _refuse(path, f"its JSON is damaged ({error})")


def _table(path: Path, parent: Any, name: str) -> dict[str, Any]:
    table = parent.get(name) if isinstance(parent, dict) else None
    if not isinstance(table, dict):
        _refuse(path, f"{name!r} is no table")
    return table


def _file_name(path: Path, group: str, entry: object) -> str:
    name = entry.get("file") if isinstance(entry, dict) else None
    if not isinstance(name, str) or Path(name).name != name or not name.endswith(".npz"):
        _refuse(path, f"the file of group {group!r} is not a plain name that ends in .npz")
    return name


def _case(path: Path, entry: Any, groups: Mapping[str, str]) -> Case:
    if not isinstance(entry, dict):
        _refuse(path, "a case is no table")
    rest = dict(entry)
    match [rest.pop(key, None) for key in ("id", "group", "dtype")]:
        case [str(name), str(group), str(dtype)] if group in groups and dtype in _DTYPES:
            return Case(name, group, _DTYPES[dtype], rest)
    allowed = ", ".join(_DTYPES)
    _refuse(
        path, f"the case {entry.get('id')!r} lacks an id, a listed group or a dtype of {allowed}"
    )


def _read_buffers(path: Path) -> dict[str, NDArray[Any]]:
    data = _bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if "index" not in members or not members.keys() <= _BUFFERS.keys():
                raise ValueError(f"it holds {sorted(members)}, allowed are {sorted(_BUFFERS)}")
            return {name: _buffer(archive, info, _BUFFERS[name]) for name, info in members.items()}
    except _DAMAGE as error:
        _refuse(path, error)


def _buffer(archive: zipfile.ZipFile, info: zipfile.ZipInfo, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A flat array from an ``.npy`` member, whose header must agree with the bytes that are there."""
    if info.file_size > SIZE_LIMIT:
        raise ValueError(f"{info.filename} is larger than {SIZE_LIMIT} bytes")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(
            f"{info.filename} is compressed by method {info.compress_type}, allowed is deflate"
        )
    with archive.open(info) as member:
        data = member.read(info.file_size + 1)
    header = _HEADER.match(data)
    if header is None or int.from_bytes(header[1], "little") != header.end() - 10:
        raise ValueError(f"{info.filename} is no flat array in version 1.0 of the .npy format")
    rest = len(data) - header.end()
    if header[2].decode() != dtype.str or int(header[3]) * dtype.itemsize != rest:
        raise ValueError(
            f"{info.filename} has {rest} bytes that are not {int(header[3])} numbers of type {dtype}"
        )
    return np.frombuffer(data, dtype, offset=header.end())


def _arrays(path: Path, case: str, table: object, buffers: Mapping[str, NDArray[Any]]) -> Arrays:
    if not isinstance(table, dict):
        _refuse(path, f"the index of {case!r} is no table")
    return {name: _array(path, f"{case} {name}", place, buffers) for name, place in table.items()}


def _array(path: Path, what: str, place: Any, buffers: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    match place:
        case [str(name), int(offset), [*shape]] if name in buffers and all(
            map(_is_size, (offset, *shape))
        ):
            count, buffer = math.prod(shape), buffers[name]
            if len(shape) <= 4 and offset + count <= len(buffer):
                return buffer[offset : offset + count].reshape(shape)
    _refuse(path, f"{what} is placed at {str(place)[:80]}, which is outside the buffers")


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value <= SIZE_LIMIT
