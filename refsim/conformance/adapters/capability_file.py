"""Capability files: what an implementation declares, and how it is reached, in TOML."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from refsim.config import Choices
from refsim.config.atomic import write_atomically
from refsim.config.checks import Positive, checked, nearest, shown
from refsim.conformance.cases import FEATURES
from refsim.errors import ConfigError

from .capabilities import DEFAULT_FEATURES, Capabilities, Waiver
from .profile_table import profile_from, profile_table
from .waivable import check_waived

__all__ = [
    "CapabilityFile",
    "capabilities_from",
    "capability_table",
    "declared_by",
    "read_capabilities",
    "to_text",
    "write_capabilities",
]

DECLARED: Final = ("name", "profile", "features", "choices", "waivers")
"""Keys of what is declared."""
WAYS: Final = ("python", "command", "recording")
"""Keys of ways to reach a target, of which there is at most one."""
LIMITS: Final = ("timeout", "memory_mib")
_SETS: Final[Mapping[str, tuple[frozenset[str], bool]]] = {
    "only": (frozenset(), True),
    "all_but": (frozenset(FEATURES), False),
    "default_and": (DEFAULT_FEATURES, True),
    "default_but": (DEFAULT_FEATURES, False),
}
"""Where a set of features starts, and whether the listed ones are added or taken away."""


@dataclass(frozen=True)
class CapabilityFile:
    """What a capability file holds.

    Parameters
    ----------
    declared
        What the implementation declares.
    python
        An adapter in Python, ``"module:object"`` or ``"file.py:object"``, that runs in a process of its own.
    command
        A program that speaks the protocol, and its arguments.
    recording
        A file or folder of recorded observations.
    timeout
        Seconds for each answer.
    memory_mib
        MiB that the process may hold; 0: no limit.
    folder
        Where the file stands: paths in it are relative to that, and commands run there.
    keys
        The keys of what is declared; the others are as the implementation itself says.
    """

    declared: Capabilities
    python: str | None = None
    command: tuple[str, ...] | None = None
    recording: str | None = None
    timeout: float = 30.0
    memory_mib: int = 2048
    folder: Path = Path()
    keys: tuple[str, ...] = field(default=DECLARED, compare=False)

    def completed(self, told: Capabilities) -> Capabilities:
        """What is declared, and where the file is silent, what the implementation told.

        >>> file = CapabilityFile(Capabilities(name="mine"), keys=("name",))
        >>> found = file.completed(Capabilities(name="theirs", features=frozenset({"bias"})))
        >>> found.name, found.features
        ('mine', frozenset({'bias'}))
        """
        return replace(told, **{key: getattr(self.declared, key) for key in self.keys})


def read_capabilities(path: str | os.PathLike[str]) -> CapabilityFile:
    """Read a capability file.

    Parameters
    ----------
    path
        A file in TOML.

    Raises
    ------
    ConfigError
        If it is not TOML, or a key or value is not allowed.
    OSError
        If it cannot be read.
    """
    import tomllib

    place = Path(path)
    try:
        table = tomllib.loads(place.read_bytes().decode())
        return _file(table, place.parent)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{place} is not UTF-8 text.") from error
    except (ValueError, RecursionError) as error:
        kind = "" if isinstance(error, ConfigError) else "the text is not TOML: "
        text = str(error).rstrip(".")
        raise ConfigError(f"{place}: {kind}{text}{'' if text[-1:] == '?' else '.'}") from error


def write_capabilities(path: str | os.PathLike[str], file: CapabilityFile) -> None:
    """Write a capability file, atomically; its ``folder`` is not written.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    write_atomically(path, to_text(file).encode())


def to_text(file: CapabilityFile) -> str:
    """A capability file as text.

    Examples
    --------
    >>> file = CapabilityFile(Capabilities(name="my tile"), command=("./my_tile",))
    >>> print(to_text(file).splitlines()[0])
    name = "my tile"
    """
    import tomli_w

    reached = {name: getattr(file, name) for name in (*WAYS, *LIMITS)}
    given = {name: value for name, value in reached.items() if value is not None}
    declared = capability_table(file.declared)
    return tomli_w.dumps({"name": declared["name"], **given, **declared})


def capabilities_from(table: object) -> Capabilities:
    """What a table declares: ``name``, ``profile``, ``features``, ``choices`` and ``waivers``, all optional.

    Raises
    ------
    ConfigError
        If a key or value is not allowed.

    Examples
    --------
    >>> found = capabilities_from({"features": ["bias", "dac"], "choices": "aihwkit"})
    >>> sorted(found.features), found.choices.percentile
    (['bias', 'dac'], 'lower_only')
    >>> capabilities_from({"features": ["biass"]})
    Traceback (most recent call last):
        ...
    refsim.errors.ConfigError: features has 'biass'; did you mean bias?
    """
    given = _known(table, DECLARED, "the capabilities")
    makers: dict[str, Callable[[object], Any]] = {
        "name": _name,
        "profile": profile_from,
        "features": _features,
        "choices": _choices,
        "waivers": _waivers,
    }
    values: dict[str, Any] = {key: makers[key](value) for key, value in given.items()}
    return Capabilities(**values)


