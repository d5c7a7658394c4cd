"""Find the frames of a folder: every FITS file becomes a `FrameRef` or a `Dropped` with a reason."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zemosaic.errors import FrameError, InputError, Message, message
from zemosaic.frames.bayer_pattern import corrected_cameras
from zemosaic.frames.copies import same_exposures
from zemosaic.frames.filters import settled_filters
from zemosaic.frames.headers.dialects import frame_ref
from zemosaic.frames.headers.header import FitsImage, find_image
from zemosaic.frames.headers.sidecar import Sidecars
from zemosaic.frames.numbers import NumberKind, number_kind, on_one_scale
from zemosaic.frames.patient_reading import patiently, regular_file
from zemosaic.frames.stacks import colour_among_raw, finished_stack
from zemosaic.model import Dropped, FrameRef, FrameStatus

__all__ = ["ScanResult", "fits_files", "read_frame", "scan_folder"]

OWN_PREFIX = "zemosaic_MT"
"""Names of finished mosaics begin like this."""

_FITS_NAME = re.compile(r"\.(fits?|fts)(\.fz|\.gz)?$|\.fz$", re.IGNORECASE)
_OTHER_KINDS = {
    **dict.fromkeys(("cr2", "cr3", "crw", "nef", "nrw", "arw", "raf", "orf", "rw2", "pef", "dng"), ""),
    "xisf": "XISF",
    "ser": "SER",
    "avi": "AVI",
    "mp4": "MP4",
    "mov": "MOV",
    **dict.fromkeys(("tif", "tiff"), "TIFF"),
    **dict.fromkeys(("jpg", "jpeg"), "JPEG"),
    "png": "PNG",
    "bmp": "BMP",
}
_OTHER_KINDS |= {ending: ending.upper() for ending, kind in _OTHER_KINDS.items() if not kind}
"""Pictures and films that cannot be read, by the ending of their names."""
_SYSTEM_FOLDERS = ("__MACOSX", "$RECYCLE.BIN", "System Volume Information")
_DIGITS = re.compile(r"(\d+)")
_READABLE = ("reason.duplicate", "reason.same_exposure", "reason.not_a_light")
"""Reasons of files that could be read."""
_PROGRESS_STEP = 200
_SAMPLE_BYTES = 1 << 16

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class ScanResult:
    """What a folder holds."""

    frames: tuple[FrameRef, ...]
    """Usable light frames; a frame's id is its place here."""
    dropped: tuple[Dropped, ...]
    """FITS files that are no usable light frames, in order of their paths."""


def scan_folder(
    root: Path,
    *,
    exclude: Sequence[Path] = (),
    progress: Progress | None = None,
    stacks: bool = False,
    refuse: Callable[[FrameRef], None] | None = None,
    only: Collection[str] | None = None,
) -> ScanResult:
    """Read the headers of all FITS files below a folder.

    Hidden files and folders, finished mosaics and the excluded folders are passed over; links to
    folders are followed once and never upwards.

    Parameters
    ----------
    root : Path
        Folder of the frames.
    exclude : sequence of Path
        Folders to pass over, such as an output folder inside the input folder.
    progress : callable, optional
        Called with (files looked at, number of files); the number is None while they are counted.
    stacks : bool
        Whether finished stacks are wanted among single frames.  A folder of nothing but stacks keeps them anyway.
    refuse : callable, optional
        Takes each frame before any of its pixels are read, and raises FrameError where it is not to be used.
    only : collection of str, optional
        Paths of the files to look at; the others count as if they were not there.

    Raises
    ------
    InputError
        When the folder is missing, unreadable or holds no FITS file.
    """
    others: Counter[str] = Counter()
    files, dropped = _list_files(_checked(root), exclude, progress, others)
    files = [path for path in files if only is None or str(path) in only]
    if not files and not dropped:
        raise _no_fits(root, others)
    frames: list[FrameRef] = []
    stacked: dict[int, Message] = {}
    kinds: dict[str, NumberKind] = {}
    twins, sidecars = _Twins(), Sidecars()
    for done, path in enumerate(files):
        if progress is not None and done % _PROGRESS_STEP == 0:
            progress(done, len(files))
        try:
            image = find_image(path)
            first = twins.first(image)
            if first is not None:
                raise FrameError("reason.duplicate", file=path.name, first=first)
            frame = sidecars.completed(frame_ref(image, len(frames)))
            if refuse is not None:
                refuse(frame)
            frames.append(frame)
            kinds[frames[-1].path] = number_kind(image)
            evidence = finished_stack(image, frames[-1])
            if evidence is not None:
                stacked[frames[-1].frame_id] = evidence
        except FrameError as problem:
            dropped.append(_dropped(path, problem.reason))
    if progress is not None:
        progress(len(files), len(files))
    copied = same_exposures(frames)
    if copied:
        dropped += [
            _dropped(Path(frame.path), _copy_reason(frame, copied)) for frame in frames if frame.frame_id in copied
        ]
        frames = [frame for frame in frames if frame.frame_id not in copied]
    if not stacks:
        frames, left_out = _without_stacks(frames, stacked)
        dropped += left_out
    frames = [replace(frame, frame_id=number) for number, frame in enumerate(frames)]
    dropped.sort(key=lambda item: natural_key(Path(item.path)))
    return ScanResult(tuple(corrected_cameras(on_one_scale(settled_filters(frames), kinds))), tuple(dropped))


