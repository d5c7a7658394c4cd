"""Star catalogues: the bundled Tycho-2 and a user's ASTAP star database, behind one protocol."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from zemosaic.catalogue.astap_database import AstapCatalogue, database_names, open_astap
from zemosaic.catalogue.base import Catalogue, CatalogueStars
from zemosaic.catalogue.quads import QuadIndex, Quads, build_quads, cache_folder, load_quads, quads_of
from zemosaic.catalogue.sky_cells import CellCatalogue

__all__ = [
    "AstapCatalogue",
    "Catalogue",
    "CatalogueStars",
    "CellCatalogue",
    "QuadIndex",
    "Quads",
    "build_quads",
    "cache_folder",
    "database_names",
    "load_bundled",
    "load_quads",
    "open_astap",
    "quads_of",
]


def load_bundled() -> CellCatalogue:
    """Return the bundled Tycho-2 catalogue; opening maps the file and reads next to nothing.

    Raises
    ------
    InputError
        The data file is missing from the installation or damaged.
    """
    return CellCatalogue.open(Path(str(files("zemosaic") / "data" / "tycho2.bin")), "Tycho-2")
