"""Device arrays as they leave refsim: those of numba, which other libraries take in place through DLPack, too."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dlpack, streams
from .points import SIMULATED

Plain: Any
if SIMULATED:
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

    Plain = FakeCUDAArray
else:
    from numba.cuda.cudadrv.devicearray import DeviceNDArray

    Plain = DeviceNDArray


class Result(Plain):  # type: ignore[misc]
    """An array of numba that can be handed over through DLPack.

    Its work may still be under way on its ``stream``; consumers of ``__dlpack__`` and ``__cuda_array_interface__`` come
    behind it.
    """

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """The interface of numba, which names the legacy default stream, too."""
        return {**super().__cuda_array_interface__, "stream": streams.number(self.stream)}

    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's number for the kind of device, and the number of the device; the simulator's is the host."""
        if SIMULATED:
            return dlpack.HOST, 0
        return dlpack.DEVICE, int(self.gpu_data.context.device.id)

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule with this memory in place.

        Parameters
        ----------
        stream
            The consumer's stream, which is made to wait for the array: None or 1 for the legacy default stream, 2 for
            the default stream of each thread, the number of a handle, or -1 if there is nothing to wait for.
        max_version
            The highest version of DLPack that the consumer knows; None for the capsules of before version 1.
        dl_device
            Where the memory is wanted; a copy is made for the host, ``(1, 0)``.
        copy
            Whether there has to be a copy; None for one where it is needed.

        Raises
        ------
        BufferError
            If the stream, the device or the copy that is asked for is not to be had.
        """
        place, host = self.__dlpack_device__(), (dlpack.HOST, 0)
        wanted = place if dl_device is None else dl_device
        if wanted not in (place, host):
            allowed = " and ".join(map(str, sorted({host, place})))
            raise BufferError(f"dl_device is {wanted}, allowed is {allowed}.")
        version = 1 if max_version is not None and max_version >= dlpack.VERSION else 0
        if wanted != place or copy:
            return self._copied(wanted, copy, version)
        self._order(stream)
        return dlpack.capsule(self, address(self), tuple(self.shape), self.dtype, place, version)

    def _copied(self, place: tuple[int, int], copy: bool | None, version: int) -> Any:
        """A capsule with a copy on the host."""
        if copy is False or place[0] != dlpack.HOST:
            allowed = "no copy on the device and a copy on the host"
            raise BufferError(f"copy is {copy} for dl_device {place}, allowed are {allowed}.")
        found = np.ascontiguousarray(self.copy_to_host())
        if self.stream:
            self.stream.synchronize()
        described = found.ctypes.data, found.shape, found.dtype, place, version
        return dlpack.capsule(found, *described, dlpack.COPIED)

    def _order(self, stream: int | None) -> None:
        """Makes a stream of the consumer wait for the array."""
        if stream == -1 or (SIMULATED and stream is None):
            return
        if SIMULATED or stream == 0:
            allowed = "None and -1" if SIMULATED else "None, -1, 1, 2 and numbers of handles"
            raise BufferError(f"stream is {stream}, allowed are {allowed}.")
        streams.follow(streams.numbas(stream or streams.DEFAULT), self.stream)


def address(x: Any) -> int:
    """Where the memory of an array of numba begins; 0 for an empty one."""
    if SIMULATED:
        return int(x.ctypes.data)
    return int(x.device_ctypes_pointer.value or 0)


def leaving(x: Any) -> Result:
    """An array as it leaves, in the order of the current stream."""
    if SIMULATED:
        return Result(x._ary, streams.current())
    return Result(x.shape, x.strides, x.dtype, streams.current(), x.gpu_data)


__all__ = ["Result", "address", "leaving"]
