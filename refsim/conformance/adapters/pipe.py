"""A process that is asked line by line, with limits on time, memory and output; nothing that it does reaches beyond."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, cast

from refsim.errors import BackendError, InputError, TargetFailure

from .answers import malformed, plain_text
from .wire import LONGEST_LINE

__all__ = ["Pipe"]

_CHUNK: Final = 2**16
_TICK: Final = 0.02
_TAIL: Final = 2**12
_SHOWN: Final = 300
_MOST_CHILDREN: Final = 1000


class Pipe:
    """One process in a session of its own, and the three pipes to it.

    Parameters
    ----------
    command
        The program and its arguments.
    memory
        Bytes that the process and its children may hold; None: no limit.
    cwd, env
        Working folder, and the whole environment, as for :class:`subprocess.Popen`.

    Raises
    ------
    InputError
        If the program cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        memory: int | None,
        cwd: str | os.PathLike[str] | None,
        env: Mapping[str, str],
    ) -> None:
        if os.name != "posix":
            raise BackendError("targets in another process need a POSIX system, such as Linux.")
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd=cwd,
                env=dict(env),
                start_new_session=True,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise InputError(f"{' '.join(command)} cannot be started: {error}.") from error
        self.alive = True
        self._memory, self._watched = memory, 0.0
        self._left, self._searched = bytearray(), 0
        self._tail, self._unsent = bytearray(), memoryview(b"")
        self._events = selectors.DefaultSelector()
        self._in, self._out, self._err = (
            cast(IO[bytes], stream)
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        for stream in (self._in, self._out, self._err):
            os.set_blocking(stream.fileno(), False)
        for stream in (self._out, self._err):
            self._events.register(stream, selectors.EVENT_READ)
        _limit(self._process.pid, memory)

    # ----- one question, one answer

    def exchange(self, line: bytes, timeout: float) -> bytes:
        """The line that the process answers to a line.

        Parameters
        ----------
        line
            The question, with its end.
        timeout
            Seconds until the whole answer must be there.

        Raises
        ------
        TargetFailure
            If there is no answer; the process should be ended then.
        """
        deadline = time.monotonic() + timeout
        self._unsent = memoryview(line)
        self._events.register(self._in, selectors.EVENT_WRITE)
        answer = None
        while answer is None or self._unsent:
            wait = deadline - time.monotonic()
            if wait <= 0:
                raise TargetFailure("timeout", f"no answer within {timeout:g} s{self._words()}.")
            for key, _ in self._events.select(min(wait, _TICK)):
                self._move(key.fileobj)
            answer = answer or self._taken()
            self._watch()
            if answer is None and self._silent():
                raise self._lost(min(deadline, time.monotonic() + 1))
        return answer

    def _move(self, stream: Any) -> None:
        """Send or take what can be without waiting."""
        if stream is self._in:
            self._send()
            return
        try:
            data = os.read(stream.fileno(), _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self._events.unregister(stream)
        elif stream is self._out:
            self._left += data
        else:
            self._tail = (self._tail + data)[-_TAIL:]

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._in.fileno(), self._unsent[:_CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:  # nobody reads: what is to be said is said by its end
            self._unsent = memoryview(b"")
        if not self._unsent:
            self._events.unregister(self._in)

    def _taken(self) -> bytes | None:
        """The first line of what has come, None if it is not whole."""
        end = self._left.find(b"\n", self._searched)
        self._searched = len(self._left) if end < 0 else 0
        if end > LONGEST_LINE or (end < 0 and len(self._left) > LONGEST_LINE):
            raise malformed(f"a line is longer than {LONGEST_LINE} bytes.")
        if end < 0:
            return None
        line = bytes(self._left[:end])
        del self._left[: end + 1]
        return line

    # ----- how it is, and how it ended

    def _silent(self) -> bool:
        """Whether no answer can come any more: the process ended, or closed its output."""
        open_ = self._out in self._events.get_map()
        if open_ and self._ended() is None:
            return False
        return not open_ or not self._events.select(0)

    def _ended(self) -> Any:
        """How the process ended, None while it runs; it is left for :meth:`end` to collect."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with suppress(ChildProcessError):  # collected by somebody else
            return os.waitid(os.P_PID, self._process.pid, options)
        return None

    def _lost(self, until: float) -> TargetFailure:
        while self._ended() is None and time.monotonic() < until:
            time.sleep(_TICK / 4)
        how = self._ended()
        if how is None:
            return malformed(f"its standard output is closed{self._words()}.")
        if how.si_code == os.CLD_EXITED:
            text = f"the process ended with status {how.si_status}"
        else:
            text = f"the process was ended by {_signal(how.si_status)}"
        return TargetFailure("crash", f"{text}{self._words()}.")

    def _words(self) -> str:
        """The end of what the process wrote to its standard error."""
        tail = plain_text(self._tail[-_SHOWN:].decode("utf-8", "replace"), _SHOWN).rstrip(".")
        return f"; it wrote: {tail}" if tail else ""

    def _watch(self) -> None:
        """Refuse more memory than allowed."""
        now = time.monotonic()
        if self._memory is None or now < self._watched + _TICK:
            return
        self._watched = now
        held = sum(map(_resident, _family(self._process.pid)))
        if held > self._memory:
            raise TargetFailure(
                "memory", f"{held // 2**20} MiB are held, allowed are {self._memory // 2**20}."
            )

    def end(self, grace: float = 0.0) -> None:
        """End the process and all that it started, at the latest after ``grace`` seconds; it is collected."""
        if not self.alive:
            return
        self.alive = False
        self._events.close()
        with suppress(OSError):
            self._in.close()
        until = time.monotonic() + grace
        while time.monotonic() < until and self._ended() is None:
            time.sleep(_TICK / 4)
        for process in _family(self._process.pid):  # also those that left the group
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for stream in (self._out, self._err):
            stream.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)


def _limit(process: int, memory: int | None) -> None:
    """Limits that the kernel keeps, where it can: memory, and no image of it after a crash."""
    import resource

    if not hasattr(resource, "prlimit"):
        return
    limits = {resource.RLIMIT_CORE: 0}
    if memory is not None:
        limits[resource.RLIMIT_DATA] = memory
    for kind, value in limits.items():
        with suppress(OSError, ValueError):
            resource.prlimit(process, kind, (value, value))


def _family(process: int) -> list[int]:
    """A process and all that descend from it, as far as that can be seen."""
    found = [process]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):  # of each thread
            with suppress(OSError, ValueError):
                found += map(int, children.read_text().split())
        if len(found) > _MOST_CHILDREN:
            break
    return found


def _resident(process: int) -> int:
    """Bytes of its own that a process holds in memory, 0 where that cannot be seen."""
    with suppress(OSError, ValueError):
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        held = [line.split()[1] for line in lines if line.startswith(("RssAnon", "RssShmem"))]
        return 1024 * sum(map(int, held))
    return 0


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
