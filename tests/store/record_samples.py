"""Records of any kind with values that nobody chose, made from the type hints of their fields."""

from __future__ import annotations

import dataclasses
import random
import struct
import types
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

MAX_ITEMS = 3
TEXTS = ("", "GRBG", "/lights/ünd\udcff.fit", "a\nb", "__array__", "0")
NUMBERS = (0.0, -0.0, 0.1, 1e-300, -3.5e12, float("inf"), 1.0 + 2.0**-52)


def sample(hint: Any, rng: random.Random) -> Any:
    """Return a value of a type hint.

    Parameters
    ----------
    hint : Any
        A dataclass, or any type hint that its fields may have.
    rng : random.Random
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hasattr(origin, "__value__"):  # NDArray, from numpy 2.5 on
        return sample(origin.__value__[arguments], rng)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        return hint(**{item.name: sample(hints[item.name], rng) for item in dataclasses.fields(hint) if item.init})
    if origin is Literal:
        return rng.choice(arguments)
    if origin in (Union, types.UnionType):
        return sample(rng.choice(arguments), rng)
    if origin is np.ndarray:
        dtype = get_args(arguments[1])[0]
        return (100.0 * np.random.default_rng(rng.randrange(1000)).random((rng.randrange(4), 3))).astype(dtype)
    if origin is not None:
        return _container(origin, arguments, rng)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return rng.choice(list(hint))
    if isinstance(hint, type) and issubclass(hint, tuple):
        hints = get_type_hints(hint)
        return hint(*(sample(hints[name], rng) for name in hint._fields))  # type: ignore[attr-defined]
    return _scalar(hint, rng)


def _container(origin: Any, arguments: tuple[Any, ...], rng: random.Random) -> Any:
    count = rng.randrange(MAX_ITEMS + 1)
    if issubclass(origin, Mapping):
        return {sample(arguments[0], rng): sample(arguments[1], rng) for _ in range(count)}
    if origin is tuple and arguments[-1] is not Ellipsis:
        return tuple(sample(item, rng) for item in arguments)
    kind = origin if origin in (list, set, frozenset) else tuple
    assert issubclass(origin, Iterable)
    return kind(sample(arguments[0], rng) for _ in range(count))


def _scalar(hint: Any, rng: random.Random) -> Any:
    if hint is type(None):
        return None
    if hint is bool:
        return rng.random() < 0.5
    if hint is int:
        return rng.choice((0, 7, -1, 2**62, rng.randrange(10**6)))
    if hint is float:
        return rng.choice((*NUMBERS, rng.gauss(0.0, 1.0)))
    if hint is Path:
        return Path("/work") / f"{rng.randrange(9)}.fit"
    if hint is Any:
        return rng.choice((None, True, 3, 0.5, "text", [1, 2.5], {"a": [None]}))
    assert hint is str, hint
    return rng.choice((*TEXTS, f"text {rng.randrange(1000)}"))


def same(one: Any, other: Any) -> bool:
    """Return whether two values are of the same kind and equal to the last bit."""
    if type(one) is not type(other):
        return False
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, item.name), getattr(other, item.name)) for item in dataclasses.fields(one))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
