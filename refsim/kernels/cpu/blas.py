"""BLAS beside the pool: its threads keep a processor busy for a while after a call, so large products do without."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import Lock

from threadpoolctl import ThreadpoolController


class Limit:
    """BLAS on one thread while it is held; a limit of the whole process, which the first caller sets and restores.

    A caller that comes while another holds it goes on without waiting, and has the threads of BLAS again if the other
    is done first. That costs time and no bits.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Starts anew, in a forked child."""
        self.lock = Lock()

    @cached_property
    def controller(self) -> ThreadpoolController:
        """The BLAS libraries of this process; to find them takes milliseconds."""
        return ThreadpoolController().select(user_api="blas")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds the limit."""
        if not self.lock.acquire(blocking=False):
            yield
            return
        try:
            with self.controller.limit(limits=1):
                yield
        finally:
            self.lock.release()


one_thread = Limit()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=one_thread.forget)
