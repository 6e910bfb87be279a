"""Whether files can be written, asked before a long run and not after it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from refsim.errors import InputError

__all__ = ["check_writable_file", "check_writable_folder"]


def check_writable_file(option: str, name: str) -> None:
    """Refuse the name of a file that cannot be written.

    Parameters
    ----------
    option
        Where the name was given, for the message.
    name
        The file; its folder must exist. What stands there already is left alone.

    Raises
    ------
    InputError
        If the name is that of something else, or of a file in a folder that is missing or cannot be written.

    Examples
    --------
    >>> check_writable_file("--junit", "no/such/folder/report.xml")
    Traceback (most recent call last):
        ...
    refsim.errors.InputError: --junit is 'no/such/folder/report.xml', but there is no folder no/such/folder.
    """
    path = Path(name)
    if not name or (path.exists() and not path.is_file()):
        kind = "a folder" if name and path.is_dir() else "no file"
        raise InputError(
            f"{option} is {name!r}, which is {kind}, but it must be the name of a file."
        )
    if not path.parent.is_dir():
        raise InputError(f"{option} is {name!r}, but there is no folder {path.parent}.")
    _check_folder(option, name, path.parent)


def check_writable_folder(option: str, name: str) -> None:
    """Refuse the name of a folder that cannot be written, or cannot be made; nothing is made yet.

    Raises
    ------
    InputError
        If the name, or a part of it, is that of a file, or the folder cannot be written.

    Examples
    --------
    >>> check_writable_folder("--findings", "")
    Traceback (most recent call last):
        ...
    refsim.errors.InputError: --findings is '', but it must be the name of a folder.
    """
    if not name:
        raise InputError(f"{option} is '', but it must be the name of a folder.")
    path = Path(name).absolute()
    present = next(each for each in (path, *path.parents) if os.path.lexists(each))
    if not present.is_dir():
        raise InputError(f"{option} is {name!r}, but {present} is no folder.")
    _check_folder(option, name, present)


def _check_folder(option: str, name: str, folder: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        why = (error.strerror or "it is refused").lower()
        raise InputError(f"{option} is {name!r}, but {folder} cannot be written: {why}.") from error
