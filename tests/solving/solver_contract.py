"""What every solver promises, whoever wrote it: subclasses give a `solver` and, where it wants them, pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from star_lists import make_field, true_wcs, worst_offset_px

from zemosaic.catalogue import CellCatalogue
from zemosaic.model import Solution
from zemosaic.solving.base import Failure, NotSolved, Solver, StarField

CYGNUS = (305.6, 40.2)
TRUE_PX = 4.0


class SolverContract:
    """Tests that every `Solver` passes."""

    def field(self, tycho: CellCatalogue, **changes: object) -> StarField:
        """Return a frame of Cygnus that the solver can solve, with some of it changed."""
        truth = true_wcs(*CYGNUS, 30.0, bend_px=0.5)
        made = replace(make_field(tycho, truth, seed=3), name="lights/frame.fit")
        return replace(made, **changes)  # type: ignore[arg-type]

    def test_it_solves_a_frame_that_holds_enough(self, tycho: CellCatalogue, solver: Solver) -> None:
        field = self.field(tycho)
        answer = solver.solve(field)
        assert isinstance(answer, Solution), answer
        assert answer.how == solver.name
        assert answer.n_matched >= 8
        assert 0.0 < answer.rms_arcsec < 2.0
        assert worst_offset_px(answer.wcs, true_wcs(*CYGNUS, 30.0, bend_px=0.5)) < TRUE_PX

    def test_the_same_frame_has_the_same_answer(self, tycho: CellCatalogue, solver: Solver) -> None:
        first, second = (solver.solve(self.field(tycho)) for _ in range(2))
        assert isinstance(first, Solution)
        assert first == second

    def test_it_changes_nothing_of_the_frame(self, tycho: CellCatalogue, solver: Solver) -> None:
        field = self.field(tycho)
        x, y = field.x_px.copy(), field.y_px.copy()
        field.x_px.flags.writeable = field.y_px.flags.writeable = False
        assert isinstance(solver.solve(field), Solution)
        np.testing.assert_array_equal(field.x_px, x)
        np.testing.assert_array_equal(field.y_px, y)

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_too_few_stars_are_a_reason_and_not_an_error(
        self, tycho: CellCatalogue, solver: Solver, count: int
    ) -> None:
        field = self.field(tycho)
        self.refused(solver, replace(field, x_px=field.x_px[:count], y_px=field.y_px[:count], green=self.blank(field)))

    def test_no_place_is_believed_for_stars_by_chance(self, tycho: CellCatalogue, solver: Solver) -> None:
        rng = np.random.default_rng(8)
        field = self.field(tycho)
        x, y = rng.uniform(0, field.width, len(field)), rng.uniform(0, field.height, len(field))
        answer = self.refused(solver, replace(field, x_px=x, y_px=y, green=self.blank(field)))
        assert answer.failure is not Failure.UNUSABLE

    def test_stars_all_at_one_place_are_no_error(self, tycho: CellCatalogue, solver: Solver) -> None:
        field = self.field(tycho)
        same = np.full(len(field), 500.0)
        self.refused(solver, replace(field, x_px=same, y_px=same.copy(), green=self.blank(field)))

    def refused(self, solver: Solver, field: StarField) -> NotSolved:
        """Ask for a frame that has no solution; the reason has a sentence and does not forbid asking for others."""
        answer = solver.solve(field)
        assert isinstance(answer, NotSolved)
        assert answer.reason.key.startswith("reason.")
        assert not answer.failure.is_final
        return answer

    def blank(self, field: StarField):
        """Return what makes the image of a frame without stars; None where the solver does not look at pixels."""
        if field.green is None:
            return None
        sky = np.random.default_rng(1).normal(1000.0, 20.0, (field.height, field.width)).astype(np.float32)
        return lambda: sky
