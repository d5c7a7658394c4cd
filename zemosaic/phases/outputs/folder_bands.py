"""Lines and colour pictures of mosaics that lie in a folder already, without a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from zemosaic.compute.budget import make_budget
from zemosaic.compute.executors import SerialExecutor
from zemosaic.compute.machine_resources import ResourceMonitor
from zemosaic.errors import InputError, NothingUsable
from zemosaic.events import Event
from zemosaic.phases.context import make_context
from zemosaic.phases.outputs.band_mosaics import FolderMosaic, mosaics_in, of_one_lattice
from zemosaic.phases.outputs.bands import make_bands, wants_bands
from zemosaic.phases.run.workers import Workers
from zemosaic.settings.schema import Settings
from zemosaic.store.journal import Journal
from zemosaic.store.temporary import temporary_folder

__all__ = ["make_bands_of_folder", "newest_mosaics"]


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
