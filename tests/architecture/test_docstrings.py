"""Public functions describe their parameters: shapes, units and meaning stand where they are called from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set

import pytest
from package_source import modules

MIN_PARAMETERS = 2
"""Functions of so many parameters, `self` and `cls` not counted, need a block of parameters in their docstring."""
BLOCK = re.compile(r"^Parameters\n-{10}\n(.*?)(?=^\w[\w ]*\n-{3,}\n|\Z)", re.MULTILINE | re.DOTALL)
NAMES = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: :.*)?$", re.MULTILINE)

PRESENTERS = "gui/presenter/"
"""The protocols here describe what the views of both toolkits do ..."""
VIEWS = "gui/tk/", "gui/qt/"
"""... so that a method there which implements one needs no docstring of its own."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Signature = tuple[str, ...]
"""Name of a method, then those of its parameters."""


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


def declared(tree: ast.Module) -> set[Signature]:
    """Return the methods that the protocols of a module declare, by their name and parameters."""
    protocols = [
        node for node in tree.body if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases)
    ]
    return {
        (function.name, *names)
        for protocol in protocols
        for function, names in public_functions(protocol.body, is_class=True)
    }


def undescribed(tree: ast.Module, protocols: Set[Signature] = frozenset()) -> list[str]:
    """Return the public functions that have parameters without a description, or describe some that they have not.

    A method without a docstring that `protocols` declare is described there, once for all that implement it.
    """
    return [
        f"{function.name}, line {function.lineno}: {', '.join(sorted(set(names) ^ described(function)))}"
        for function, names in public_functions(tree.body)
        if len(names) >= MIN_PARAMETERS and set(names) != described(function)
        if ast.get_docstring(function) is not None or (function.name, *names) not in protocols
    ]


def test_public_functions_describe_their_parameters():
    protocols = {one for module in modules() if module.name.startswith(PRESENTERS) for one in declared(module.tree)}
    assert protocols, "no protocol was found"
    found = {
        module.name: undescribed(module.tree, protocols if module.name.startswith(VIEWS) else frozenset())
        for module in modules()
    }
    assert not [f"{name}: {text}" for name, texts in found.items() for text in texts]


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


@pytest.mark.parametrize(
    ("method", "lacking"),
    [
        ("def act(self, first, second): ...", []),
        ('def act(self, first, second):\n        """Do it in a way of its own."""', ["first, second"]),
        ("def act(self, first, third): ...", ["first, third"]),
        ("def other(self, first, second): ...", ["first, second"]),
    ],
    ids=["as declared", "with a docstring", "other parameters", "not declared"],
)
def test_methods_that_a_protocol_declares_need_no_docstring(method, lacking):
    protocol = "class Widget(Protocol):\n    def act(self, first, second): ...\n\n\nclass Presenter:\n"
    protocols = declared(ast.parse(f"{protocol}    def other(self, first, second): ...\n"))
    assert protocols == {("act", "first", "second")}
    found = undescribed(ast.parse(f"class View:\n    {method}\n"), protocols)
    assert [text.partition(": ")[2] for text in found] == lacking
