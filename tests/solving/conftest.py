from __future__ import annotations

import inspect
from zlib import crc32

import pytest

from zemosaic.catalogue import CellCatalogue, QuadIndex, load_bundled, load_quads
from zemosaic.catalogue import quads as quads_module


@pytest.fixture(scope="session")
def tycho() -> CellCatalogue:
    return load_bundled()


@pytest.fixture(scope="session")
def quads(tycho: CellCatalogue, pytestconfig: pytest.Config) -> QuadIndex:
    """The whole sky's index, made once for each version of the code that makes it: some seconds."""
    version = crc32(inspect.getsource(quads_module).encode())
    return load_quads(tycho, pytestconfig.cache.mkdir(f"quads_{version:08x}"))
