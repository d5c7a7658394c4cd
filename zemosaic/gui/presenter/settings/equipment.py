"""What there is to work with: ASTAP, stars, a graphics card, the computer; looked for in the background."""

from __future__ import annotations

import queue
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zemosaic.errors import Message, ZeMosaicError, message
from zemosaic.gui.presenter.run.session import Session
from zemosaic.health import package_states

__all__ = ["EQUIPMENT", "Equipment", "Finding", "findings"]

EQUIPMENT = ("packages", "astap", "catalogue", "gpu", "computer")
_PATIENCE_S = 15.0


@dataclass(frozen=True)
class Finding:
    """What was found of one piece of equipment."""

    text: Message
    good: bool
    is_known: bool = True
    """Whether it was looked for, and can be told of without a test."""


class Equipment:
    """Looks for all of `EQUIPMENT`, and tries ASTAP and the graphics card when asked; no method blocks."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._found: dict[str, Finding] = {}
        self._news: queue.SimpleQueue[tuple[str, Finding]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether something is being tested."""
        return self._thread is not None and self._thread.is_alive()

    def look(self, test: bool) -> None:
        """Look for everything, with the paths of the form; with `test` start ASTAP and try the graphics card."""
        if self.busy:
            return
        values = {row.key: row.value for row in self.session.form.rows}
        paths = (str(values["astap_executable_path"]), str(values["astap_data_directory_path"]))
        arguments = (*paths, int(values["gpu_id_phase5"]), test)
        self._thread = threading.Thread(target=self._work, args=arguments, name="equipment", daemon=True)
        self._thread.start()

    def pump(self) -> bool:
        """Take in what was found; return whether there was anything."""
        has_changed = False
        while not self._news.empty():
            name, finding = self._news.get()
            self._found[name] = finding
            has_changed = True
        return has_changed

    def finding(self, name: str) -> Finding:
        """Return what is known of a piece of `EQUIPMENT`."""
        return self._found.get(name, Finding(message(f"equipment.{name}_unknown"), True, is_known=False))

    def needs(self, name: str) -> bool:
        """Return whether the settings ask for a piece of equipment; what they do not ask for need not be there."""
        values = {row.key: row.value for row in self.session.form.rows}
        asked = {"astap": values["solver"] == "astap", "gpu": bool(values["use_gpu_phase5"])}
        needed: bool = asked.get(name, True)
        return needed

    def close(self) -> None:
        """Wait for what is being tested."""
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)

    def _work(self, executable: str, data_dir: str, device: int, test: bool) -> None:
        self._news.put(("packages", _packages(test)))
        for found in findings(executable, data_dir, device, test):
            self._news.put(found)


def findings(executable: str, data_dir: str, device: int, test: bool) -> Iterator[tuple[str, Finding]]:
    """Yield what is found of each piece of equipment but the packages.

    Parameters
    ----------
    executable, data_dir : str
        Paths to ASTAP from the settings.
    device : int
        Number of the graphics card.
    test : bool
        Whether to start ASTAP and to try the graphics card.
    """
    yield "astap", _astap(executable, data_dir, test)
    yield "catalogue", _catalogue()
    yield "computer", _computer()
    yield "gpu", _gpu(device) if test else _gpu_seen(device)


def _packages(test: bool) -> Finding:
    states = package_states(load=test)
    broken = next((state.trouble for state in states if state.trouble is not None), None)
    if broken is not None:
        return Finding(broken, False)
    return Finding(message("equipment.packages_work" if test else "equipment.packages_found", count=len(states)), True)


def _astap(executable: str, data_dir: str, test: bool) -> Finding:
    # Here, in the thread: it loads what the first window does not need.
    from zemosaic.solving.solvers.astap_find import detect_astap_installation

    installation = detect_astap_installation(executable, data_dir)
    if installation is None:
        return Finding(message("equipment.astap_none"), False)
    if test and not _starts(installation.executable):
        return Finding(message("equipment.astap_broken", path=str(installation.executable)), False)
    if installation.data_dir is None:
        return Finding(message("equipment.astap_no_stars", path=str(installation.executable)), False)
    values = {
        "path": str(installation.executable),
        "name": installation.catalogue.upper(),
        "folder": str(installation.data_dir),
    }
    return Finding(message("equipment.astap_works" if test else "equipment.astap_found", **values), True)


def _starts(program: Path) -> bool:
    """Return whether ASTAP starts and ends: it is given a picture that is not there, which it answers at once."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [str(program), "-f", str(Path(folder) / "none.fits"), "-r", "1"]
        try:
            subprocess.run(argv, cwd=folder, capture_output=True, timeout=_PATIENCE_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
    return True


def _catalogue() -> Finding:
    from zemosaic.catalogue import load_bundled

    try:
        stars = load_bundled()
        return Finding(message("equipment.catalogue_found", name=stars.name, stars=len(stars)), True)
    except ZeMosaicError as fault:
        return Finding(fault.message, False)


def _computer() -> Finding:
    import psutil

    from zemosaic.compute.budget import available_cpus

    memory = psutil.virtual_memory()
    values = {"cpus": available_cpus(), "total_gb": memory.total / 1e9, "free_gb": memory.available / 1e9}
    return Finding(message("equipment.computer_found", **values), True)


def _gpu_seen(device: int) -> Finding:
    """Return what the driver says of a card, which takes no time and no memory of it."""
    from zemosaic.compute.gpu_load import GpuMeter

    with GpuMeter(device) as meter:
        load = meter.read()
    if load is None:
        return Finding(message("equipment.gpu_unknown"), True, is_known=False)
    return Finding(message("equipment.gpu_seen", name=load.name, total_gb=load.total_bytes / 1e9), True)


def _gpu(device: int) -> Finding:
    from zemosaic.compute.backend import open_backend

    try:
        free = open_backend("cupy", device).free_bytes()
    except ZeMosaicError as fault:
        return Finding(fault.message, False)
    return Finding(message("equipment.gpu_works", device=device, free_gb=free / 1e9), True)
