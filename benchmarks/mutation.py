"""Which mistakes the tests of a room notice: seeded mutations of one place in its code, each with the room's tests.

usage: python -m benchmarks.mutation [--rooms ROOM ...] [--each 20] [--seed 1] [--timeout_s 600]

A mutation changes one comparison, sign, operator, number or condition in a copy of the checkout; it is killed where a
test fails or takes too long, and lives where all pass.  The tests of the file's own name run first.  A room whose
tests fail without a mutation is not judged: every mutation of it would seem killed.

Some mutations mean the same as what they replace, and are not made: guards of divisions against zero (numbers below
`GUARD`), and words.  Others of that kind remain, such as a comparison that decides between equal results, or a step of
an iteration that converges all the same; they count as living, so that the share that is killed is a lower limit.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("calibration", "solving", "stacking", "resampling", "mosaic", "frames")
COPIED = ("zemosaic", "tests", "locales", "icon", "benchmarks", "tools", "pyproject.toml", "zemosaic_config.json")
TEXTS = {"message", "FrameError", "debug", "info", "warning", "TypeVar", "Literal"}
"""Calls whose arguments are words: no test of figures can notice a change in them."""
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
GUARD = 1e-4
"""Smaller numbers keep divisions from zero: twice as much is as good."""
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}


@dataclass(frozen=True)
class Mutation:
    """One place of a file and what stands there instead."""

    path: Path
    """Relative to the checkout."""
    start: int
    """Offset in the file's bytes."""
    before: str
    after: str
    line: int

    def of(self, source: bytes) -> bytes:
        """Return the file's bytes with the mutation."""
        return source[: self.start] + self.after.encode() + source[self.start + len(self.before.encode()) :]

    def __str__(self) -> str:
        return f"{self.path.as_posix()}:{self.line}: `{_short(self.before)}` -> `{_short(self.after)}`"


def _short(code: str) -> str:
    words = " ".join(code.split())
    return words if len(words) <= 70 else words[:67] + "..."


def _changed(node: ast.AST) -> ast.AST | None:
    """Return the node with another meaning; None where it has none that a test must notice."""
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in COMPARISONS:
            return ast.Compare(left, [COMPARISONS[type(operator)]()], [right])
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
            return ast.BinOp(left, OPERATORS[type(operator)](), right)
        case ast.BoolOp(op=operator, values=values):
            return ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand) if not isinstance(operand, ast.Constant):
            return operand
        case ast.Constant(value=float(number)) if number == 0 or abs(number) > GUARD:
            return ast.Constant(2 * number if number else 1.0)
        case ast.Constant(value=bool(truth)):
            return ast.Constant(not truth)
    return None


def _places(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below one that are neither annotations, words nor decorators."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.Raise | ast.JoinedStr | ast.Import):
                continue
            if isinstance(child, ast.Call):
                called = child.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                if name in TEXTS:
                    continue
            yield child
            yield from _places(child)


def mutations_of(path: Path) -> list[Mutation]:
    """Return all mutations of a file of the checkout.

    Parameters
    ----------
    path : pathlib.Path
        Relative to the checkout.
    """
    text = (ROOT / path).read_bytes()
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in _places(ast.parse(text)):
        changed = _changed(node)
        if changed is None:
            continue
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        after = f"({ast.unparse(ast.fix_missing_locations(changed))})"
        found.append(Mutation(path, begin, text[begin:end].decode(), after, node.lineno))
    return found


def chosen(room: str, each: int, seed: int) -> list[Mutation]:
    """Return mutations of a room, drawn by the seed.

    Parameters
    ----------
    room : str
        Folder of the package.
    each : int
        How many.
    seed : int
        The same mutations for the same seed and code.
    """
    files = sorted(path.relative_to(ROOT) for path in (ROOT / "zemosaic" / room).rglob("*.py"))
    every = [mutation for path in files for mutation in mutations_of(path)]
    return random.Random(f"{seed} {room}").sample(every, min(each, len(every)))


def is_killed(mutation: Mutation, copy: Path, room: str, timeout_s: float) -> bool:
    """Return whether a room's tests notice a mutation.

    Parameters
    ----------
    mutation : Mutation
        Made in the copy for the time of the tests.
    copy : pathlib.Path
        A copy of the checkout.
    room : str
        Whose tests run.
    timeout_s : float
        Longer than this is killed too.
    """
    file = copy / mutation.path
    sound = file.read_bytes()
    file.write_bytes(mutation.of(sound))
    try:
        return not passes(copy, room, timeout_s, mutation.path.stem)
    finally:
        file.write_bytes(sound)


def passes(copy: Path, room: str, timeout_s: float, first: str = "") -> bool:
    """Return whether all tests of a room pass in time.

    Parameters
    ----------
    copy : pathlib.Path
        A copy of the checkout.
    room : str
        Whose tests run.
    timeout_s : float
        In seconds.
    first : str
        Tests whose files have this in their name run first.
    """
    tests = sorted((copy / "tests" / room).rglob("test_*.py"))
    tests.sort(key=lambda path: first not in path.stem)
    told = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    argv = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *map(str, tests)]
    try:
        done = subprocess.run(argv, cwd=copy, env=told, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main(argv: Sequence[str] | None = None) -> int:
    """Make the mutations, run the tests and print what lives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", nargs="+", default=list(ROOMS), choices=ROOMS)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout_s", type=float, default=600.0)
    wanted = parser.parse_args(argv)
    killed = made = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkout"
        copy.mkdir()
        for name in COPIED:
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, copy / name)
        for room in wanted.rooms:
            if not passes(copy, room, wanted.timeout_s):
                sys.stdout.write(f"{room}: its tests fail without a mutation\n")
                continue
            mutations = chosen(room, wanted.each, wanted.seed)
            alive = 0
            for one in mutations:
                lives = not is_killed(one, copy, room, wanted.timeout_s)
                alive += lives
                sys.stdout.write(f"  {'lives' if lives else 'killed'}: {one}\n")
                sys.stdout.flush()
            killed, made = killed + len(mutations) - alive, made + len(mutations)
            sys.stdout.write(f"{room}: {len(mutations) - alive} of {len(mutations)} killed\n")
            sys.stdout.flush()
    sys.stdout.write(f"all: {killed} of {made} killed, {100 * killed / max(made, 1):.0f} %\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
