"""Profiles as text or tables, as a capability file writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final

from refsim.config.checks import Interval, checked, nearest, shown
from refsim.conformance.admissible import BINARY32, BINARY64, FLOAT32, FLOAT64, Format, Profile
from refsim.conformance.admissible import float32_in_order as in_order
from refsim.conformance.admissible.profile import DEVIATIONS
from refsim.errors import ConfigError

__all__ = ["FORMATS", "PROFILES", "profile_from", "profile_table"]

PROFILES: Final = {"float32": FLOAT32, "float64": FLOAT64, "float32 in order": in_order()}
"""Profiles by name; the last one sums in a plain loop, or in as many ``lanes`` as are given."""
FORMATS: Final = {
    "float32": BINARY32,
    "float64": BINARY64,
    "float16": Format("float16", 11, -14),
    "bfloat16": Format("bfloat16", 8, -126),
}
"""Formats by name; another one is a table of ``name``, ``precision`` and ``least_exponent``."""
OPERANDS: Final = {"float32": 0.0, "tf32": 2.0**-11, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""Relative error of operands that are rounded to a format before they are multiplied."""
_KINDS: Final = {
    "base": str,
    "name": str,
    "format": object,
    "accumulator": object,
    "lanes": Annotated[int, Interval(1, 2**31)],
    "fused": bool,
    "reciprocal": bool,
    "operand": object,
    "setting": Annotated[int, Interval(0, 1000)],
    "spare": Annotated[int, Interval(0, 1000)],
    "deviation": object,
    "wide": bool,
}


def profile_from(given: object) -> Profile:
    """The profile that a capability file names or describes.

    Parameters
    ----------
    given
        One of :data:`PROFILES`, or a table: ``base`` is one of them, the other keys replace fields of
        :class:`~refsim.conformance.admissible.Profile`.

    Raises
    ------
    ConfigError
        If a key or value is not allowed.

    Examples
    --------
    >>> profile_from("float64").name
    'float64, sums in any order, FMA or not'
    >>> profile_from({"operand": "tf32", "reciprocal": True}).name
    'float32, sums in any order, FMA or not, reciprocals, operands to 0.000488'
    >>> profile_from({"base": "float32 in order", "lanes": 8, "fused": False}).name
    'float32, sums in the order of 8 lanes, no FMA'
    >>> profile_from("flaot32")
    Traceback (most recent call last):
        ...
    refsim.errors.ConfigError: profile is 'flaot32'; did you mean float32?
    """
    if isinstance(given, str):
        return _named(given, "profile")
    if not isinstance(given, Mapping):
        raise ConfigError(f"profile is {shown(given)}, but it must be a name or a table.")
    for key in given:
        if key not in _KINDS:
            raise ConfigError(
                f"profile has the key {shown(key)}; {nearest(str(key), list(_KINDS))}"
            )
    values = {key: _value(key, value) for key, value in given.items()}
    base: Profile = values.pop("base", FLOAT32)
    name = values.pop("name", None)
    made = replace(base, **values)
    return replace(made, name=name or _described(made))


def profile_table(profile: Profile) -> dict[str, Any]:
    """The table of a profile.

    >>> profile_from(profile_table(FLOAT64)) == FLOAT64
    True
    """
    fields = {name: getattr(profile, name) for name in _KINDS if name != "base"}
    kept = {name: value for name, value in fields.items() if value is not None}
    for name in ("format", "accumulator"):
        value = kept[name]
        kept[name] = value.name if FORMATS.get(value.name) == value else vars(value)
    return kept


def _value(key: str, value: object) -> Any:
    where = f"profile.{key}"
    if key == "base":
        return _named(value, where)
    if key in ("format", "accumulator"):
        return _format(value, where)
    if key == "operand" and isinstance(value, str):
        return _chosen(OPERANDS, value, where)
    if key == "operand":
        return float(checked(where, value, Annotated[float, Interval(0, 1, "[)")]))
    if key == "deviation":
        return _chosen({each: each for each in DEVIATIONS}, value, where)
    return checked(where, value, _KINDS[key])


def _named(value: object, where: str) -> Profile:
    found: Profile = _chosen(PROFILES, value, where)
    return found


def _chosen(table: Mapping[str, Any], value: object, where: str) -> Any:
    if not isinstance(value, str) or value not in table:
        raise ConfigError(f"{where} is {shown(value)}; {nearest(str(value), list(table))}")
    return table[value]


def _format(value: object, where: str) -> Format:
    if isinstance(value, str):
        found: Format = _chosen(FORMATS, value, where)
        return found
    if not isinstance(value, Mapping) or value.keys() != {"name", "precision", "least_exponent"}:
        raise ConfigError(
            f"{where} is {shown(value)}, but it must be one of {', '.join(FORMATS)}, or a table of name, "
            "precision and least_exponent."
        )
    return Format(
        checked(f"{where}.name", value["name"], str),
        checked(f"{where}.precision", value["precision"], Annotated[int, Interval(2, 53)]),
        checked(
            f"{where}.least_exponent", value["least_exponent"], Annotated[int, Interval(-1022, 0)]
        ),
    )


def _described(p: Profile) -> str:
    """The name of a profile that has none."""
    format_ = p.format.name
    if p.accumulator != p.format:
        format_ += f" with {p.accumulator.name} sums"
    order = "any order" if p.lanes is None else f"the order of {p.lanes} lanes"
    if p.lanes == 1:
        order = "the order of a plain loop"
    parts = [format_, f"sums in {order}", "FMA or not" if p.fused else "no FMA"]
    parts += ["reciprocals"] * p.reciprocal
    parts += [f"operands to {p.operand:.3g}"] * (p.operand > 0)
    parts += ["wider intermediates"] * p.wide
    parts += [f"deviations {p.deviation}"] * (p.deviation != FLOAT32.deviation)
    parts += [f"settings to {p.setting} ulp"] * (p.setting > 0)
    return ", ".join(parts)
