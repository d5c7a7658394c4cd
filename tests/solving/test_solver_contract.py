"""The contract of solvers, for those that need nothing installed; the real ASTAP's stands in its own file."""

from __future__ import annotations

import pytest
from solver_contract import SolverContract

from zemosaic.catalogue import CellCatalogue, QuadIndex
from zemosaic.solving.base import Solver
from zemosaic.solving.solvers.blind import BlindSolver
from zemosaic.solving.solvers.embedded import EmbeddedSolver


class TestEmbeddedSolver(SolverContract):
    @pytest.fixture
    def solver(self, tycho: CellCatalogue) -> Solver:
        return EmbeddedSolver(tycho)


class TestBlindSolver(SolverContract):
    @pytest.fixture
    def solver(self, tycho: CellCatalogue, quads: QuadIndex) -> Solver:
        return BlindSolver(tycho, quads)
