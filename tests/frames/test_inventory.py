"""What the folder holds, in lines that say no more than the headers."""

from __future__ import annotations

from pathlib import Path

from fits_files import SEESTAR, noise, sentence, unsigned_bytes, write

from zemosaic.frames.frame_files import scan_folder
from zemosaic.frames.inventory import inventory


def test_lines(tmp_path: Path) -> None:
    for second in (10, 20, 30):
        cards = SEESTAR.replace("54:22", f"54:{second}")
        if second == 30:
            cards = (
                cards.replace("'IRCUT   '", "'LP'").replace("2025-04-09", "2025-04-11").replace("FOCALLEN", "FOCAXXXX")
            )
        write(tmp_path / f"{second}.fit", unsigned_bytes(noise(seed=second), cards))
    write(tmp_path / "copy.fit", (tmp_path / "10.fit").read_bytes())
    write(tmp_path / "dark.fit", unsigned_bytes(noise(), SEESTAR.replace("'Light   '", "'Dark    '")))
    write(tmp_path / "stack.fit", unsigned_bytes(noise((3, 96, 80)), "STACKCNT=                    9\n" + SEESTAR))
    write(tmp_path / "text.fit", b"hello")
    scan = scan_folder(tmp_path)
    lines = inventory(scan.frames, scan.dropped)
    told = {line.key: line.params for line in lines}
    assert told["inventory.frames_minutes"] == {"frames": 3, "nights": 2, "minutes": 0.5}
    assert told["inventory.made_with"]["filters"] == "IRCUT (2), LP (1)"
    for key in ("stacks", "copies", "calibration", "other_files"):
        assert told[f"inventory.{key}"]["files"] == 1
    assert told["inventory.cards"]["frames"] == 1 and "note.no_optics" in told
    for language in ("en", "fr"):
        assert all("{" not in sentence(line, language) for line in lines)


def test_an_empty_folder_has_a_line_too() -> None:
    assert [line.key for line in inventory((), ())] == ["inventory.frames"]
