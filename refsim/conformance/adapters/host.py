"""Serve an adapter in Python over the protocol: ``python -m refsim.conformance.adapters.host module:object``.

Everything that the adapter prints goes to the standard error, and its standard input is empty.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import IO, Any, Final

from refsim.config.files import from_json
from refsim.errors import RefsimError, TargetFailure, Unsupported

from . import wire
from .capability_file import capability_table
from .found import found_object
from .guard import guarded
from .wire_arrays import Folder, decoded, encoded

__all__ = ["Host", "main"]

_MOST_SAVED: Final = 100


class Host:
    """One adapter and its tiles.

    Parameters
    ----------
    adapter
        A guarded adapter.
    name
        Its name.

    Examples
    --------
    >>> from refsim.conformance.adapters import Own
    >>> host = Host(guarded(Own()), "refsim")
    >>> host.answer("hello", {"protocol": 1, "refsim": "0", "folder": "/tmp"})["name"]
    'refsim'
    """

    def __init__(self, adapter: Any, name: str) -> None:
        self._adapter, self._name = adapter, name
        self._tiles: dict[int, Any] = {}
        self._saved: dict[int, Any] = {}
        self._count = 0
        self._folder: Folder | None = None

    def answer(self, op: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a request; a :class:`TargetFailure` or :class:`Unsupported` if there is none."""
        known: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "hello": self._hello,
            "create": self._create,
            "forward": self._forward,
            "backward": self._backward,
            "step": self._step,
            "state": self._state,
            "stages": self._stages,
            "save": self._save,
            "load": self._load,
            "set_weights": self._set_weights,
            "calibrate": self._calibrate,
            "close": self._close,
            "bye": lambda given: {},
        }
        if op not in known:
            raise Unsupported(f"the operation {op[:40]!r} is not known.")
        return known[op](given)

    def _hello(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._folder = Folder(given["folder"])
        declared = self._adapter.capabilities
        told = {} if declared is None else {"capabilities": capability_table(declared)}
        return {
            **told,
            "protocol": wire.PROTOCOL,
            "name": self._name,
            "methods": [name for name in wire.METHODS if hasattr(self._adapter, name)],
            "arrays": "npy",
        }

    def _create(self, given: Mapping[str, Any]) -> dict[str, Any]:
        bias = given["bias"]
        self._tiles[given["handle"]] = self._adapter.create(
            _config(given["config"]),
            self._got(given["weight"]),
            None if bias is None else self._got(bias),
            self._all_got(given["state"]),
        )
        return {}

    def _forward(self, given: Mapping[str, Any]) -> dict[str, Any]:
        tile, x, noise = self._tile(given), self._got(given["x"]), self._all_got(given["noise"])
        y = self._adapter.forward(tile, x, training=given["training"], noise=noise)
        return {"output": self._sent(y), **self._overwritten(tile)}

    def _backward(self, given: Mapping[str, Any]) -> dict[str, Any]:
        tile = self._tile(given)
        found = self._adapter.backward(tile, self._got(given["dy"]))
        return {"gradients": self._all_sent(found), **self._overwritten(tile)}

    def _step(self, given: Mapping[str, Any]) -> dict[str, Any]:
        sgd = {name: value for name, value in given.items() if name != "handle"}
        self._adapter.step(self._tile(given), **sgd)
        return {}

    def _state(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"state": self._all_sent(self._adapter.state(self._tile(given)))}

    def _stages(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"stages": self._all_sent(self._optional("stages")(self._tile(given)))}

    def _save(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._count += 1
        self._saved[self._count] = self._optional("save")(self._tile(given))
        self._saved.pop(self._count - _MOST_SAVED, None)
        return {"saved": self._count}

    def _load(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if given["saved"] not in self._saved:
            raise TargetFailure("error", f"only the last {_MOST_SAVED} saved tiles are kept.")
        saved = self._saved[given["saved"]]
        self._tiles[given["handle"]] = self._optional("load")(_config(given["config"]), saved)
        return {}

    def _set_weights(self, given: Mapping[str, Any]) -> dict[str, Any]:
        bias = given["bias"]
        weight, b = self._got(given["weight"]), None if bias is None else self._got(bias)
        self._optional("set_weights")(self._tile(given), weight, b)
        return {}

    def _calibrate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        rest = {k: v for k, v in given.items() if k not in ("handle", "batches")}
        batches = [self._got(batch) for batch in given["batches"]]
        self._optional("calibrate")(self._tile(given), batches=batches, **rest)
        return {}

    def _close(self, given: Mapping[str, Any]) -> dict[str, Any]:
        tile = self._tiles.pop(given["handle"])
        if hasattr(self._adapter, "close"):
            self._adapter.close(tile)
        return {}

    def _overwritten(self, tile: Any) -> dict[str, Any]:
        names = list(self._adapter.overwritten(tile))
        return {"overwritten": names} if names else {}

    def _optional(self, name: str) -> Callable[..., Any]:
        if not hasattr(self._adapter, name):
            raise Unsupported(f"the adapter has no method {name}.")
        return getattr(self._adapter, name)  # type: ignore[no-any-return]

    def _tile(self, given: Mapping[str, Any]) -> Any:
        return self._tiles[given["handle"]]

    def _got(self, value: Any) -> Any:
        return decoded(value, "an array of the request", self._folder)

    def _all_got(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._got(value) for name, value in values.items()}

    def _sent(self, value: Any) -> dict[str, Any]:
        return encoded(value, "npy", self._folder)

    def _all_sent(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._sent(value) for name, value in values.items()}


def _config(document: Any) -> Any:
    import json

    return from_json(json.dumps(document))


def response(host: Host, line: bytes) -> tuple[bytes, bool]:
    """The line that answers a request, and whether another one may follow.

    Examples
    --------
    >>> from refsim.conformance.adapters import Own
    >>> response(Host(guarded(Own()), "refsim"), b'{"id": 5, "op": "bye"}')
    (b'{"id":5,"result":{}}\\n', False)
    """
    message = wire.parsed(line)
    number, op = message.pop("id", None), str(message.pop("op", ""))
    try:
        return wire.line({"id": number, "result": host.answer(op, message)}), op != "bye"
    except Unsupported as error:
        found = {"kind": "unsupported", "text": str(error)}
    except TargetFailure as failure:
        found = {"kind": failure.kind, "text": failure.text}
    except (LookupError, TypeError, RefsimError) as error:
        text = f"the request is not understood ({type(error).__name__}: {error})."
        found = {"kind": "error", "text": text}
    return wire.line({"id": number, "error": found}), True


def serve(target: str, requests: IO[bytes], responses: IO[bytes]) -> int:
    """Answer requests until there are no more; 1 if the target cannot be used."""
    try:
        host = Host(guarded(found_object(target)), target)
    except RefsimError as error:
        kind = error.kind if isinstance(error, TargetFailure) else "error"
        number = wire.parsed(requests.readline() or b"{}").get("id")
        found = {"id": number, "error": {"kind": kind, "text": str(error)}}
        responses.write(wire.line(found))
        return 1
    going = True
    while going and (line := requests.readline()):
        answered, going = response(host, line)
        responses.write(answered)
        responses.flush()
    return 0


def main(arguments: list[str]) -> int:
    """Serve on the standard streams, which the adapter does not get to see."""
    if len(arguments) != 1:
        sys.stderr.write("Usage: python -m refsim.conformance.adapters.host TARGET\n")
        return 2
    requests, responses = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    with requests, responses:
        return serve(arguments[0], requests, responses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
