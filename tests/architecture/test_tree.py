"""The tree of the package: small folders, files that can be opened by name, no import circle."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

import pytest
from package_source import PACKAGE, Module, modules

MAX_FILES_PER_FOLDER = 15
MAX_FILE_LINES = 400

LONG_FILES: dict[str, int] = {
    "stacking/compiled.py": 472,
}
"""Files that are longer, with their lines.  Each may only shrink; a file that is short enough leaves the list."""

REPEATED_NAMES = {"__init__.py", "__main__.py", "base.py"}
"""File names that may stand in several folders; the twins of the two toolkits may too."""


def imported(module: Module, known: set[str]) -> Iterator[str]:
    """Yield the package's modules that a file imports: late, and under TYPE_CHECKING, too."""
    for node in module.walk(ast.Import, ast.ImportFrom):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield from [name for name in (whole, node.module) if name in known][:1]


def dotted(name: str) -> str:
    """Return the dotted name of a file below the package."""
    return ("zemosaic." + name.removesuffix(".py").replace("/", ".")).removesuffix(".__init__")


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return a circle of a graph, nothing where it has none."""
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def test_folders_are_small():
    folders = Counter(path.parent for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))
    large = {str(folder.relative_to(PACKAGE)): n for folder, n in folders.items() if n > MAX_FILES_PER_FOLDER}
    assert not large


def test_files_can_be_opened_by_name():
    places = defaultdict(list)
    for module in modules():
        folder, _, name = module.name.rpartition("/")
        twins = folder.startswith(("gui/tk", "gui/qt"))
        if name not in REPEATED_NAMES:
            places[name].append("gui/" + folder[len("gui/tk") :] if twins else folder)
    assert not {name: folders for name, folders in places.items() if len(set(folders)) > 1}


def test_files_are_short():
    sizes = {module.name: len(module.lines) for module in modules()}
    long = {name: size for name, size in sizes.items() if size > LONG_FILES.get(name, MAX_FILE_LINES)}
    assert not long


def test_the_list_of_long_files_only_shrinks():
    sizes = {module.name: len(module.lines) for module in modules()}
    done = [name for name in LONG_FILES if sizes.get(name, 0) <= MAX_FILE_LINES]
    assert not done, "these files are gone or short enough: take them off the list"


def test_no_import_runs_in_a_circle():
    known = {dotted(module.name) for module in modules()}
    graph = {dotted(module.name): set(imported(module, known)) for module in modules()}
    assert sum(map(len, graph.values())) > 500, "the imports were not found"
    assert not circle(graph)


@pytest.mark.parametrize("guard", ["", "if TYPE_CHECKING:\n    ", "def late():\n    "], ids=["plain", "types", "late"])
def test_the_gate_sees_a_circle(guard):
    sources = {"a.py": "from zemosaic.b import x", "b.py": f"{guard}from zemosaic import a"}
    files = [Module(name, tuple(text.splitlines()), ast.parse(text)) for name, text in sources.items()]
    known = {dotted(module.name) for module in files}
    assert circle({dotted(module.name): set(imported(module, known)) for module in files})
