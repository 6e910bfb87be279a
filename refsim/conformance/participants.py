"""Who is compared with the specification: each backend of this machine, and each number of threads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from refsim import backends
from refsim.errors import BackendError

__all__ = ["FAILURES", "Participant", "participants", "specification"]

COMPARED: Final = ("cpu", "cuda")
THREADS: Final = (1, 2)
FAILURES: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a wrong function may raise; an operation never raises for data."""


@dataclass(frozen=True)
class Participant:
    """A backend as it is run.

    Parameters
    ----------
    backend
        Name of the backend.
    threads
        Number of threads, None if the backend has none to set.
    """

    backend: str
    threads: int | None = None

    @property
    def ops(self) -> Any:
        """The module of the backend."""
        return backends.load(self.backend)

    @property
    def label(self) -> str:
        """Name and number of threads."""
        if self.threads is None:
            return self.backend
        return f"{self.backend}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    @contextmanager
    def active(self) -> Iterator[Any]:
        """The module, with the number of threads set; several threads share even the smallest work."""
        ops = self.ops
        if self.threads is None:
            yield ops
            return
        pool, before = (
            ops.threads,
            (ops.threads.get_num_threads(), ops.threads.ELEMENTS, ops.threads.MULTIPLY_ADDS),
        )
        pool.set_num_threads(self.threads)
        if self.threads > 1:
            pool.ELEMENTS = pool.MULTIPLY_ADDS = 0
        try:
            yield ops
        finally:
            pool.set_num_threads(before[0])
            pool.ELEMENTS, pool.MULTIPLY_ADDS = before[1:]


def specification() -> Participant:
    """The specification as a participant."""
    return Participant("spec")


def participants(names: Sequence[str] = ()) -> list[Participant]:
    """The backends to compare with the specification.

    Parameters
    ----------
    names
        Backends that must take part; by default all that run on this machine.

    Returns
    -------
    list of Participant
        One for each backend, and for each number of threads where that can be set.

    Raises
    ------
    BackendError
        If a named backend does not exist or does not run here.
    """
    found = []
    for name in dict.fromkeys(names or COMPARED):
        try:
            ops = backends.load(name)
        except BackendError:
            if names:
                raise
            continue
        counts = THREADS if hasattr(ops, "threads") else (None,)
        found += [Participant(name, count) for count in counts if name != "spec"]
    return found
