"""Lines and colour pictures of mosaics that lie in a folder already, without a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from zemosaic.bands.palettes import PALETTE_NAMES, is_dual_band, missing_bands, palette_named
from zemosaic.compute.budget import make_budget
from zemosaic.compute.executors import SerialExecutor
from zemosaic.compute.machine_resources import ResourceMonitor
from zemosaic.errors import InputError, NothingUsable
from zemosaic.events import Event
from zemosaic.phases.context import make_context
from zemosaic.phases.outputs.band_mosaics import PALETTE_CARD, FolderMosaic, best_of_bands, mosaics_in, of_one_lattice
from zemosaic.phases.outputs.bands import make_bands, wants_bands
from zemosaic.phases.run.workers import Workers
from zemosaic.settings.schema import Settings
from zemosaic.store.journal import Journal
from zemosaic.store.mosaic_file import MosaicFile
from zemosaic.store.temporary import temporary_folder

__all__ = ["combine_folder", "make_bands_of_folder", "newest_mosaics", "possible_palettes"]


def make_bands_of_folder(folder: Path, settings: Settings, emit: Callable[[Event], None]) -> list[Path]:
    """Make what the settings ask for of the newest mosaics in a folder; returns the files of the mosaics made.

    Parameters
    ----------
    folder : Path
        Output folder of earlier runs, where the new files go as well.
    settings : Settings
    emit : callable
        Takes what is told.

    Raises
    ------
    InputError
        The settings ask for nothing, or there is no mosaic.
    NothingUsable
        What they ask for could not be made; what was missing is told.
    OutputError, ResourceError
        A file cannot be written.
    """
    if not wants_bands(settings):
        raise InputError("error.bands_not_asked")
    mosaics = newest_mosaics(mosaics_in(folder, ()))
    if not mosaics:
        raise InputError("error.no_mosaics_here", folder=str(folder))
    budget = make_budget(settings.memory_limit_gb, 1)
    with temporary_folder("bands") as scratch, ResourceMonitor() as monitor:
        journal = Journal(scratch / "journal.sqlite")
        try:
            context = make_context(
                settings=settings.model_copy(update={"output_dir": str(folder)}),
                emit=emit,
                workers=Workers(SerialExecutor(), budget, lambda: False, scratch),
                journal=journal,
                monitor=monitor,
            )
            made = make_bands(context, [mosaic.path.name for mosaic in mosaics])
        finally:
            journal.close()
    names = [*(one.product.mosaic for one in made.combined), *(line.mosaic for line in made.lines)]
    if not names:
        raise NothingUsable("error.bands_not_made")
    return [folder / name for name in names]


def combine_folder(folder: Path, palette: str, settings: Settings, emit: Callable[[Event], None]) -> Path:
    """Make one colour picture of the newest mosaics in a folder; returns the mosaic that was made.

    Parameters
    ----------
    folder : Path
    palette : str
        One of `PALETTE_NAMES`, in place of what the settings ask for.
    settings : Settings
        Where they do not ask for the lines of dual-band filters, these are taken out if the palette lacks them.
    emit : callable
        Takes what is told.

    Raises
    ------
    ZeMosaicError
        As `make_bands_of_folder`.
    """
    asked: dict[str, str] = {"combine_filters": palette}
    groups = _groups_in(folder)
    lacking = all(missing_bands(palette_named(palette), best_of_bands(group)) for group in groups)
    if lacking and settings.dual_band_planes == "none" and any(map(_has_lines, groups)):
        asked["dual_band_planes"] = "dual_band"
    for path in make_bands_of_folder(folder, settings.model_copy(update=asked), emit):
        with closing(MosaicFile(path)) as made:
            if PALETTE_CARD in made.header:
                return path
    raise NothingUsable("error.bands_not_made")


def possible_palettes(folder: Path) -> tuple[str, ...]:
    """Return the names of the palettes that the mosaics in a folder can be combined to.

    Parameters
    ----------
    folder : Path
        Mosaics that lie on different lattices cannot be combined; those behind known dual-band filters have H alpha
        and OIII.
    """
    possible: set[str] = set()
    for group in _groups_in(folder):
        bands = set(best_of_bands(group))
        if _has_lines(group):
            bands |= {"Ha", "OIII"}
        possible |= {name for name in PALETTE_NAMES if not missing_bands(palette_named(name), bands)}
    return tuple(name for name in PALETTE_NAMES if name in possible)


def _has_lines(group: Sequence[FolderMosaic]) -> bool:
    return any(mosaic.channels == 3 and is_dual_band(mosaic.filter_name) for mosaic in group)


def _groups_in(folder: Path) -> list[list[FolderMosaic]]:
    return of_one_lattice(newest_mosaics(mosaics_in(folder, ())))


def newest_mosaics(mosaics: Sequence[FolderMosaic]) -> list[FolderMosaic]:
    """Return the newest mosaic of each filter and band on each lattice, as if one run had made them.

    Parameters
    ----------
    mosaics : sequence of FolderMosaic
        All of a folder.
    """
    newest: list[FolderMosaic] = []
    for group in of_one_lattice(mosaics):
        by_kind = {
            (mosaic.filter_name, mosaic.band, mosaic.channels): mosaic
            for mosaic in sorted(group, key=lambda one: (one.mtime_ns, one.path.name))
        }
        newest += by_kind.values()
    return sorted(newest, key=lambda mosaic: mosaic.path.name)
