"""BLAS beside the pool: its threads keep a processor busy for a while after a call, so large products do without."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController


class Limit:
    """BLAS on one thread while anyone holds the limit; the last one restores what was."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Starts anew, in a forked child."""
        self.holders = 0
        self.limiter: Any = None
        self.lock = Lock()

    @cached_property
    def controller(self) -> ThreadpoolController:
        """The BLAS libraries of this process; to find them takes milliseconds."""
        return ThreadpoolController().select(user_api="blas")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds the limit."""
        with self.lock:
            if self.holders == 0:
                self.limiter = self.controller.limit(limits=1)
            self.holders += 1
        try:
            yield
        finally:
            with self.lock:
                self.holders -= 1
                if self.holders == 0:
                    self.limiter.restore_original_limits()


one_thread = Limit()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=one_thread.forget)
