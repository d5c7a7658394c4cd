"""What all tests share: texts in English, no user's settings, and the whole program as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parents[1]

# A busy machine is no failure: no example has a time limit.
settings.register_profile("zemosaic", deadline=None)
settings.load_profile("zemosaic")


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
def explained_run(tmp_path_factory):
    """A small survey and its mosaic; see `small_survey`."""
    sys.path.insert(0, str(Path(__file__).parent))
    from small_survey import make_survey

    return make_survey(tmp_path_factory.mktemp("explained"))
