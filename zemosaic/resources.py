"""Where the files are that the program reads beside its code: texts, icons, shipped settings."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

__all__ = ["resource_root"]

FOLDER = "resources"
"""Below the package, where an installation puts what a checkout has at its top."""


def resource_root() -> Path:
    """Return the folder that holds `locales/`, `icon/`, `docs/` and `zemosaic_config.json`.

    In a checkout that is its top, where people look for these files; building a wheel copies them from there into
    the package (`setup.py`), building the double-click program into its folder (`compile/zemosaic.spec`).
    """
    bundle = getattr(sys, "_MEIPASS", None)
    if bundle:
        return Path(bundle)
    package = Path(str(files("zemosaic")))
    installed = package / FOLDER
    return installed if installed.is_dir() else package.parent
