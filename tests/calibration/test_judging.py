"""Each quality setting changes which frames are used, and the user's own choice wins."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from frames_of_sky import frame_of, measured_of

from zemosaic.calibration.photometry import Photometry
from zemosaic.errors import NothingUsable
from zemosaic.model import Dropped, Solution, SolvedFrame
from zemosaic.phases.calibrate import _accepted
from zemosaic.phases.scan import _chosen
from zemosaic.settings.schema import Settings
from zemosaic.wcs import FrameWcs

N = 8
WCS = FrameWcs(10.0, 40.0, 100.0, 80.0, ((-0.001, 0.0), (0.0, 0.001)))


@dataclass
class Context:
    """As much of a run as judging needs."""

    settings: Settings
    dropped: list[Dropped] = field(default_factory=list)

    def drop(self, dropped: Dropped) -> None:
        self.dropped.append(dropped)


def reasons(**settings: object) -> dict[int, str]:
    """Judge 8 frames: 1 blurred, 2 trailed, 3 cloudy, 4 bright, 5 with few stars."""
    measured = [measured_of(frame_of(frame_id=k)) for k in range(N)]
    measured[1] = replace(measured[1], fwhm_px=6.0)
    measured[2] = replace(measured[2], eccentricity=0.9)
    measured[4] = replace(measured[4], noise_adu=(40.0,))
    solved = [SolvedFrame(frame, Solution(WCS, "header", 9, 0.1)) for frame in measured]
    passed = np.ones((N, 1))
    passed[3] = 0.3
    n_stars = np.full(N, 50)
    n_stars[5] = 5
    none = np.zeros((0, 1)), np.zeros(len(passed)), np.zeros(1)
    photometry = Photometry(passed, 0.01 * passed, np.zeros(1), np.zeros(1), n_stars, *none)
    context = Context(Settings(**settings))
    kept = _accepted(context, solved, [np.zeros(0, int)] * N, photometry, np.zeros(N, int), {})  # type: ignore[arg-type]
    assert len(kept) + len(context.dropped) == N
    return {drop.frame_id: drop.reason.key for drop in context.dropped if drop.frame_id is not None}


ALL = {
    1: "reason.blurred",
    2: "reason.trailed",
    3: "reason.cloudy",
    4: "reason.too_bright",
    5: "reason.few_stars",
}


def test_every_fault_is_named():
    assert reasons() == ALL


@pytest.mark.parametrize(
    ("setting", "value", "saved"),
    [
        ("quality_max_fwhm_ratio", 2.1, 1),
        ("quality_max_eccentricity", 0.95, 2),
        ("quality_min_transparency", 0.2, 3),
        ("quality_max_sky_ratio", 17.0, 4),
        ("quality_min_star_ratio", 0.05, 5),
    ],
)
def test_each_limit_is_the_users(setting: str, value: float, saved: int):
    assert reasons(**{setting: value}) == {k: reason for k, reason in ALL.items() if k != saved}


def test_rejection_can_be_off():
    assert reasons(quality_reject_enabled=False) == {}


@pytest.mark.parametrize("judged", [True, False])
def test_hand_picks_win(tmp_path: Path, judged: bool):
    path = tmp_path / "picks.csv"
    path.write_text("file;pick\n0.fit;no\n1.fit;yes\n3.fit;yes\n6.fit;\n")
    found = reasons(quality_picks_file=str(path), quality_reject_enabled=judged)
    left = {2: ALL[2], 4: ALL[4], 5: ALL[5]} if judged else {}
    assert found == {0: "reason.picked_out", **left}


def test_nothing_left_is_told(tmp_path: Path):
    path = tmp_path / "picks.csv"
    path.write_text("file,pick\n" + "".join(f"{k}.fit,no\n" for k in range(N)))
    with pytest.raises(NothingUsable):
        reasons(quality_picks_file=str(path))


@pytest.mark.parametrize(
    "text",
    [
        "file,pick\n0.fit,no\n1.fit,yes\n2.fit,\n",
        "Path;keep;note\n0.fit;0;\n3.fit;faux;x\n4.fit;1;\n",
        "order,file_path\n1,1.fit\n2,5.fit\n",
        "file_path,group\n1.fit,North\n2.fit,\n",
        "file_path\n6.fit\n",
    ],
)
def test_one_table_leaves_out_the_same_frames_under_either_setting(tmp_path: Path, text: str):
    table = tmp_path / "table.csv"
    table.write_text(text)
    picked = set(reasons(quality_picks_file=str(table), input_dir=str(tmp_path), quality_reject_enabled=False))
    context = Context(Settings(excluded_frames=str(table), input_dir=str(tmp_path)))
    frames = tuple(frame_of(frame_id=k) for k in range(N))
    kept = {frame.path for frame in _chosen(context, frames)}  # type: ignore[arg-type]
    assert picked and {frame.frame_id for frame in frames if frame.path not in kept} == picked
