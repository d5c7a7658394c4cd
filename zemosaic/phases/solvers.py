"""ASTAP and the search of the whole sky, as a run asks for them."""

from __future__ import annotations

import os
import time

from zemosaic.catalogue import Catalogue, CellCatalogue, cache_folder, load_quads
from zemosaic.errors import Message, message
from zemosaic.model import Solution
from zemosaic.phases.context import RunContext
from zemosaic.solving.astap import AstapSolver
from zemosaic.solving.astap_find import AstapInstallation
from zemosaic.solving.base import StarField
from zemosaic.solving.blind import BlindSolver
from zemosaic.solving.slots import AstapSlots, retries_from_environment

__all__ = ["WholeSky", "astap_solver"]

WAITING_TOLD_S = 60.0
"""Shortest time between two lines about waiting for ASTAP."""


def astap_solver(context: RunContext, found: AstapInstallation, catalogue: Catalogue) -> AstapSolver:
    """Return ASTAP as the settings and the environment want it.

    Parameters
    ----------
    context : RunContext
        Of the run; told when ASTAP is waited for.
    found : AstapInstallation
        Program and star database.
    catalogue : Catalogue
        Stars that confirm its solutions.
    """
    settings, told_at = context.settings, [-WAITING_TOLD_S]

    def waiting(text: Message) -> None:
        context.check_cancelled()
        if time.monotonic() - told_at[0] >= WAITING_TOLD_S:
            told_at[0] = time.monotonic()
            context.log(text)

    retries, backoff_s = retries_from_environment(os.environ)
    return AstapSolver(
        found,
        radius_deg=settings.astap_default_search_radius,
        timeout_s=settings.astap_timeout_s,
        catalogue=catalogue,
        slots=AstapSlots.from_environment(settings.astap_max_instances, os.environ, waiting),
        retries=retries,
        backoff_s=backoff_s,
    )


class WholeSky:
    """The blind solver, its index of the sky made or read when first needed."""

    name = "blind"

    def __init__(self, context: RunContext, catalogue: CellCatalogue) -> None:
        self._context, self._catalogue = context, catalogue
        self._solver: BlindSolver | None = None

    def solve(self, field: StarField) -> Solution | Message:
        """Answer as `BlindSolver` does."""
        if self._solver is None:
            folder = cache_folder(os.environ)
            self._context.log(message("log.blind_search", folder=str(folder)))
            self._solver = BlindSolver(self._catalogue, load_quads(self._catalogue, folder))
        return self._solver.solve(field)
