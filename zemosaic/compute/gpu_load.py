"""How busy a graphics card is, as the NVIDIA driver tells it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

__all__ = ["GpuLoad", "GpuMeter"]


@dataclass(frozen=True)
class GpuLoad:
    """A moment's load of a card, whoever causes it."""

    name: str
    percent: float
    """Part of the last moment in which it computed."""
    used_bytes: int
    total_bytes: int


class GpuMeter:
    """Asks for the load of one card; `read` returns None where there is no card, no driver or no nvidia-ml-py.

    Parameters
    ----------
    device_id : int
        The driver's number of the card.
    """

    def __init__(self, device_id: int) -> None:
        self._nvml: Any = None
        self._name = ""
        try:
            import pynvml
        except ImportError:
            return
        try:
            pynvml.nvmlInit()
            self._card = pynvml.nvmlDeviceGetHandleByIndex(device_id)
            name = pynvml.nvmlDeviceGetName(self._card)
        except pynvml.NVMLError:
            return
        self._name = name.decode() if isinstance(name, bytes) else str(name)
        self._nvml = pynvml

    def __enter__(self) -> GpuMeter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._nvml is not None:
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()

    def read(self) -> GpuLoad | None:
        """Return the load now."""
        if self._nvml is None:
            return None
        try:
            rates = self._nvml.nvmlDeviceGetUtilizationRates(self._card)
            memory = self._nvml.nvmlDeviceGetMemoryInfo(self._card)
        except self._nvml.NVMLError:
            return None
        return GpuLoad(self._name, float(rates.gpu), int(memory.used), int(memory.total))
