"""A part of the demo's survey and its mosaic, for tests of what is told of single pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from zemosaic import worker
from zemosaic.events import RunFinished
from zemosaic.settings.schema import Settings

__all__ = ["CROPPED", "SmallSurvey", "make_survey"]

SHOTS = range(9)
"""Two pointings; a satellite crosses the fifth frame, and the user does not want the last."""
SATELLITE, UNWANTED = 4, 8
CROPPED = {
    "quality_crop_enabled": True,
    "quality_crop_k_sigma": 1.0,
    "quality_crop_min_run": 1,
    "save_proper_coadd": True,
}
REGION = "314.95,44.42,0.62,0.55"


@dataclass(frozen=True)
class SmallSurvey:
    """Frames, and the output folder of a run of Grid mode whose file is a part of its canvas."""

    frames: Path
    output: Path

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.frames.iterdir())

    @property
    def satellite(self) -> str:
        """Name of the frame that a satellite crosses."""
        return self.names[SATELLITE]

    @property
    def unwanted(self) -> str:
        """Name of the frame that the user picked out."""
        return self.names[UNWANTED]

    @property
    def mosaic(self) -> Path:
        return next(path for path in self.output.glob("zemosaic_MT*.fits") if path.stem.count("_") == 2)

    def run(self, output: Path, **changes: object) -> Path:
        """Make another mosaic of the same frames; returns its folder."""
        picks = output.parent / f"picks_of_{output.name}.csv"
        picks.write_text(f"file,pick\n{self.unwanted},no\n", encoding="utf-8")
        values = {"solver": "embedded", "language": "en", "region_of_interest": REGION, "save_rejection_maps": True}
        folders = {"input_dir": str(self.frames), "output_dir": str(output), "quality_picks_file": str(picks)}
        run = worker.start(Settings(**(values | folders | changes)))
        try:
            last = list(run.events())[-1]
        finally:
            run.close()
        assert isinstance(last, RunFinished), last
        return output


def make_survey(demo_frames: Callable[[Path, Iterable[int]], Path], folder: Path) -> SmallSurvey:
    """Make the frames and the mosaic below a folder."""
    survey = SmallSurvey(demo_frames(folder, SHOTS), folder / "mosaic")
    survey.run(survey.output, **CROPPED)
    return survey
