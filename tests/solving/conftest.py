from __future__ import annotations

import pytest

from zemosaic.catalogue import CellCatalogue, load_bundled


@pytest.fixture(scope="session")
def tycho() -> CellCatalogue:
    return load_bundled()
