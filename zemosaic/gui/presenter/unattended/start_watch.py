"""Begins to watch a folder with what a front end has at hand."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path

from zemosaic.gui.presenter.run.runs import Starter
from zemosaic.gui.presenter.unattended.growing_folder import FolderLooker, stamps_of
from zemosaic.gui.presenter.unattended.watched_run import WatchedRun, watch_end
from zemosaic.settings.schema import Settings

__all__ = ["start_watch"]


def start_watch(settings: Settings, start: Starter) -> WatchedRun:
    """Return runs over the input folder while it grows, as one.

    Parameters
    ----------
    settings : Settings
        Among them when the mosaic is made unasked.
    start : Starter
        Starts each of the runs.
    """
    looker = FolderLooker(partial(stamps_of, Path(settings.input_dir), Path(settings.output_dir)))
    return WatchedRun(settings, start, looker, watch_end(settings, datetime.now()))
