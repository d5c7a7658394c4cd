"""Where arrays live: in memory (NumPy) or on a graphics card (CuPy), behind one seam."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Protocol

import numpy as np
import psutil
from numpy.typing import NDArray

from zemosaic.errors import ResourceError
from zemosaic.health import is_built_program

__all__ = ["ArrayBackend", "CupyBackend", "NumpyBackend", "open_backend"]


class ArrayBackend(Protocol):
    """A namespace of the array API with a way in and out."""

    name: str
    xp: ModuleType
    errors: tuple[type[BaseException], ...]
    """What its calls raise when the device fails."""

    def to_device(self, array: NDArray[Any]) -> Any:
        """Return an array of the namespace with the same content."""

    def to_host(self, array: Any) -> NDArray[Any]:
        """Return the content as a NumPy array."""

    def free_bytes(self) -> int:
        """Return the memory that new arrays may take."""


class NumpyBackend:
    """The CPU; `xp` may be any namespace that shares NumPy's memory, as strict ones for tests do."""

    name = "numpy"
    errors: tuple[type[BaseException], ...] = ()

    def __init__(self, xp: ModuleType = np) -> None:
        self.xp = xp

    def to_device(self, array: NDArray[Any]) -> Any:
        """Return the array in the namespace."""
        return self.xp.asarray(array)

    def to_host(self, array: Any) -> NDArray[Any]:
        """Return the array as NumPy's."""
        return np.from_dlpack(array)

    def free_bytes(self) -> int:
        """Return the free memory."""
        return int(psutil.virtual_memory().available)


class CupyBackend:
    """A CUDA device.

    Raises
    ------
    ResourceError
        When CuPy or the device is not there, or the device does not work.
    """

    name = "cupy"

    def __init__(self, device_id: int = 0) -> None:
        try:
            import cupy
        except ImportError as error:
            if is_built_program():
                raise ResourceError("error.built_no_gpu") from error
            raise ResourceError("error.gpu_unusable", device=device_id, detail=str(error)) from error
        self.xp = cupy
        self.errors: tuple[type[BaseException], ...] = (
            cupy.cuda.runtime.CUDARuntimeError,
            cupy.cuda.memory.OutOfMemoryError,
        )
        try:
            cupy.cuda.Device(device_id).use()
            total = float(cupy.arange(4, dtype=cupy.float32).sum())
        except self.errors as error:
            raise ResourceError("error.gpu_unusable", device=device_id, detail=str(error)) from error
        if total != 6.0:
            raise ResourceError("error.gpu_unusable", device=device_id, detail=f"0+1+2+3={total}")

    def to_device(self, array: NDArray[Any]) -> Any:
        """Copy an array to the device."""
        return self.xp.asarray(array)

    def to_host(self, array: Any) -> NDArray[Any]:
        """Copy an array from the device."""
        host: NDArray[Any] = self.xp.asnumpy(array)
        return host

    def free_bytes(self) -> int:
        """Return the device's free memory with what CuPy holds in reserve."""
        free, _ = self.xp.cuda.runtime.memGetInfo()
        return int(free + self.xp.get_default_memory_pool().free_bytes())


def open_backend(name: str, device_id: int = 0) -> ArrayBackend:
    """Return the backend ``numpy`` or ``cupy``; the button that tests a device calls this too.

    Parameters
    ----------
    name : {"numpy", "cupy"}
    device_id : int
        Number of the graphics card; "cupy" alone looks at it.

    Returns
    -------
    ArrayBackend

    Raises
    ------
    ResourceError
        When the device cannot be used; its message says why.
    """
    return CupyBackend(device_id) if name == "cupy" else NumpyBackend()
