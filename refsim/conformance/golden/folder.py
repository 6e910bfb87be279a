"""Folders of golden vectors: a safetensors file for each clause family, and ``vectors.json``: what is where."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NoReturn

from refsim.config.atomic import write_atomically
from refsim.conformance.cases import container, features
from refsim.conformance.cases.container import read_tree, write_tree
from refsim.errors import VectorError

from .vector import Vector, tree_vector, vector_tree

__all__ = ["INDEX", "Folder", "is_golden", "read_folder", "read_vectors", "write_folder"]

INDEX: Final = "vectors.json"
FORMAT: Final = "refsim-golden-vectors"
SCHEMA: Final = 1
KIND: Final = "vectors"
_FILE: Final = re.compile(r"[A-Za-z0-9-]{1,40}\.safetensors")


@dataclass(frozen=True)
class Folder:
    """A folder of golden vectors.

    Parameters
    ----------
    path
        Where it is.
    version
        The version of refsim that wrote it.
    files
        Name of each file to its SHA-256.
    """

    path: Path
    version: str
    files: Mapping[str, str]

    def load(self, name: str) -> list[Vector]:
        """The vectors of a file.

        Raises
        ------
        VectorError
            If it is missing, damaged, or not the one that the index speaks of.
        """
        place = self.path / name
        if _digest(place) != self.files[name]:
            _refuse(place, "its SHA-256 is not that of the index")
        return read_vectors(place)


def read_vectors(path: str | os.PathLike[str]) -> list[Vector]:
    """The vectors of a single file; a :class:`~refsim.VectorError` if it cannot be read."""
    listed = read_tree(path, KIND).get("vectors")
    if not isinstance(listed, list):
        _refuse(Path(path), "it holds no list of vectors")
    return [tree_vector(tree) for tree in listed]


def is_golden(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds golden vectors."""
    return (Path(folder) / INDEX).is_file()


def write_folder(path: str | os.PathLike[str], vectors: Sequence[Vector]) -> Folder:
    """Write vectors to a folder, which may be new; vectors that are there already stay.

    Parameters
    ----------
    path
        The folder.
    vectors
        The vectors; of two with the same id the first is kept.

    Returns
    -------
    Folder
        What is there now.

    Raises
    ------
    VectorError
        If the folder holds vectors that cannot be read.
    OSError
        If it cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from refsim.conformance.cases.examples import examples
    >>> from refsim.conformance.golden import vector_of
    >>> with TemporaryDirectory() as folder:
    ...     sorted(write_folder(folder, [vector_of(case) for case in examples()[:20]]).files)
    ['DC.safetensors', 'MV.safetensors', 'SU.safetensors']
    """
    from refsim import __version__

    place = Path(path)
    place.mkdir(parents=True, exist_ok=True)
    by_file: dict[str, dict[str, Vector]] = {}
    for vector in (*_present(place), *vectors):
        by_file.setdefault(_file_of(vector), {}).setdefault(vector.id, vector)
    for name, group in by_file.items():
        write_tree(place / name, KIND, {"vectors": [vector_tree(v) for v in group.values()]})
    document = {
        "format": FORMAT,
        "schema": SCHEMA,
        "refsim": __version__,
        "files": {
            name: {"sha256": _digest(place / name), "vectors": [_entry(v) for v in group.values()]}
            for name, group in by_file.items()
        },
    }
    write_atomically(place / INDEX, (json.dumps(document, indent=1) + "\n").encode())
    return read_folder(place)


def read_folder(path: str | os.PathLike[str]) -> Folder:
    """Read the index of a folder of golden vectors.

    Parameters
    ----------
    path
        The folder.

    Returns
    -------
    Folder
        The vectors are read by :meth:`Folder.load`.

    Raises
    ------
    VectorError
        If the index is missing, damaged, or in another format.
    """
    index = Path(path) / INDEX
    document = _json(index)
    if document.get("format") != FORMAT or document.get("schema") != SCHEMA:
        _refuse(index, f"it is not of format {FORMAT!r} in schema {SCHEMA}")
    files, version = document.get("files"), document.get("refsim")
    if not isinstance(files, dict) or not isinstance(version, str):
        _refuse(index, "it has no files or no version of refsim")
    return Folder(index.parent, version, {name: _hash(index, name, files[name]) for name in files})


def _present(path: Path) -> list[Vector]:
    if not is_golden(path):
        return []
    folder = read_folder(path)
    return [vector for name in folder.files for vector in folder.load(name)]


def _file_of(vector: Vector) -> str:
    clause = vector.case.clauses[0] if vector.case.clauses else "other"
    return f"{clause.split('-')[0]}.safetensors"


def _entry(vector: Vector) -> dict[str, Any]:
    case = vector.case
    return {
        "id": vector.id,
        "clauses": list(case.clauses),
        "catches": case.catches,
        "name": case.name,
        "features": sorted(features(case)),
    }


def _hash(index: Path, name: str, entry: object) -> str:
    digest = entry.get("sha256") if isinstance(entry, dict) else None
    if not _FILE.fullmatch(name) or not isinstance(digest, str):
        _refuse(index, f"{name[:40]!r} is no plain name of a .safetensors file with its sha256")
    return digest


def _digest(path: Path) -> str:
    try:
        if path.stat().st_size > container.SIZE_LIMIT:
            _refuse(path, f"it is larger than {container.SIZE_LIMIT} bytes")
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        _refuse(path, error.strerror or error)


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > container.SIZE_LIMIT:
            _refuse(path, f"it is larger than {container.SIZE_LIMIT} bytes")
        document = json.loads(path.read_text("utf-8"))
    except OSError as error:
        _refuse(path, error.strerror or error)
    except (ValueError, RecursionError) as error:
        _refuse(path, f"its JSON is damaged ({error})")
    if not isinstance(document, dict):
        _refuse(path, "it is no table")
    return document


def _refuse(path: Path, reason: object) -> NoReturn:
    text = " ".join(str(reason).split()).rstrip(".")
    raise VectorError(f"{path} cannot be read as golden vectors: {text}.") from None
