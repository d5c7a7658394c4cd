"""Run with a folder: add one line to the model, and follow the new field through a run; say what became of it."""

from __future__ import annotations

import importlib.util
import random
import sys
import types
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

LAST_FIELD = "    edge_offsets: EdgeOffsets | None = None\n"
NEW_LINE = "    haze: tuple[float, ...] = ()\n"


def change_model() -> types.ModuleType:
    """Load `zemosaic.model` with one line more in `CalibratedFrame`."""
    import zemosaic

    name, path = "zemosaic.model.frame_records", Path(zemosaic.__file__).parent / "model" / "frame_records.py"
    source = path.read_text(encoding="utf-8")
    assert source.count(LAST_FIELD) == 1
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    # The package of the model takes its names from this module, which is there before it.
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    exec(compile(source.replace(LAST_FIELD, LAST_FIELD + NEW_LINE), path, "exec"), module.__dict__)
    return module


def context_in(folder: Path) -> Any:
    """Return as much of a run as its end needs."""
    from zemosaic.phases.run.run_folder import RunFolder
    from zemosaic.settings.schema import Settings
    from zemosaic.store.journal import Journal

    run_folder = RunFolder(folder, Journal(folder / "journal.sqlite"))
    return SimpleNamespace(settings=Settings(keep_work_files=True), folder=run_folder, scratch=folder)


def main() -> None:
    model = change_model()
    from record_samples import sample

    from zemosaic.mosaic.canvas import Canvas
    from zemosaic.phases.previous_run.archive import keep_for_next_run, open_previous_run
    from zemosaic.phases.previous_run.state import FieldState, PreviousRun
    from zemosaic.phases.stack import pixel_digest
    from zemosaic.store.pixel_record import FrameColumns, MosaicRecord, records_from_text, records_to_text

    frame = replace(sample(model.CalibratedFrame, random.Random(8)), haze=(0.25, 1.5))
    context, canvas = context_in(Path(sys.argv[1])), Canvas(frame.wcs, 10, 20)
    made = [FieldState(canvas, (0, 0), 3, [frame])]
    fingerprints = {frame.frame.camera_key: "mark"}
    keep_for_next_run(PreviousRun(), context, [frame.frame], [frame.solved], fingerprints, made)
    sys.stdout.write("saved\n")
    known = open_previous_run(context)
    context.folder.journal.close()
    again = known.fields[0].calibrated(frame.solved) if known else None
    if again is not None and again.haze == frame.haze:
        sys.stdout.write("resumed\n")
    if pixel_digest(replace(frame, haze=(0.25, 1.75))) != pixel_digest(frame):
        sys.stdout.write("digested\n")
    record = replace(sample(MosaicRecord, random.Random(9)), frames=FrameColumns.of([frame, frame], [0, 0]))
    (read,) = records_from_text(records_to_text([record]))
    if read.frames.frame(frame.frame.frame_id).haze == frame.haze:
        sys.stdout.write("explained\n")


if __name__ == "__main__":
    main()
