"""The program's source as the gates look at it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "zemosaic"


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    name: str
    """Path below the package, with slashes."""
    lines: tuple[str, ...]
    tree: ast.Module

    def walk(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Yield the nodes of some kinds."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Yield all functions, methods and inner functions."""
        return self.walk(ast.FunctionDef, ast.AsyncFunctionDef)  # type: ignore[return-value]

    def imports(self) -> Iterator[str]:
        """Yield the dotted names of all imports, those inside functions too."""
        for node in self.walk(ast.Import, ast.ImportFrom):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif node.module:
                yield node.module


@cache
def modules() -> tuple[Module, ...]:
    """Return all modules of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(PACKAGE).as_posix()
        found.append(Module(name, tuple(text.splitlines()), ast.parse(text, name)))
    return tuple(found)


def body_lines(module: Module, function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function's body that are neither blank nor comment, docstring left out."""
    body = function.body
    if (
        isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and isinstance(body[0].value.value, str)
    ):
        body = body[1:]
    if not body:
        return 0
    lines = module.lines[body[0].lineno - 1 : body[-1].end_lineno]
    return sum(1 for line in lines if line.strip() and not line.lstrip().startswith("#"))
