"""Public functions describe their parameters: shapes, units and meaning stand where they are called from."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from package_source import modules

MIN_PARAMETERS = 2
"""Functions of so many parameters, `self` and `cls` not counted, need a block of parameters in their docstring."""
MAX_UNDESCRIBED: dict[str, int] = {
    "gui": 96,
    "phases": 53,
    "picture": 7,
    "report": 1,
    "solving": 2,
    "stacking": 2,
    "store": 2,
}
"""Public functions by room that do not describe every parameter yet.  These numbers may only fall."""
MAX_SLACK = 10
"""A room that has become better by more than this has its number lowered."""
BLOCK = re.compile(r"^Parameters\n-{10}\n(.*?)(?=^\w[\w ]*\n-{3,}\n|\Z)", re.MULTILINE | re.DOTALL)
NAMES = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: :.*)?$", re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_functions(body: list[ast.stmt], is_class: bool = False) -> Iterator[tuple[Function, list[str]]]:
    """Yield the public functions and methods of a body with the names of their parameters."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, is_class=True)
        elif isinstance(node, Function) and not node.name.startswith("_"):
            arguments = node.args
            extra = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
            listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]
            names = [argument.arg for argument in listed]
            yield node, names[1:] if is_class and names[:1] in (["self"], ["cls"]) else names


def described(function: Function) -> set[str]:
    """Return the names in the block of parameters of a function's docstring."""
    block = BLOCK.search(ast.get_docstring(function) or "")
    if block is None:
        return set()
    return {name.lstrip("*") for line in NAMES.findall(block[1]) for name in line.split(", ")}


def undescribed(tree: ast.Module) -> list[str]:
    """Return the public functions that have parameters without a description, or describe some that they have not."""
    return [
        f"{function.name}, line {function.lineno}: {', '.join(sorted(set(names) ^ described(function)))}"
        for function, names in public_functions(tree.body)
        if len(names) >= MIN_PARAMETERS and set(names) != described(function)
    ]


def test_public_functions_describe_their_parameters():
    found = {module.name: undescribed(module.tree) for module in modules()}
    count = Counter({name.split("/")[0]: 0 for name in found})
    for name, functions in found.items():
        count[name.split("/")[0]] += len(functions)
    worse = {room for room, number in count.items() if number > MAX_UNDESCRIBED.get(room, 0)}
    told = [f"{name}: {text}" for name, texts in found.items() if name.split("/")[0] in worse for text in texts]
    assert not worse, "\n".join([f"{sorted(worse)} {[count[room] for room in sorted(worse)]}", *told])
    better = {room: count[room] for room, number in MAX_UNDESCRIBED.items() if count[room] + MAX_SLACK < number}
    assert not better, "lower these numbers in MAX_UNDESCRIBED"


@pytest.mark.parametrize(
    ("block", "lacking"),
    [
        ("", "first, second"),
        ("\n    Parameters\n    ----------\n    first : int\n    ", "second"),
        ("\n    Parameters\n    ----------\n    first, second : int\n    third : int\n    ", "third"),
        ("\n    Parameters\n    ----------\n    first : int\n        In pixels.\n    second : int\n    ", ""),
        (
            "\n    Parameters\n    ----------\n    first : int\n\n    Returns\n    -------\n    second : int\n    ",
            "second",
        ),
    ],
    ids=["none", "one missing", "one too many", "all", "in another block"],
)
def test_the_gate_sees_what_is_missing(block, lacking):
    source = f'def act(first, second):\n    """Do something.\n{block}"""\n\n\ndef _hidden(a, b):\n    pass\n'
    found = undescribed(ast.parse(source))
    assert found == ([f"act, line 1: {lacking}"] if lacking else [])
