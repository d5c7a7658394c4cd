"""What the tests of solving share.  Libraries get one thread each, as in a run: on busy machines more take longer."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path
from zlib import crc32

import pytest

from zemosaic.compute.executors import limit_library_threads

limit_library_threads()  # before anything imports the numerical libraries

from zemosaic.catalogue import CellCatalogue, QuadIndex, load_bundled, load_quads  # noqa: E402
from zemosaic.catalogue import quads as quads_module  # noqa: E402


@pytest.fixture(scope="session")
def tycho() -> CellCatalogue:
    return load_bundled()


@pytest.fixture(scope="session")
def sky_cache(pytestconfig: pytest.Config) -> Path:
    """Where the whole sky's index is kept from session to session, one for each version of the code that makes it."""
    name = f"quads_{crc32(inspect.getsource(quads_module).encode()):08x}"
    if pytestconfig.pluginmanager.hasplugin("cacheprovider"):
        return Path(pytestconfig.cache.mkdir(name))
    return Path(tempfile.gettempdir()) / f"zemosaic_tests_{name}"


@pytest.fixture(scope="session")
def quads(tycho: CellCatalogue, sky_cache: Path) -> QuadIndex:
    return load_quads(tycho, sky_cache)