def capability_table(declared: Capabilities) -> dict[str, Any]:
    """The table of :func:`capabilities_from`, complete.

    >>> capabilities_from(capability_table(Capabilities())) == Capabilities()
    True
    """
    return {
        "name": declared.name,
        "features": [name for name in FEATURES if name in declared.features],
        "profile": profile_table(declared.profile),
        "choices": {each.name: getattr(declared.choices, each.name) for each in fields(Choices)},
        "waivers": [vars(waiver) for waiver in declared.waivers],
    }


def declared_by(given: object) -> Capabilities | None:
    """The capabilities that an attribute ``capabilities`` holds or names: an object, a table or a file.

    >>> declared_by({"name": "my tile"}).name
    'my tile'
    """
    if given is None or isinstance(given, Capabilities):
        return given
    if isinstance(given, (str, os.PathLike)):
        return read_capabilities(given).declared
    return capabilities_from(given)


def _file(table: Mapping[str, Any], folder: Path) -> CapabilityFile:
    given = _known(table, (*DECLARED, *WAYS, *LIMITS), "the file")
    ways = [name for name in WAYS if name in given]
    if len(ways) > 1:
        raise ConfigError(f"{' and '.join(ways)} are given, but there must be one of them.")
    declared = capabilities_from({key: given[key] for key in DECLARED if key in given})
    kinds = {"python": str, "recording": str, "command": list[str], "timeout": Positive}
    found = {key: checked(key, given[key], kinds[key]) for key in kinds if key in given}
    if "command" in found:
        if not found["command"]:
            raise ConfigError(
                "command is [], but it must be a list of a program and its arguments."
            )
        found["command"] = tuple(found["command"])
    if "memory_mib" in given:
        found["memory_mib"] = _memory(given["memory_mib"])
    keys = tuple(key for key in DECLARED if key in given)
    return CapabilityFile(declared, folder=folder, keys=keys, **found)


def _known(table: object, keys: Iterable[str], what: str) -> Mapping[str, Any]:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{what} is {shown(table)}, but it must be a table.")
    known = list(keys)
    for key in table:
        if key not in known:
            raise ConfigError(f"{shown(key)} is not a key of {what}; {nearest(str(key), known)}")
    return table


def _memory(value: object) -> int:
    if type(value) is not int or (value != 0 and not 16 <= value < 2**40):
        raise ConfigError(f"memory_mib is {shown(value)}, but it must be 0 or an integer from 16.")
    return value


def _name(value: object) -> str:
    text = str(checked("name", value, str))
    if not 0 < len(text) <= 100 or not text.isprintable():
        raise ConfigError(f"name is {shown(text)}, but it must be one line of 1 to 100 letters.")
    return text


def _features(given: object) -> frozenset[str]:
    if isinstance(given, list):
        return _listed(given, "features")
    if not isinstance(given, Mapping) or len(given) != 1 or next(iter(given)) not in _SETS:
        raise ConfigError(
            f"features is {shown(given)}, but it must be a list, or a table with one of the keys "
            f"{', '.join(_SETS)}."
        )
    [(key, value)] = given.items()
    start, added = _SETS[key]
    listed = _listed(value, f"features.{key}")
    return start | listed if added else start - listed


def _listed(given: object, where: str) -> frozenset[str]:
    if not isinstance(given, list):
        raise ConfigError(f"{where} is {shown(given)}, but it must be a list of features.")
    for name in given:
        if not isinstance(name, str) or name not in FEATURES:
            raise ConfigError(f"{where} has {shown(name)}; {nearest(str(name), list(FEATURES))}")
    return frozenset(given)


def _choices(given: object) -> Choices:
    if given == "aihwkit":
        return Choices.aihwkit()
    if not isinstance(given, Mapping):
        raise ConfigError(f"choices is {shown(given)}, but it must be 'aihwkit' or a table.")
    names = [each.name for each in fields(Choices)]
    for name in given:
        if name not in names:
            raise ConfigError(f"choices has {shown(name)}; {nearest(str(name), names)}")
    return Choices(**given)


def _waivers(given: object) -> tuple[Waiver, ...]:
    if not isinstance(given, list):
        raise ConfigError(f"waivers is {shown(given)}, but it must be a list of tables.")
    return tuple(_waiver(each, f"waivers[{number}]") for number, each in enumerate(given))


def _waiver(given: object, where: str) -> Waiver:
    table = _known(given, ("clause", "reason"), where)
    texts = {}
    for key in ("clause", "reason"):
        text = table.get(key)
        if not isinstance(text, str) or not text.strip():
            raise ConfigError(
                f"{where}.{key} is {shown(text)}, but each waiver needs one, as text."
            )
        texts[key] = " ".join(text.split())
    check_waived(texts["clause"], f"{where}.clause")
    return Waiver(**texts)
