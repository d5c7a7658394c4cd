"""One filter has one name, and an empty card does not make a filter of its own."""

from __future__ import annotations

from pathlib import Path

from fits_files import SEESTAR, noise, unsigned_bytes, write

from zemosaic.frames.filters import filter_key
from zemosaic.frames.frame_files import scan_folder

FILTER = "FILTER  = 'IRCUT   '           / Filter used when taking image"


def test_spellings() -> None:
    assert len({filter_key(name) for name in ("IRCUT", "ircut", "IR-Cut", "UV/IR Cut")}) == 1
    assert {filter_key(name) for name in ("", " ", "NaN", "None", "No filter", "RGGB")} == {""}
    assert filter_key("LP") != filter_key("L") != filter_key("IRCUT")


def test_empty_cards_and_other_spellings_do_not_split_a_set(tmp_path: Path) -> None:
    cards = ["'IRCUT'", "'IRCUT'", "'ircut'", "''", "'NaN'", "'LP'"]
    for second, card in enumerate(cards):
        changed = SEESTAR.replace("54:22", f"54:1{second}").replace(FILTER, f"FILTER  = {card}")
        write(tmp_path / f"{second}.fit", unsigned_bytes(noise(seed=second), changed))
    frames = scan_folder(tmp_path).frames
    assert [frame.filter_name for frame in frames] == ["IRCUT"] * 5 + ["LP"]
    assert len({frame.camera_key for frame in frames}) == 2
    noted = [frame.frame_id for frame in frames if "note.filter_assumed" in [note.key for note in frame.notes]]
    assert noted == [3, 4]


def test_a_camera_that_names_no_filter_has_none(tmp_path: Path) -> None:
    for second in (1, 2):
        changed = SEESTAR.replace("54:22", f"54:1{second}").replace(FILTER, "FILTER  = ''")
        write(tmp_path / f"{second}.fit", unsigned_bytes(noise(seed=second), changed))
    assert [(frame.filter_name, frame.notes) for frame in scan_folder(tmp_path).frames] == [("", ())] * 2