def _copy_reason(frame: FrameRef, copied: Mapping[int, str]) -> Message:
    return message("reason.same_exposure", file=Path(frame.path).name, first=copied[frame.frame_id])


def _without_stacks(frames: Sequence[FrameRef], stacked: Mapping[int, Message]) -> tuple[list[FrameRef], list[Dropped]]:
    """Return the single frames, and the stacks among them with what shows that they are stacks."""
    single = [frame for frame in frames if frame.frame_id not in stacked]
    if not single:
        return list(frames), []
    raw = [frame for frame in single if frame.bayer is not None]
    kept: list[FrameRef] = []
    dropped: list[Dropped] = []
    for frame in frames:
        reason = stacked.get(frame.frame_id) or colour_among_raw(frame, raw)
        if reason is None:
            kept.append(frame)
        else:
            dropped.append(Dropped(frame.path, None, "scan", FrameStatus.REJECTED, reason))
    return kept, dropped


def read_frame(path: Path, frame_id: int = 0, *, light: bool = True) -> FrameRef:
    """Return the record of one file.

    Parameters
    ----------
    path : Path
    frame_id : int
        Number that the record gets.
    light : bool
        Whether dark, flat and bias frames are refused.

    Returns
    -------
    FrameRef

    Raises
    ------
    FrameError
        When it is no usable frame or, where a light one is asked for, a dark, flat or bias.
    """
    return frame_ref(find_image(path.absolute()), frame_id, light=light)


def fits_files(root: Path, exclude: Sequence[Path] = ()) -> list[Path]:
    """Return the FITS files below a folder in natural order, as `scan_folder` would look at them.

    Parameters
    ----------
    root : Path
    exclude : sequence of Path
        Folders to pass over.

    Raises
    ------
    InputError
        When the folder is missing or cannot be read.
    """
    return _list_files(_checked(root), exclude, None, Counter())[0]


def natural_key(path: Path) -> tuple[tuple[tuple[str | int, ...], ...], str]:
    """Sort key of paths that puts ``sub_9`` before ``sub_10``; the same on every machine."""
    parts = tuple(
        tuple(int(piece) if i % 2 else piece for i, piece in enumerate(_DIGITS.split(part.casefold())))
        for part in path.parts
    )
    return parts, str(path)


def _dropped(path: Path, reason: Message) -> Dropped:
    status = FrameStatus.REJECTED if reason.key in _READABLE else FrameStatus.UNREADABLE
    return Dropped(str(path), None, "scan", status, reason)


def _checked(root: Path) -> Path:
    """Return the absolute path of a readable folder."""
    absolute = root.expanduser().absolute()
    try:
        if not absolute.exists():
            raise InputError("error.input_missing", path=str(root))
        if not absolute.is_dir():
            raise InputError("error.input_not_a_folder", path=str(root))
        os.scandir(absolute).close()
    except OSError as problem:
        detail = problem.strerror or str(problem)
        raise InputError("error.input_unreadable", path=str(root), detail=detail) from None
    return absolute


