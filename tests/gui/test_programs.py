"""Sending a mosaic to another program."""

from __future__ import annotations

import os
import sys

import pytest
from waiting import wait_until

from zemosaic.gui.presenter.desktop.programs import DEFAULT, Program, Programs, find_programs

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the program")


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_programs_are_found_where_installers_put_them(tmp_path):
    assert find_programs({"PATH": str(tmp_path)}, "linux") == []
    siril = script(tmp_path / "bin" / "siril", "exit 0")
    assert find_programs({"PATH": str(siril.parent)}, "linux") == [Program("Siril", siril)]
    mac = script(tmp_path / "Applications" / "ASTAP.app" / "Contents" / "MacOS" / "astap", "exit 0")
    assert find_programs({"PATH": ""}, "darwin", tmp_path) == [Program("ASTAP", mac)]
    windows = script(tmp_path / "files" / "Siril" / "bin" / "siril.exe", "exit 0")
    assert find_programs({"ProgramFiles": str(tmp_path / "files")}, "win32") == [Program("Siril", windows)]


def test_a_program_gets_the_file_and_a_broken_one_is_told(tmp_path):
    mosaic, told = tmp_path / "my mosaic.fits", tmp_path / "told"
    mosaic.touch()
    good = Program("Good", script(tmp_path / "good", f'printf %s "$1" > "{told}"'))
    programs = Programs([good, Program("Gone", tmp_path / "gone")])
    assert programs.names == ("Good", "Gone", DEFAULT)
    assert programs.send("Good", mosaic)
    wait_until(lambda: told.is_file() and told.stat().st_size)
    assert told.read_text(encoding="utf-8") == os.fspath(mosaic)
    assert not programs.send("Gone", mosaic)
    assert not programs.send(DEFAULT, tmp_path / "not there.fits")
