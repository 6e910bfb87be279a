"""Objects named on the command line: ``module:object`` or ``path.py:object``."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from refsim.errors import InputError

from .guard import called

__all__ = ["check_name", "found_object", "names_object"]


def names_object(text: str) -> bool:
    """Whether a text has the form ``module:object`` or ``path.py:object``.

    >>> names_object("mypkg.tiles:adapter"), names_object("tile.toml"), names_object("C:/tile.py")
    (True, False, False)
    """
    place, _, name = text.rpartition(":")
    parts = place.split(".")
    is_module = all(part.isidentifier() for part in parts) or place.endswith(".py")
    return is_module and all(part.isidentifier() for part in name.split("."))


def check_name(text: str) -> None:
    """Refuse a text of another form, and a file that is not there, with an :class:`~refsim.InputError`."""
    if not names_object(text):
        raise InputError(
            f"the target is {text[:200]!r}, allowed are module:object and path.py:object."
        )
    place = text.rpartition(":")[0]
    if place.endswith(".py") and not Path(place).is_file():
        raise InputError(f"the target is {text[:200]!r}, but there is no file {place}.")


def found_object(text: str) -> Any:
    """The object of that name; importing it runs foreign code.

    Parameters
    ----------
    text
        ``module:object``, found from the working folder or where Python finds modules, or ``path.py:object``.

    Raises
    ------
    InputError
        If the text has another form, or there is no such file.
    TargetFailure
        If the import fails, or the module has no such object.

    Examples
    --------
    >>> found_object("refsim.conformance.adapters:Own").__name__
    'Own'
    >>> found_object("refsim.conformance.adapters:Other")
    Traceback (most recent call last):
        ...
    refsim.errors.TargetFailure: AttributeError: module 'refsim.conformance.adapters' has no
    attribute 'Other' in refsim.conformance.adapters:Other.
    """
    check_name(text)
    place, _, name = text.rpartition(":")

    def run() -> Any:
        found: Any = _from_file(Path(place)) if place.endswith(".py") else _imported(place)
        for part in name.split("."):
            found = getattr(found, part)
        return found

    return called(run, text)


def _imported(name: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    return import_module(name)


def _from_file(path: Path) -> ModuleType:
    """The module of a file, which may import what lies beside it."""
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = spec_from_file_location(f"refsim_target_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
