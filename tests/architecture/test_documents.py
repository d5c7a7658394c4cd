"""What stands in two places stands there alike."""

from __future__ import annotations

import inspect
import re
import tomllib

import pytest
from package_source import PACKAGE, ROOT

from zemosaic import app, errors
from zemosaic.settings.schema import specs

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OF_OTHER_PROGRAMS = ("architecture.md", "benchmarks.md")
"""Documents in which what looks like a flag is not always one of ZeMosaic."""
ROW = re.compile(r"^\| (\d+) \|", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def exit_codes() -> set[int]:
    """Return all exit codes that the program knows beside 0 and 1."""
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.ZeMosaicError)]
    return {kind.exit_code for kind in kinds} | {app.NO_WINDOW}


def test_requirements_are_those_of_pyproject():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == PYPROJECT["project"]["dependencies"]


def test_every_error_has_its_own_exit_code():
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.ZeMosaicError)]
    own = [kind for kind in kinds if "exit_code" in vars(kind)]  # a special case has its base's code
    codes = [kind.exit_code for kind in own] + [app.NO_WINDOW]
    assert len(codes) == len(set(codes))


def test_the_documents_list_all_exit_codes():
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    table = page.partition("## Exit codes")[2].partition("\n## ")[0]
    assert {int(code) for code in ROW.findall(table)} == exit_codes() | {0}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_flags_of_the_documents_exist(document):
    text = document.read_text(encoding="utf-8")
    targets = [link for link in LINK.findall(text) if "://" not in link]
    assert not [link for link in targets if not (document.parent / link).exists()]
    known = {f"--{spec.key}" for spec in specs()}
    known |= {
        "--qt-gui",
        "--tk-gui",
        "--demo",
        "--help",
        "--version",
        "--log-json",
        "--config",
        "--measure-seams",
        "--combine-bands",
        "--explain-pixel",
        "--until",
        "--watch",
        "--queue",
        "--targets_below",
        "--dry-run",
        "--list-settings",
        "--detect-astap",
        "--doctor",
        "--completion",
        "--KEY",
        "--CLÉ",
        "--footprints",
        "--strict",  # of mkdocs
        "--remove",  # of compile/install_desktop_entry.sh
        "--nthreads",  # of Dask
        "--nworkers",  # of Dask
    }
    flags = re.findall(r"(?<![\w-])--[A-Za-z][\w-]*", text)
    if document.name not in OF_OTHER_PROGRAMS:
        assert not [flag for flag in flags if flag not in known]


PATH = re.compile(r"`((?:[\w.]+/)+[\w.]*)`")
PAGES_WITH_PATHS = [
    *(ROOT / "docs" / name for name in ("architecture.md", "developing.md", "glossary.md", "imaging.md")),
    *sorted((ROOT / "docs" / "decisions").glob("*.md")),
]


def named_paths(document):
    """Return the paths in the code spans of a page, but those with a place to fill in."""
    paths = PATH.findall(document.read_text(encoding="utf-8"))
    return [path for path in paths if "NAME" not in path and "XX" not in path]


@pytest.mark.parametrize("document", PAGES_WITH_PATHS, ids=lambda path: path.name)
def test_files_that_the_documents_name_exist(document):
    # A page about a room names files by their place in it.
    lost = [path for path in named_paths(document) if not (ROOT / path).exists() and not any(PACKAGE.rglob(path))]
    assert not lost


def test_the_diagram_of_layers_is_that_of_the_contracts():
    diagram = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## Layers")[2].split("```")[1]
    layers = PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    contract = [re.sub(r"zemosaic\.|[()]", "", layer) for layer in layers if "__main__" not in layer]
    assert diagram.strip().splitlines() == contract


def test_the_licence_is_the_gpl():
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text(encoding="utf-8")[:200]
    assert PYPROJECT["project"]["license"] == "GPL-3.0-or-later"
