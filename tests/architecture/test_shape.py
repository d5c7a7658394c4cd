"""The shape of the code: small files, small functions, no swallowed errors, toolkits in their rooms.

Run with ``-s`` to see the table; the limits are where good projects of this field stand.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from pathlib import Path

import pytest
from package_source import PACKAGE, Module, body_lines, modules

MOST_BODY_LINES = 60
MOST_PARAMETERS = 10

BORDERS = {
    "app.py": "no traceback reaches the user",
    "worker.py": "whatever a broken package raises when it is loaded, the user is told which it is",
    "worker_process.py": "whatever ends the run's process, the user is told",
    "frames/tile_decoder.py": "fed damaged tiles, the decoder of compressed FITS fails in any way",
    "compute/executors.py": "a future carries every error of its task, as its protocol says",
    "compute/pool.py": "as above, and a worker sends every error of its task home",
}
"""The files that may catch everything: borders of processes and of libraries, and why."""

ROOMS = {
    "tkinter": ("gui/tk/", "app.py"),
    "PySide6": ("gui/qt/", "app.py"),
    "cupy": ("compute/",),
    "dask": ("compute/",),
    "distributed": ("compute/",),
    "matplotlib": (),
}
"""Who may import what, inside functions too."""

BROAD = {"Exception", "BaseException"}


def caught(handler: ast.ExceptHandler) -> set[str]:
    """Return the names a handler catches; a bare one catches BaseException."""
    if handler.type is None:
        return {"BaseException"}
    return {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}


def swallows(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler catches everything and does not pass it on."""
    last = handler.body[-1]
    return bool(caught(handler) & BROAD) and not (isinstance(last, ast.Raise) and last.exc is None)


def is_silent(module: Module, handler: ast.ExceptHandler) -> bool:
    """Say whether a handler does nothing and does not even say why."""
    does_nothing = all(isinstance(step, ast.Pass | ast.Continue) for step in handler.body)
    explained = any("#" in module.lines[k - 1] for k in range(handler.lineno, handler.end_lineno + 1))
    return does_nothing and not (explained and not caught(handler) & BROAD)


def places(nodes, module: Module) -> list[str]:
    return [f"{module.name}:{node.lineno}" for node in nodes]


def test_the_table(capsys):
    files = [len(module.lines) for module in modules()]
    bodies = [body_lines(module, function) for module in modules() for function in module.functions()]
    handlers = [handler for module in modules() for handler in module.walk(ast.ExceptHandler)]
    broad = sum(bool(caught(handler) & BROAD) for handler in handlers)
    with capsys.disabled():
        sys.stdout.write(
            f"\n  files {len(files)}, lines {sum(files)}; lines per file median {statistics.median(files):.0f},"
            f" largest {max(files)}; function bodies {len(bodies)}, median {statistics.median(bodies):.0f},"
            f" 95 % {statistics.quantiles(bodies, n=20)[-1]:.0f}, largest {max(bodies)};"
            f" broad excepts per 1000 lines {1000 * broad / sum(files):.2f}\n"
        )
    assert len(files) > 50, "the package was not found"


def test_functions_are_short_and_take_few_parameters():
    long, wide = [], []
    for module in modules():
        for function in module.functions():
            lines = body_lines(module, function)
            takes = function.args
            parameters = len(takes.posonlyargs) + len(takes.args) + len(takes.kwonlyargs)
            if lines > MOST_BODY_LINES:
                long.append(f"{module.name}:{function.lineno} {function.name}: {lines} lines")
            if parameters > MOST_PARAMETERS and not _is_compiled(function):
                wide.append(f"{module.name}:{function.lineno} {function.name}: {parameters} parameters")
    assert not long
    assert not wide


def _is_compiled(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Say whether a function is compiled: such kernels take plain arrays and numbers, never records."""
    return any("njit" in ast.unparse(decorator) for decorator in function.decorator_list)


def test_errors_are_not_swallowed():
    silent, broad = [], []
    for module in modules():
        handlers = list(module.walk(ast.ExceptHandler))
        silent += places([handler for handler in handlers if is_silent(module, handler)], module)
        if module.name not in BORDERS:
            broad += places([handler for handler in handlers if swallows(handler)], module)
        for call in module.walk(ast.Call):
            if ast.unparse(call.func).endswith("suppress"):
                broad += places([call] if {ast.unparse(arg) for arg in call.args} & BROAD else [], module)
    assert not silent, "say in a comment why nothing is to be done, or do something"
    assert not broad, "only borders may catch everything"


@pytest.mark.parametrize(
    ("source", "silent"),
    [
        ("try: x()\nexcept OSError: pass", True),
        ("try: x()\nexcept OSError:\n    pass  # it is gone, which was the aim", False),
        ("try: x()\nexcept Exception:\n    pass  # a reason does not help here", True),
        ("try: x()\nexcept:\n    pass", True),
        ("try: x()\nexcept OSError:\n    y()", False),
    ],
)
def test_the_gate_sees_silence(source, silent):
    module = Module("x.py", tuple(source.splitlines()), ast.parse(source))
    (handler,) = module.walk(ast.ExceptHandler)
    assert is_silent(module, handler) is silent


def test_nothing_is_printed_but_by_the_command_line():
    found = []
    for module in modules():
        calls = [call for call in module.walk(ast.Call) if ast.unparse(call.func) == "print"]
        found += places(calls if module.name != "gui/cli/commands.py" else [], module)
    assert not found


def test_ignored_types_say_which():
    naked = re.compile(r"#\s*type:\s*ignore(?!\[)")
    found = [f"{m.name}:{k}" for m in modules() for k, line in enumerate(m.lines, 1) if naked.search(line)]
    assert not found


def test_no_globals_and_no_relative_imports():
    assert not [place for module in modules() for place in places(module.walk(ast.Global), module)]
    relative = [
        place for module in modules() for place in places([n for n in module.walk(ast.ImportFrom) if n.level], module)
    ]
    assert not relative


@pytest.mark.parametrize("library", ROOMS)
def test_libraries_stay_in_their_rooms(library):
    rooms = ROOMS[library]
    found = [
        f"{module.name} imports {name}"
        for module in modules()
        for name in module.imports()
        if name.split(".")[0] == library and not module.name.startswith(rooms or ("\0",))
    ]
    assert not found


def test_every_module_says_what_it_is_and_what_it_offers():
    undocumented, closed = [], []
    for module in modules():
        if not module.lines or module.name.endswith("__init__.py"):
            continue
        if ast.get_docstring(module.tree) is None:
            undocumented.append(module.name)
        offers = {
            target.id for node in module.walk(ast.Assign) for target in node.targets if isinstance(target, ast.Name)
        }
        offers |= {node.target.id for node in module.walk(ast.AnnAssign) if isinstance(node.target, ast.Name)}
        if "__all__" not in offers and not module.name.endswith("__main__.py"):
            closed.append(module.name)
    assert not undocumented
    assert not closed


def test_every_folder_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert not [str(folder.relative_to(PACKAGE)) for folder in folders if not (folder / "__init__.py").is_file()]


def test_no_two_test_files_have_one_name():
    """pytest imports test files by their bare names: two of one name stop the whole suite."""
    names = [path.name for path in Path(__file__).parents[1].rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
