"""Writing a file so that it is whole or not there."""

from __future__ import annotations

import os
from errno import EISDIR, ENOENT
from pathlib import Path
from secrets import token_hex

__all__ = ["write_atomically"]


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace the file at *path* by *data*, or leave it as it is if that fails.

    Parameters
    ----------
    path
        The file; its folder must exist.
    data
        The whole content.

    Raises
    ------
    OSError
        If the folder cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_atomically(f"{folder}/note", b"text")
    ...     Path(folder, "note").read_bytes()
    b'text'
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(target))
    if not target.parent.is_dir():
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(target.parent))
    temporary = target.with_name(f".{target.name}.{token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
