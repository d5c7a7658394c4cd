"""The ASTAP command-line solver: our clean image in, a WCS out, nothing believed without a check."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from astropy.io import fits
from numpy.typing import NDArray

from zemosaic.catalogue import Catalogue
from zemosaic.model import Solution
from zemosaic.solving.base import Failure, NotSolved, StarField, not_solved
from zemosaic.solving.solvers.astap_find import AstapInstallation
from zemosaic.solving.solvers.slots import SlotsUnusable
from zemosaic.solving.verify import confirm
from zemosaic.store.temporary import temporary_folder
from zemosaic.wcs import FrameWcs

__all__ = ["AstapSolver", "no_crash_dialogs"]

_WHOLE_SKY_DEG = 180.0
_PIXEL_UM = 3.0
_MAX_SHIFT_PX = 12.0
_WCS_CARDS = ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")
_SEM_NO_DIALOGS = 0x0001 | 0x0002 | 0x8000
_NO_DATABASE = "No star database"


@dataclass(frozen=True)
class _Answer:
    """What a finished call left behind."""

    exit_code: int
    answered: bool
    """Whether it wrote its .ini file."""
    solved: bool
    """Whether the .ini file says so."""
    complaints: tuple[str, ...]
    """Texts of ERROR and WARNING lines."""


@dataclass(frozen=True)
class AstapSolver:
    """Solves by calling ASTAP on a temporary copy of the frame's green image."""

    installation: AstapInstallation
    catalogue: Catalogue
    """Stars that a solution has to agree with."""
    radius_deg: float = 3.0
    """How far round the pointing ASTAP searches; without a pointing it searches the whole sky."""
    timeout_s: float = 60.0
    slots: Callable[[str], AbstractContextManager[object]] = nullcontext
    """Held while ASTAP runs on the frame named: limits how many run at once on the machine."""
    retries: int = 1
    """Further tries after a call that did not start or ended without an answer."""
    backoff_s: float = 0.5
    """Seconds before the first further try, doubled before each next."""
    name: str = "astap"

    def solve(self, field: StarField) -> Solution | NotSolved:
        """Return the verified solution of a frame, or why there is none.

        The image goes to a private temporary folder; neither the user's file nor its folder is touched.
        """
        if field.green is None:
            return not_solved("reason.astap_no_pixels")
        try:
            with temporary_folder("astap") as folder:
                return self._solved_in(folder, field)
        except OSError as fault:  # the temporary folder is full or cannot be written: then without ASTAP
            detail = fault.strerror or str(fault)
            return not_solved(
                "reason.astap_not_started", Failure.NOT_STARTED, path=str(self.installation.executable), detail=detail
            )

    def _solved_in(self, folder: Path, field: StarField) -> Solution | NotSolved:
        image = folder / "frame.fits"
        _write_image(image, field)
        for attempt in range(self.retries + 1):
            if attempt:
                time.sleep(self.backoff_s * 2 ** (attempt - 1))
            verdict = self._tried(image, field)
            if isinstance(verdict, Solution) or not verdict.failure.worth_retrying:
                break
        return verdict

    def _tried(self, image: Path, field: StarField) -> Solution | NotSolved:
        """Return what one call says; what an earlier one left is cleared away first."""
        for stale in ("solved.ini", "solved.wcs"):
            image.with_name(stale).unlink(missing_ok=True)
        try:
            with self.slots(field.name):
                answer = self._call(image, field)
        except SlotsUnusable as fault:
            return not_solved("reason.astap_no_slots", Failure.UNUSABLE, folder=str(fault.folder), detail=fault.detail)
        if isinstance(answer, NotSolved):
            return answer
        return self._judged(answer, image.with_name("solved.wcs"), field)

    def _call(self, image: Path, field: StarField) -> _Answer | NotSolved:
        command = self._command(image, field)
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=image.parent,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as exc:
            return not_solved(
                "reason.astap_not_started", Failure.NOT_STARTED, path=str(self.installation.executable), detail=str(exc)
            )
        with process:
            try:
                output, _ = process.communicate(timeout=self.timeout_s)
            except subprocess.TimeoutExpired:
                _kill_tree(process.pid)
                return not_solved("reason.astap_timeout", seconds=self.timeout_s)
        text = output.decode("utf-8", "replace")
        lines = _ini_lines(image.with_name("solved.ini"))
        return _Answer(process.returncode, bool(lines), ("PLTSOLVD", "T") in lines, _complaints(lines, text))

    def _command(self, image: Path, field: StarField) -> list[str]:
        hinted = field.ra_deg is not None and field.dec_deg is not None
        radius = self.radius_deg if hinted else _WHOLE_SKY_DEG
        command = [str(self.installation.executable), "-f", str(image), "-r", f"{radius:g}", "-z", "0", "-wcs"]
        command += ["-o", str(image.with_name("solved"))]
        if field.ra_deg is not None and field.dec_deg is not None:
            command += ["-ra", f"{field.ra_deg / 15.0:.6f}", "-spd", f"{field.dec_deg + 90.0:.6f}"]
        if field.scale_arcsec is None:
            command += ["-fov", "0"]
        if self.installation.data_dir is not None:
            command += ["-d", str(self.installation.data_dir)]
        return command

    def _judged(self, answer: _Answer, wcs_file: Path, field: StarField) -> Solution | NotSolved:
        """Return the solution if the exit code, the .ini, the .wcs and the stars all say so."""
        if answer.exit_code != 0 or not answer.solved:
            if any(_NO_DATABASE in line for line in answer.complaints):
                return not_solved(
                    "reason.astap_no_database",
                    Failure.UNUSABLE,
                    folder=str(self.installation.data_dir or self.installation.executable.parent),
                )
            if answer.complaints:
                return not_solved("reason.astap_failed", detail="; ".join(answer.complaints))
            if not answer.answered:
                return not_solved("reason.astap_no_answer", Failure.NO_ANSWER, exit_code=answer.exit_code)
            return not_solved("reason.astap_no_solution", radius_deg=self.radius_deg, stars=len(field))
        wcs = _read_wcs(wcs_file)
        if wcs is None:
            return not_solved("reason.astap_bad_wcs")
        return confirm(wcs, field, self.catalogue, self.name, _MAX_SHIFT_PX)


