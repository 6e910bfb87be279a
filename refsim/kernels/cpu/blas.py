"""BLAS on no more threads than refsim may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

from . import threads


class Limit:
    """BLAS on the threads of refsim at most while anyone holds the limit; the last one restores what was."""

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
            most = threads.get_num_threads()
            present = [library.get_num_threads() for library in self.controller.lib_controllers]
            if self.limiter is None and max(present, default=1) > most:
                self.limiter = self.controller.limit(limits=most)
            self.holders += 1
        try:
            yield
        finally:
            with self.lock:
                self.holders -= 1
                if self.holders == 0 and self.limiter is not None:
                    self.limiter.restore_original_limits()
                    self.limiter = None


limit = Limit()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=limit.forget)
