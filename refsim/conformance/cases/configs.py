"""Configurations within a document: as refsim's configuration files write them, without what is as by default."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from refsim import config
from refsim.config import PrePostProcessingRPU
from refsim.config.base import Parameters
from refsim.config.files import from_json, to_json
from refsim.config.tables import class_name
from refsim.errors import ConfigError, VectorError

__all__ = ["config_document", "config_from_document"]


def config_document(made: Any) -> dict[str, Any]:
    """A configuration as plain values, without the fields that have their default.

    Parameters
    ----------
    made
        A configuration of refsim's.

    Returns
    -------
    dict
        As :func:`refsim.config.to_json` writes it, shortened; :func:`config_from_document` reads it.

    Raises
    ------
    ConfigError
        If it holds a class that refsim does not know.

    Examples
    --------
    >>> import refsim as rs
    >>> config_document(rs.TorchInferenceRPUConfig(forward=rs.IOParameters(inp_res=14)))
    {'format': 1, 'class': 'TorchInferenceRPUConfig', 'forward': {'inp_res': 14}}
    """
    table = json.loads(to_json(made))
    head = {name: table.pop(name) for name in ("format", "class")}
    return head | _shortened(made, table)


def config_from_document(document: object) -> Any:
    """The configuration of :func:`config_document`.

    Raises
    ------
    VectorError
        If it is none.

    Examples
    --------
    >>> config_from_document({"format": 1, "class": "TorchInferenceRPUConfig", "remap": {"type": 3}})
    Traceback (most recent call last):
        ...
    refsim.errors.VectorError: config cannot be read: remap.type is 3, but it must be one of
    'None', 'LayerwiseSymmetric', 'ChannelwiseSymmetric'.
    """
    try:
        made = from_json(json.dumps(document))
    except (ConfigError, TypeError, ValueError, RecursionError) as error:
        raise VectorError(f"config cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(made, PrePostProcessingRPU):
        raise VectorError(f"config is {type(made).__name__}, allowed are configurations of tiles.")
    return made


@cache
def _default(name: str) -> dict[str, Any]:
    """The table of a new object of a class of :mod:`refsim.config`."""
    table: dict[str, Any] = json.loads(to_json(getattr(config, name)()))
    return table


def _shortened(item: Parameters, table: dict[str, Any]) -> dict[str, Any]:
    """The table of a parameter object without what a new one of its class has as well."""
    default = _default(class_name(type(item)))
    kept: dict[str, Any] = {}
    for name, value in table.items():
        if name != "class" and name in default and default[name] == value:
            continue
        part = vars(item).get(name)
        kept[name] = _shortened(part, value) if isinstance(part, Parameters) else value
    return kept
