"""A worker that tells a made-up run: the shape of `zemosaic.worker`, without its work."""

from __future__ import annotations

import threading
import time
from collections import deque
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from zemosaic.errors import message
from zemosaic.events import (
    PHASES,
    Event,
    FrameDropped,
    FramesFound,
    Logged,
    PhaseAdvanced,
    PhaseFinished,
    PhaseStarted,
    PlanReady,
    Preparation,
    PreparationFinished,
    PreviewReady,
    ResourceSample,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    Warned,
)
from zemosaic.settings.schema import Settings

STEPS = 20


class FakeRun:
    """Tells its events from a thread, one step every `step_s` seconds."""

    def __init__(
        self,
        settings: Settings,
        step_s: float = 0.0,
        ending: str = "finished",
        deaf: bool = False,
        until: Preparation | None = None,
    ) -> None:
        self._settings = settings
        self._step_s = step_s
        self._ending = ending
        self._deaf = deaf
        self._until = until
        self._events: deque[Event] = deque()
        self._stop = threading.Event()
        self._going = threading.Event()
        self._going.set()
        self.closed = False
        self.cancelled = False
        self._thread = threading.Thread(target=self._tell, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def poll(self) -> list[Event]:
        return [self._events.popleft() for _ in range(len(self._events))]

    def cancel(self) -> None:
        self.cancelled = True
        if not self._deaf:
            self._stop.set()

    def pause(self) -> None:
        self._going.clear()

    def resume(self) -> None:
        self._going.set()

    def close(self) -> None:
        self._deaf = False
        self._stop.set()
        self._thread.join(5)
        self.closed = True

    def _tell(self) -> None:
        output = Path(self._settings.output_dir)
        self._events.append(RunStarted("1.0", self._settings.input_dir, str(output), "0" * 16, self._until))
        for phase in PHASES:
            if self._ending == "died" and phase == "stack":
                return
            self._events.append(PhaseStarted(phase, STEPS))
            self._remark(phase)
            for step in range(STEPS):
                self._hold()
                if self._stop.wait(self._step_s):
                    self._events.append(RunCancelled(str(output)))
                    return
                self._events.append(PhaseAdvanced(phase, step + 1, STEPS))
            self._events.append(PhaseFinished(phase, self._step_s * STEPS, 0.1))
            if phase == self._until:
                self._events.append(PreparationFinished(phase, 16, 16 if phase == "solve" else 0, 2, 1.5, 3.0))
                return
        self._finish(output)

    def _hold(self) -> None:
        if self._going.is_set():
            return
        self._events.append(RunPaused())
        while not self._going.wait(0.01) and not self._stop.is_set():
            pass
        self._events.append(RunResumed(0.1))

    def _remark(self, phase: str) -> None:
        if phase == "scan":
            self._events.append(FramesFound(18, 2, 180.0, 2, ("Seestar S50",)))
            self._events.append(Logged("INFO", message("phase.scan")))
        if phase == "measure":
            reason = message("reason.unsolved_sheared")
            dropped = [FrameDropped(i, f"f{i}.fit", "measure", "rejected", reason) for i in (3, 7)]
            self._events.extend(dropped)
            self._events.extend([Warned(message("summary.log", path="a"))] * 3)
        if phase == "plan":
            self._events.append(PlanReady(1200, 900, 2.37, 6, 16, 10**9, 10**8, self._step_s * STEPS * 3))
            self._events.append(ResourceSample(500_000_000, 90.0, 10**11))

    def _finish(self, output: Path) -> None:
        if self._ending == "failed":
            self._events.append(RunFailed(message("error.worker_died"), 5, str(output / "zemosaic_worker.log")))
            return
        output.mkdir(parents=True, exist_ok=True)
        preview, report = output / "zemosaic_MT6_R16_preview.png", output / "run_report.html"
        picture(1200, 900).save(preview, compress_level=1)
        report.write_text("<p>report</p>", encoding="utf-8")
        self._events.append(PreviewReady(str(preview), 1200, 900, True))
        if self._ending == "early picture":
            self._stop.wait(1.0)
        self._events.append(
            RunFinished(
                str(output / "zemosaic_MT6_R16.fits"),
                str(preview),
                str(report),
                str(output / "run_report.json"),
                16,
                2,
                12.5,
                30.0,
                750_000_000,
            )
        )


@cache
def picture(width: int, height: int) -> Image.Image:
    """Return a made-up star field."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:height, :width]
    glow = 90 * np.exp(-(((x - width * 0.55) / width) ** 2 + ((y - height * 0.45) / height) ** 2) * 14)
    field = np.repeat((20 + glow)[:, :, None], 3, 2) * (1.0, 0.75, 0.85)
    for cx, cy, flux in zip(
        rng.integers(2, width - 2, 900), rng.integers(2, height - 2, 900), rng.random(900) ** 4, strict=True
    ):
        field[cy - 1 : cy + 2, cx - 1 : cx + 2] += (
            300 * flux * np.array([[0.4, 0.8, 0.4], [0.8, 1, 0.8], [0.4, 0.8, 0.4]])[:, :, None]
        )
    return Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))


def make_demo(folder: Path, progress: object = None) -> Path:
    """Make a folder with nothing in it, telling progress."""
    lights = folder / "lights"
    lights.mkdir(parents=True, exist_ok=True)
    for i in range(3):
        time.sleep(0.01)
        if callable(progress):
            progress(i + 1, 3)
    return lights
