"""Parameter objects as tables of plain values, and back: the rules that TOML and JSON share."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, EnumType
from functools import cache
from math import isinf
from typing import Annotated, Any, Literal, get_args, get_origin

from cattrs import Converter
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, override

from refsim import config as package
from refsim.config.base import Parameters, field_hints, unknown_field
from refsim.config.checks import checked, shown
from refsim.errors import ConfigError

__all__ = ["class_name", "converter"]


@cache
def converter(infinities_as_text: bool) -> Converter:
    """The converter between parameter objects and tables.

    Parameters
    ----------
    infinities_as_text
        Infinities are the texts ``"inf"`` and ``"-inf"``, as JSON needs it.

    Returns
    -------
    Converter
        Its `structure` raises a `ConfigError` that begins with the path of the field.
    """
    made = Converter(forbid_extra_keys=True, detailed_validation=False)
    made.register_unstructure_hook_func(_is_parameters, lambda item: _table(item, made))
    made.register_structure_hook_factory(_is_parameters, lambda cls: _reader(cls, made))
    made.register_structure_hook(float, lambda item, _: item)
    if infinities_as_text:
        made.register_unstructure_hook(float, lambda item: str(item) if isinf(item) else item)
        made.register_structure_hook(float, lambda item, _: _from_text(item))
    return made


def class_name(cls: type[Parameters]) -> str:
    """The name under which a file knows a class of refsim."""
    if getattr(package, cls.__name__, None) is not cls:
        raise ConfigError(
            f"{cls.__name__} is not a class of refsim.config and cannot be written to a file."
        )
    return str(cls.__name__)


def _is_parameters(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Parameters)


def _announced(hint: Any) -> list[type[Parameters]]:
    """The parameter classes that an annotation names."""
    return [member for member in (hint, *get_args(hint)) if _is_parameters(member)]


def _table(item: Parameters, made: Converter) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, hint in field_hints(type(item)).items():
        where = f"{class_name(type(item))}.{name}"
        value = checked(where, vars(item)[name], hint)
        if isinstance(value, type):
            raise ConfigError(f"{where} is {shown(value)}, which cannot be written to a file.")
        if value is None:
            continue
        table[name] = made.unstructure(value)
        if isinstance(value, Parameters) and _announced(hint) != [type(value)]:
            table[name] = {"class": class_name(type(value)), **table[name]}
    return table


def _reader(cls: type[Parameters], made: Converter) -> Callable[[Any, Any], Any]:
    """What makes an object of *cls*, or of the class that the table names, of a table."""
    hints = {} if cls is Parameters else field_hints(cls)
    hooks = {name: override(struct_hook=_field(name, hint, made)) for name, hint in hints.items()}
    build = make_dict_structure_fn(cls, made, **hooks) if hints else None  # type: ignore[arg-type]

    def read(table: dict[str, Any], _: object) -> Any:
        values = {name: value for name, value in table.items() if name != "class"}
        named = _class_named(table["class"]) if "class" in table else cls
        if named is not cls:
            return made.structure(values, named)
        if build is None:
            raise ConfigError("class is missing.")
        if "tile_class" in hints and not hasattr(cls, "tile_class") and "tile_class" not in values:
            raise ConfigError("tile_class is missing.")
        try:
            return build(values, cls)
        except ForbiddenExtraKeysError as error:
            raise unknown_field(cls, min(error.extra_fields), in_file=True) from None

    return read


def _class_named(name: object) -> type[Parameters]:
    found = getattr(package, name, None) if isinstance(name, str) else None
    if isinstance(found, type) and issubclass(found, Parameters) and found is not Parameters:
        return found
    raise ConfigError(f"class is {shown(name)}, but it must be a class of refsim.config.")


def _field(name: str, hint: Any, made: Converter) -> Callable[[Any, Any], Any]:
    """What reads the value of one field; its errors begin with the path of the field."""
    classes = _announced(hint)

    def read(value: Any, _: object) -> Any:
        if not classes:
            return checked(name, _plain(name, value, hint, made), hint)
        if not isinstance(value, dict):
            raise ConfigError(f"{name} is {shown(value)}, but it must be a table.")
        try:
            nested = made.structure(value, classes[0] if len(classes) == 1 else Parameters)
        except ConfigError as error:
            raise ConfigError(f"{name}.{error}") from error
        return checked(name, nested, hint)

    return read


def _plain(name: str, value: Any, hint: Any, made: Converter) -> Any:
    """The value that stands in a file, as the field takes it: members for the values of an enum."""
    origin = get_origin(hint)
    choices = get_args(hint) if origin is Literal else hint if isinstance(hint, EnumType) else ()
    members = {member.value: member for member in choices if isinstance(member, Enum)}
    if members:
        if not isinstance(value, str) or value not in members:
            allowed = ", ".join(map(shown, members))
            raise ConfigError(f"{name} is {shown(value)}, but it must be one of {allowed}.")
        return members[value]
    is_float = float in (hint, get_args(hint)[0] if origin is Annotated else None)
    return made.structure(value, float) if is_float else value


def _from_text(value: Any) -> Any:
    return float(value) if value in ("inf", "-inf") else value