def _no_fits(root: Path, others: Counter[str]) -> InputError:
    """Return what to tell of a folder without FITS files: which pictures of other kinds were seen there."""
    if not others:
        return InputError("error.input_no_fits", path=str(root))
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items(), key=lambda item: (-item[1], item[0])))
    return InputError("error.input_other_kinds", path=str(root), kinds=kinds)


def _list_files(
    root: Path, exclude: Sequence[Path], progress: Progress | None, others: Counter[str]
) -> tuple[list[Path], list[Dropped]]:
    """Return the FITS files below root in natural order, and folders that cannot be listed; count other pictures."""
    # A link upwards would lead out of the folder that was asked for, and back into it.
    seen = {key for folder in (root, *root.parents, *exclude) if (key := _folder_key(folder)) is not None}
    files: list[Path] = []
    closed: list[Dropped] = []
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as problem:
            detail = problem.strerror or str(problem)
            closed.append(_dropped(folder, message("reason.folder_unreadable", folder=str(folder), detail=detail)))
            continue
        files += (Path(entry.path) for entry in entries if _is_candidate(entry))
        others.update(kind for entry in entries if (kind := _other_kind(entry)))
        waiting += _new_folders(entries, seen)
        if progress is not None:
            progress(len(files), None)
    return sorted(files, key=natural_key), closed


def _is_candidate(entry: os.DirEntry[str]) -> bool:
    is_fits = _FITS_NAME.search(entry.name) is not None
    return is_fits and not entry.name.startswith((".", OWN_PREFIX)) and not _is_folder(entry)


def _other_kind(entry: os.DirEntry[str]) -> str:
    """Return the kind of a picture that is no FITS file, as people call it; empty for everything else."""
    ending = entry.name.rpartition(".")[2].lower()
    return "" if entry.name.startswith(".") or _is_folder(entry) else _OTHER_KINDS.get(ending, "")


def _new_folders(entries: Sequence[os.DirEntry[str]], seen: set[tuple[int, int] | str]) -> Iterator[Path]:
    """Yield folders not met before, real ones before links to folders."""
    for linked in (False, True):
        for entry in entries:
            hidden = entry.name.startswith(".") or entry.name in _SYSTEM_FOLDERS
            if hidden or entry.is_symlink() != linked or not _is_folder(entry):
                continue
            key = _folder_key(Path(entry.path))
            if key is not None and key not in seen:
                seen.add(key)
                yield Path(entry.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _folder_key(folder: Path) -> tuple[int, int] | str | None:
    """Identity of a folder whatever name it goes by; None where it cannot be told."""
    try:
        status = folder.stat()
        # Some network drives number nothing.
        return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is kept of a file to compare it with later ones."""

    path: str
    size_bytes: int
    data_offset: int


class _Twins:
    """Knows the files met so far by their content.

    Equal size and header bytes make a twin likely; frames of programs that write neither date nor
    counter are told apart by samples of their pixels, which are read only then.
    """

    def __init__(self) -> None:
        self._first: dict[tuple[int, bytes], _Seen] = {}
        self._sampled: dict[tuple[int, bytes, bytes], str] = {}

    def first(self, image: FitsImage) -> str | None:
        """Return the path of the first file with this content, None where this is the first."""
        seen = _Seen(image.path, image.size_bytes, image.data_offset)
        key = (image.size_bytes, image.identity)
        earlier = self._first.setdefault(key, seen)
        if earlier is seen:
            return None
        self._sampled.setdefault((*key, _samples(earlier)), earlier.path)
        path = self._sampled.setdefault((*key, _samples(seen)), seen.path)
        return None if path == seen.path else path


def _samples(seen: _Seen) -> bytes:
    """Digest of three pieces of a file."""
    digest = hashlib.blake2b(digest_size=16)
    last = max(seen.size_bytes - _SAMPLE_BYTES, 0)

    def pieces() -> list[bytes]:
        read = []
        with regular_file(Path(seen.path)) as raw:
            for start in (min(seen.data_offset, last), (seen.data_offset + last) // 2, last):
                raw.seek(start)
                read.append(raw.read(_SAMPLE_BYTES))
        return read

    try:
        for piece in patiently(pieces):
            digest.update(piece)
    except OSError as problem:
        raise FrameError("reason.io_error", file=Path(seen.path).name, detail=str(problem)) from None
    return digest.digest()
