from __future__ import annotations

import inspect
from pathlib import Path
from zlib import crc32

import pytest

from zemosaic.catalogue import CellCatalogue, QuadIndex, load_bundled, load_quads
from zemosaic.catalogue import quads as quads_module


@pytest.fixture(scope="session")
def tycho() -> CellCatalogue:
    return load_bundled()


@pytest.fixture(scope="session")
def sky_cache(pytestconfig: pytest.Config) -> Path:
    """Where the whole sky's index is kept from session to session, one for each version of the code that makes it."""
    version = crc32(inspect.getsource(quads_module).encode())
    return Path(pytestconfig.cache.mkdir(f"quads_{version:08x}"))


@pytest.fixture(scope="session")
def quads(tycho: CellCatalogue, sky_cache: Path) -> QuadIndex:
    return load_quads(tycho, sky_cache)
