"""ASTAP and the search of the whole sky, as a run asks for them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from zemosaic.catalogue import Catalogue, CellCatalogue, cache_folder, load_quads, open_astap
from zemosaic.errors import Message, message
from zemosaic.model import Solution
from zemosaic.phases.context import RunContext
from zemosaic.phases.run.reporter import Reporter
from zemosaic.settings.schema import Settings
from zemosaic.solving.base import NotSolved, Solver, StarField
from zemosaic.solving.solvers.astap import AstapSolver
from zemosaic.solving.solvers.astap_find import AstapInstallation, detect_astap_installation, misleading_paths
from zemosaic.solving.solvers.blind import BlindSolver
from zemosaic.solving.solvers.embedded import EmbeddedSolver
from zemosaic.solving.solvers.slots import AstapSlots, retries_from_environment

__all__ = ["Solvers", "WholeSky", "astap_solver", "check_solver_paths", "make_solvers"]

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
        context.workers.check_cancelled()
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

    def __init__(self, reporter: Reporter, catalogue: CellCatalogue) -> None:
        self._reporter, self._catalogue = reporter, catalogue
        self._solver: BlindSolver | None = None

    def solve(self, field: StarField) -> Solution | NotSolved:
        """Answer as `BlindSolver` does."""
        if self._solver is None:
            folder = cache_folder(os.environ)
            self._reporter.log(message("log.blind_search", folder=str(folder)))
            self._solver = BlindSolver(self._catalogue, load_quads(self._catalogue, folder))
        return self._solver.solve(field)


def check_solver_paths(settings: Settings, reporter: Reporter) -> None:
    """Warn of each path to ASTAP, in the settings or the environment, where no such thing is.

    Parameters
    ----------
    settings : Settings
    reporter : Reporter
        Is told.
    """
    if settings.solver == "embedded":
        return
    for warning in misleading_paths(settings.astap_executable_path, settings.astap_data_directory_path, os.environ):
        reporter.warn(warning)


@dataclass(frozen=True)
class Solvers:
    """Who is asked for an absolute solution, in which order."""

    catalogues: tuple[Catalogue, ...]
    """What a WCS of a header is compared with."""
    hinted: tuple[Solver, ...]
    blind: tuple[Solver, ...]
    """For frames without a pointing, and where a pointing leads nowhere."""

    def without_astap(self) -> Solvers:
        return replace(self, hinted=_other_than_astap(self.hinted), blind=_other_than_astap(self.blind))


def make_solvers(context: RunContext, bundled: CellCatalogue) -> Solvers:
    """Return the solvers that the settings and this machine allow.

    Parameters
    ----------
    context : RunContext
    bundled : CellCatalogue
        The stars that come with the program.
    """
    settings = context.settings
    installation = None
    if settings.solver in ("auto", "astap"):
        installation = detect_astap_installation(settings.astap_executable_path, settings.astap_data_directory_path)
        if installation is None and settings.solver == "astap":
            context.warn(message("warning.astap_missing"))
    stars = (
        installation.data_dir if installation is not None else Path(settings.astap_data_directory_path or os.devnull)
    )
    deep = open_astap(stars) if stars is not None else None
    catalogues: tuple[Catalogue, ...] = (bundled,) if deep is None else (bundled, deep)
    embedded = tuple(EmbeddedSolver(catalogue) for catalogue in catalogues)
    blind = WholeSky(context.reporter, bundled)
    if installation is None:
        return Solvers(catalogues, embedded, (blind,))
    context.log(message("log.astap_found", path=str(installation.executable)))
    astap = astap_solver(context, installation, catalogues[-1])
    return Solvers(catalogues, (astap, *embedded), (blind, astap))


def _other_than_astap(solvers: Iterable[Solver]) -> tuple[Solver, ...]:
    return tuple(solver for solver in solvers if not isinstance(solver, AstapSolver))
