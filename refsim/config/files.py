"""Configurations as TOML and JSON text and files, without loss.

A file names its ``format`` and the ``class`` that it holds. Fields keep their names, enumerations
stand by value, a field that is None is left out, and a field left out has its default. A nested
table names its ``class`` only where that is not the one its field announces. JSON has no infinities
and writes them as ``"inf"`` and ``"-inf"``.

>>> from refsim.config import IOParameters
>>> print(to_json(IOParameters(out_bound=float("inf"))).splitlines()[10])
  "out_bound": "inf",
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from refsim.config.atomic import write_atomically
from refsim.config.base import Parameters
from refsim.config.checks import shown
from refsim.errors import ConfigError

__all__ = ["from_json", "from_toml", "load_config", "save_config", "to_json", "to_toml"]

_FORMAT: Final = 1


def to_toml(config: Parameters) -> str:
    """Write a configuration, or any parameter object, as TOML.

    Parameters
    ----------
    config
        The object to write.

    Returns
    -------
    str
        The text; `from_toml` makes an equal object of it.

    Raises
    ------
    ConfigError
        If the object holds a class that refsim does not know.

    Examples
    --------
    >>> from refsim.config import WeightClipParameter
    >>> print(to_toml(WeightClipParameter()), end="")
    format = 1
    class = "WeightClipParameter"
    fixed_value = -1.0
    sigma = 2.5
    type = "None"
    """
    import tomli_w

    return tomli_w.dumps(_document(config, infinities_as_text=False))


def from_toml(text: str) -> Any:
    """Read a configuration, or any parameter object, from TOML.

    Parameters
    ----------
    text
        What `to_toml` wrote, or the like written by hand.

    Returns
    -------
    Parameters
        The object.

    Raises
    ------
    ConfigError
        If the text is not TOML, or a key or value is not allowed; the message names its path.

    Examples
    --------
    >>> print(from_toml('format = 1\\nclass = "InputRangeParameter"\\ndecay = 0.5'))
    InputRangeParameter(enable=False, decay=0.5)
    """
    import tomllib

    _check_text(text)
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the text is not TOML: {_reason(error)}.") from error
    return _parameters(document, infinities_as_text=False)


def to_json(config: Parameters) -> str:
    """Write a configuration, or any parameter object, as JSON.

    Parameters
    ----------
    config
        The object to write.

    Returns
    -------
    str
        The text; `from_json` makes an equal object of it.

    Raises
    ------
    ConfigError
        If the object holds a class that refsim does not know.

    Examples
    --------
    >>> from refsim.config import WeightClipParameter
    >>> print(to_json(WeightClipParameter()), end="")
    {
      "format": 1,
      "class": "WeightClipParameter",
      "fixed_value": -1.0,
      "sigma": 2.5,
      "type": "None"
    }
    """
    import json

    document = _document(config, infinities_as_text=True)
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str) -> Any:
    """Read a configuration, or any parameter object, from JSON.

    Parameters
    ----------
    text
        What `to_json` wrote, or the like written by hand.

    Returns
    -------
    Parameters
        The object.

    Raises
    ------
    ConfigError
        If the text is not JSON, or a key or value is not allowed; the message names its path.

    Examples
    --------
    >>> from_json('{"format": 1, "class": "IOParameters", "inp_rez": 254}')
    Traceback (most recent call last):
        ...
    refsim.errors.ConfigError: inp_rez is not a field of IOParameters; did you mean inp_res?
    """
    import json

    _check_text(text)
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the text is not JSON: {_reason(error)}.") from error
    return _parameters(document, infinities_as_text=True)


_WRITERS: Final = {".toml": to_toml, ".json": to_json}
_READERS: Final = {".toml": from_toml, ".json": from_json}


def save_config(path: str | os.PathLike[str], config: Parameters) -> None:
    """Save a configuration, or any parameter object, to a ``.toml`` or ``.json`` file, atomically.

    Parameters
    ----------
    path
        The file; its suffix says the format.
    config
        The object to save.

    Raises
    ------
    ConfigError
        If the suffix is another one, or the object holds a class that refsim does not know.
    OSError
        If the file cannot be written.
    """
    text = _by_suffix(_WRITERS, path)(config)
    write_atomically(path, text.encode())


def load_config(path: str | os.PathLike[str]) -> Any:
    """Load what `save_config` saved, or the like written by hand.

    Parameters
    ----------
    path
        The file; its suffix says the format.

    Returns
    -------
    Parameters
        The object.

    Raises
    ------
    ConfigError
        If the suffix is another one, or the content is not a configuration.
    OSError
        If the file cannot be read.
    """
    read = _by_suffix(_READERS, path)
    try:
        return read(Path(path).read_bytes().decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the file is not UTF-8 text.") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        raise ConfigError(f"text is {type(text).__name__}, but it must be text.")


def _by_suffix(formats: dict[str, Any], path: str | os.PathLike[str]) -> Any:
    suffix = Path(path).suffix
    if suffix not in formats:
        raise ConfigError(f"path is {shown(str(path))}, but it must end in .toml or .json.")
    return formats[suffix]


def _document(config: Parameters, infinities_as_text: bool) -> dict[str, Any]:
    from refsim.config.tables import class_name, converter

    table = converter(infinities_as_text).unstructure(config)
    return {"format": _FORMAT, "class": class_name(type(config)), **table}


def _parameters(document: object, infinities_as_text: bool) -> Any:
    from refsim.config.tables import converter

    if not isinstance(document, dict) or not {"format", "class"} <= document.keys():
        raise ConfigError("the text is no refsim configuration: it has no format and class.")
    version = document.pop("format")
    if type(version) is not int or version != _FORMAT:
        raise ConfigError(f"format is {shown(version)}, but refsim reads only {_FORMAT}.")
    return converter(infinities_as_text).structure(document, Parameters)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("an object has the same key twice")
    return table


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") if isinstance(error, ValueError) else "it is nested too deeply"