def no_crash_dialogs() -> None:
    """Keep Windows from asking about a crashed ASTAP in a dialog that nobody sees; inherited by child processes."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetErrorMode(_SEM_NO_DIALOGS)


def _write_image(path: Path, field: StarField) -> None:
    """Write the green image as 16-bit FITS with the cards that ASTAP takes its hints from."""
    assert field.green is not None
    header = fits.Header()
    if field.scale_arcsec is not None:
        header["XPIXSZ"] = header["YPIXSZ"] = _PIXEL_UM
        header["FOCALLEN"] = 206.264806 * _PIXEL_UM / field.scale_arcsec
    if field.ra_deg is not None and field.dec_deg is not None:
        header["RA"], header["DEC"] = field.ra_deg, field.dec_deg
    fits.PrimaryHDU(_as_uint16(field.green()), header).writeto(path)


def _as_uint16(image: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return the image stretched linearly over 16 bits; missing pixels become the median."""
    good = image[np.isfinite(image)]
    if len(good) == 0:
        return np.zeros(image.shape, np.uint16)
    low, high = float(good.min()), float(good.max())
    filled = np.nan_to_num(image, nan=float(np.median(good)), posinf=high, neginf=low)
    return ((filled - low) * (60000.0 / max(high - low, 1e-12))).astype(np.uint16)


def _ini_lines(path: Path) -> list[tuple[str, str]]:
    """Return the lines ``KEY=VALUE`` of a file in order, none where it is missing."""
    if not path.is_file():
        return []
    parts = [line.partition("=") for line in path.read_text("utf-8", "replace").splitlines()]
    return [(key.strip().upper(), value.strip()) for key, sign, value in parts if sign]


def _complaints(lines: list[tuple[str, str]], output: str) -> tuple[str, ...]:
    """Return what ASTAP calls errors and warnings, in its own words, each once."""
    complaints = [value for key, value in lines if key.startswith(("ERROR", "WARNING")) and value]
    complaints += [line.strip() for line in output.splitlines() if "EInOutError" in line]
    return tuple(dict.fromkeys(complaints))


def _read_wcs(path: Path) -> FrameWcs | None:
    """Return the linear WCS of ASTAP's .wcs file, None where it is missing, damaged or lacks a card."""
    if not path.is_file():
        return None
    text = path.read_bytes().decode("ascii", "replace")
    lines = text.splitlines() if "\n" in text[:400] else [text[k : k + 80] for k in range(0, len(text), 80)]
    cards = {line[:8].strip(): line[10:].partition("/")[0].strip() for line in lines if line[8:9] == "="}
    try:
        ra, dec, x, y, a, b, c, d = (float(cards[key]) for key in _WCS_CARDS)
    except (KeyError, ValueError):
        return None
    wcs = FrameWcs(ra % 360.0, dec, x - 1.0, y - 1.0, ((a, b), (c, d)))
    return wcs if np.isfinite([ra, dec, x, y, a, b, c, d]).all() and wcs.scale_arcsec > 0.0 else None


def _kill_tree(pid: int) -> None:
    """Kill a process and all it has started."""
    try:
        parent = psutil.Process(pid)
        family = [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue  # it ended by itself
    psutil.wait_procs(family, timeout=5.0)
