"""The blind solver of a run, which makes or reads its index of the whole sky when it is first asked."""

from __future__ import annotations

import os

from zemosaic.catalogue import CellCatalogue, cache_folder, load_quads
from zemosaic.errors import Message, message
from zemosaic.model import Solution
from zemosaic.phases.context import RunContext
from zemosaic.solving.base import Field
from zemosaic.solving.blind import BlindSolver

__all__ = ["WholeSky"]


class WholeSky:
    """The blind solver, its index of the sky made or read when first needed."""

    name = "blind"

    def __init__(self, context: RunContext, catalogue: CellCatalogue) -> None:
        self._context, self._catalogue = context, catalogue
        self._solver: BlindSolver | None = None

    def solve(self, field: Field) -> Solution | Message:
        """Answer as `BlindSolver` does."""
        if self._solver is None:
            folder = cache_folder(os.environ)
            self._context.log(message("log.blind_search", folder=str(folder)))
            self._solver = BlindSolver(self._catalogue, load_quads(self._catalogue, folder))
        return self._solver.solve(field)
