"""The pages of the site, what describes the project to others, and the commands that the documents show."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
from package_source import ROOT

from zemosaic import __version__
from zemosaic.gui.cli.flags import parse
from zemosaic.settings.load import check_value

COMMAND_PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
STARTS = (".venv/bin/python run_zemosaic.py", ".venv/bin/zemosaic")
NAV_PAGE = re.compile(r"^\s+- [^\n]+: ([\w/]+\.md)$|^\s+- [^\n:]+: ([\w/]+\.md)$", re.MULTILINE)
LANGUAGE_NAMES = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "ja": "Japanese",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "zh": "Chinese (Simplified)",
}


def shell_lines(page):
    """Return the commands of a page's shell blocks."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    lines = [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]
    return [part.strip() for line in lines for part in line.split("&&")]


def zemosaic_arguments():
    """Return what the documents pass to ZeMosaic, with the page of each."""
    for page in COMMAND_PAGES:
        for line in shell_lines(page):
            line = re.sub(r'^eval "\$\((.*)\)"$', r"\1", line)
            for start in STARTS:
                if line.startswith(start):
                    yield pytest.param(shlex.split(line[len(start) :]), id=f"{page.name}: {line[len(start) :].strip()}")


@pytest.mark.parametrize("words", list(zemosaic_arguments()))
def test_the_program_understands_the_commands_of_the_documents(words):
    command = parse(words)
    for key, value in command.flags.items():
        check_value(key, value)


@pytest.mark.parametrize("words", [["--version"], ["--completion", "bash"], ["--list-settings"]])
def test_commands_that_are_quick_run(words, tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "run_zemosaic.py", *words], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0 and done.stdout, done.stderr


def test_both_readmes_show_the_same_setup():
    english, french = (shell_lines(ROOT / name) for name in ("README.md", "README.fr.md"))
    assert english[:3] == french[:3] and "--demo" in english[2]
    assert "requirements.txt" in english[1]


def test_every_page_is_in_the_menu_of_the_site():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    listed = [first or second for first, second in NAV_PAGE.findall(text)]
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert sorted(listed) == sorted(pages)


def test_links_of_the_site_stay_within_it():
    outside = [
        f"{page.name}: {link}"
        for page in (ROOT / "docs").rglob("*.md")
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in link and not (page.parent / link).resolve().is_relative_to(ROOT / "docs")
    ]
    assert not outside


def test_the_citation_names_this_version():
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_classifiers_name_the_languages_of_the_texts():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    prefix = "Natural Language :: "
    named = {item.removeprefix(prefix) for item in project["classifiers"] if item.startswith(prefix)}
    codes = [path.stem for path in (ROOT / "locales").glob("*.json")]
    assert named == {LANGUAGE_NAMES[code] for code in codes}


@pytest.mark.skipif(sys.platform != "linux", reason="this system has no desktop entries")
def test_the_desktop_entry_starts_the_program_from_a_folder_with_blanks(tmp_path):
    program = tmp_path / 'my "progs" 100% $x \\' / "zemosaic"
    program.parent.mkdir()
    script = ROOT / "compile" / "install_desktop_entry.sh"
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "COMMAND": str(program)}
    subprocess.run(["sh", script], check=True, env=environ, capture_output=True)
    entry = tmp_path / ".local/share/applications/zemosaic.desktop"
    reader = configparser.RawConfigParser(delimiters=("=",))
    reader.optionxform = str
    reader.read(entry, encoding="utf-8")
    command = reader["Desktop Entry"]["Exec"]
    assert command[0] == command[-1] == '"'
    quoted = command[1:-1].replace("\\\\", "\\")  # as every value is written
    assert re.sub(r'\\(["`$\\])', r"\1", quoted).replace("%%", "%") == str(program)
    assert (tmp_path / ".local/share/icons/hicolor/256x256/apps/zemosaic.png").is_file()
    subprocess.run(["sh", script, "--remove"], check=True, env=environ, capture_output=True)
    assert not entry.exists()
