"""What all tests share: texts in English, no user's settings, and the whole program as a process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import settings
from skips import allowed
from waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parents[1]

# A busy machine is no failure: no example has a time limit.
settings.register_profile("zemosaic", deadline=None)
settings.load_profile("zemosaic")


def _refused(report):
    """Let a skip for a reason that is not on the list fail where everything is to be tested."""
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not allowed(reason):
            report.outcome = "failed"
            report.longrepr = f"With CI=true this must not be skipped (tests/skips.py): {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _refused((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _refused((yield))


@pytest.fixture(scope="session", autouse=True)
def _own_configuration(tmp_path_factory):
    """Keep the settings and the language of whoever runs the tests out of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ZEMOSAIC_")]:
            patch.delenv(name)
        patch.setenv("ZEMOSAIC_CONFIG_DIR", str(tmp_path_factory.mktemp("config")))
        patch.setenv("ZEMOSAIC_LANGUAGE", "en")
        yield


@pytest.fixture(scope="session")
def zemosaic():
    """A function that runs the program with arguments to its end, and one that only starts it.

    ``zemosaic(*arguments, **options)`` returns a `subprocess.CompletedProcess` with texts.
    """

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), text=True, capture_output=True, timeout=PATIENCE_S, check=False, **options
        )

    def command(*arguments: object) -> list[str]:
        return [sys.executable, str(ROOT / "run_zemosaic.py"), *map(str, arguments)]

    run.command = command
    return run


@pytest.fixture(scope="session")
def demo_frames(tmp_path_factory):
    """A function that puts frames of the demo into a new folder; each is made once a session.

    ``demo_frames(folder, numbers)`` returns the folder of the frames, one below the folder given.
    """
    from zemosaic import demo

    everything, made = demo.exposures(), tmp_path_factory.mktemp("demo")

    def put(folder: Path, numbers: Iterable[int]) -> Path:
        plan = [everything[number] for number in numbers]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(demo, "exposures", lambda: plan)
            kept = demo.make_demo(made)
        frames = folder / "frames"
        frames.mkdir(parents=True)
        for shot in plan:
            shutil.copy2(kept / shot.file_name, frames)
        return frames

    return put


@pytest.fixture(scope="session")
def explained_run(demo_frames, tmp_path_factory):
    """A small survey and its mosaic; see `small_survey`."""
    from small_survey import make_survey

    return make_survey(demo_frames, tmp_path_factory.mktemp("explained"))
