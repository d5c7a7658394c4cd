"""Records as plain values and back, by their fields: what is saved, resumed and digested is never copied by hand.

`to_plain` turns a record into dictionaries, lists and plain values with arrays among them; `from_plain` makes the
record again from its type hints.  `content_of` is the same for digests, `to_bytes` and `from_bytes` for the journal.
A field that is added to a record is saved, read and digested from then on; what shall be left out is named.
"""

from __future__ import annotations

import hashlib
import io
import json
import types
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from zemosaic.text.plain_text import json_value

__all__ = ["Tree", "content_of", "from_bytes", "from_plain", "pack", "to_bytes", "to_plain", "unpack"]

T = TypeVar("T")
Tree = Any
"""Dictionaries, lists and plain values (str, int, float, bool, None) with arrays among them."""

_ARRAY = "__array__"
"""Key under which packed values say which array stands here."""
_BITS = "__bits__"
"""As `_ARRAY`, with the shape: of an array of bool, whose values take one bit each."""
_ITEMS = "__items__"
"""Key under which stand the keys and values of a dictionary that has one of these keys itself."""
_MARKS = frozenset((_ARRAY, _BITS, _ITEMS))
_ZIP = b"PK"
_AS_THEY_ARE = frozenset((str, int, float, bool, type(None), np.ndarray))
"""Types of plain values; most values are of one of them."""


def to_plain(value: Any, without: Collection[str] = ()) -> Tree:
    """Return a record as plain values and arrays.

    Parameters
    ----------
    value : Any
        A dataclass, NamedTuple, enum, path, array, number, text, or a container of these.  Arrays stay as they are.
    without : collection of str
        Fields that are left out; those of nested records with dots (``"solved.measured.stars"``).

    Returns
    -------
    Tree
        A dataclass becomes a dictionary by field names, a tuple or NamedTuple a list, a set a sorted list.

    Raises
    ------
    TypeError
        If there is no plain value for a part of it.
    ValueError
        If a field that is to be left out does not exist.
    """
    return _plain(value, tuple(without))


def _plain(value: Any, without: tuple[str, ...]) -> Tree:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is tuple or kind is list:
        return [item if type(item) in _AS_THEY_ARE else _plain(item, without) for item in value]
    if is_dataclass(kind):
        return {name: _plain(getattr(value, name), below) for name, below in _saved_fields(kind, without)}
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, without) for key, item in value.items()}
    return _of_the_rest(value)


def _of_the_rest(value: Any) -> Tree:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.generic):
        return _plain(value.item(), ())
    if isinstance(value, np.ndarray | str | int | float):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item, ()) for item in value]
    if isinstance(value, AbstractSet):
        return sorted(_plain(item, ()) for item in value)
    raise TypeError(f"no plain value for {type(value).__name__}")


@lru_cache(maxsize=1024)
def _saved_fields(kind: type, without: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the fields of a dataclass that are not left out, each with what is left out of its own fields."""
    every = {item.name for item in fields(kind)}
    unknown = sorted(path for path in without if path.partition(".")[0] not in every)
    if unknown:
        raise ValueError(f"{kind.__name__} has no fields {unknown} to leave out")
    names = [item.name for item in fields(kind) if item.name not in without]
    return tuple(
        (name, tuple(path[len(name) + 1 :] for path in without if path.startswith(f"{name}."))) for name in names
    )


def _key(key: Any) -> str:
    if isinstance(key, Enum):
        return str(key.value)
    if isinstance(key, str | int | Path) and not isinstance(key, bool):
        return str(key)
    raise TypeError(f"no plain key for {type(key).__name__}")


def from_plain(cls: type[T], value: Tree, **given: Any) -> T:
    """Return the record that `to_plain` made plain values of.

    Parameters
    ----------
    cls : type
        A dataclass, or any type hint that its fields may have.
    value : Tree
        What `to_plain` returned, also after JSON.
    **given
        Fields that were left out, or that shall be other ones.

    Raises
    ------
    ValueError
        If the values are not those of such a record: a field without default is missing, or one is unknown.
    TypeError
        If there is no rule for the type hint of a field.
    """
    kind: Any = cls
    made: T = _record(kind, value, given) if given else _decoder(kind)(value)
    return made


def _record(cls: Any, value: Tree, given: Mapping[str, Any]) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(f"{cls.__name__}: {type(value).__name__} instead of fields")
    decoders, needed = _fields_of(cls)
    unknown = [name for name in value if name not in decoders]
    missing = [name for name in needed if name not in value and name not in given]
    if unknown or missing:
        raise ValueError(f"{cls.__name__}: unknown fields {unknown}, missing fields {missing}")
    values = {name: decoders[name](item) for name, item in value.items() if name not in given}
    return cls(**values, **given)


@lru_cache(maxsize=256)
def _fields_of(cls: type) -> tuple[dict[str, Callable[[Tree], Any]], tuple[str, ...]]:
    """Return how each field of a dataclass is read, and the fields that have no default."""
    hints, items = get_type_hints(cls), [item for item in fields(cls) if item.init]
    needed = tuple(item.name for item in items if item.default is MISSING and item.default_factory is MISSING)
    return {item.name: _decoder(hints[item.name]) for item in items}, needed


@lru_cache(maxsize=1024)
def _decoder(hint: Any) -> Callable[[Tree], Any]:
    """Return what makes a value of a type hint from plain values."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hasattr(origin, "__value__"):  # an alias by the `type` statement, as NDArray is from numpy 2.5 on
        return _decoder(origin.__value__[arguments])
    if hint is Any or hint in (str, int, float, bool, type(None)) or origin is Literal:
        return _as_it_is
    if origin in (Union, types.UnionType):
        return _decoder_of_union(arguments)
    if origin is np.ndarray:
        dtype = get_args(arguments[1])[0]
        return lambda value: value if isinstance(value, np.ndarray) else np.array(value, dtype)
    if origin is not None:
        return _decoder_of_container(hint, origin, arguments)
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda value: _record(hint, value, {})
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        hints = get_type_hints(hint)
        readers = [_decoder(hints[name]) for name in hint._fields]
        return lambda value: hint(*(read(item) for read, item in zip(readers, value, strict=True)))
    if isinstance(hint, type) and issubclass(hint, Enum | Path):
        return hint
    raise TypeError(f"no rule to read {hint}")


def _as_it_is(value: Tree) -> Any:
    return value


def _decoder_of_union(arguments: tuple[Any, ...]) -> Callable[[Tree], Any]:
    readers = [_decoder(item) for item in arguments if item is not type(None)]
    if all(read is _as_it_is for read in readers):
        return _as_it_is
    if len(readers) == 1:
        return lambda value: None if value is None else readers[0](value)
    raise TypeError(f"no rule to tell {arguments} apart")


def _decoder_of_container(hint: Any, origin: Any, arguments: tuple[Any, ...]) -> Callable[[Tree], Any]:
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, item = arguments[0], _decoder(arguments[1])
        read_key = key if isinstance(key, type) else str
        return lambda value: {read_key(name): item(part) for name, part in value.items()}
    if origin is tuple and arguments[-1:] != (Ellipsis,):
        readers = [_decoder(part) for part in arguments]
        return lambda value: tuple(read(part) for read, part in zip(readers, value, strict=True))
    if isinstance(origin, type) and issubclass(origin, Iterable):
        item = _decoder(arguments[0])
        kind = origin if origin in (list, set, frozenset) else tuple
        return lambda value: kind(value if item is _as_it_is else map(item, value))
    raise TypeError(f"no rule to read {hint}")


def content_of(value: Any, without: Collection[str] = ()) -> Tree:
    """Return a record as `zemosaic.store.journal.digest` takes it: as `to_plain`, with a hash for each array.

    Parameters
    ----------
    value : Any
        See `to_plain`.
    without : collection of str
        Fields that the digest shall not depend on.
    """
    return _with_arrays(to_plain(value, without), _hashed)


def _hashed(array: NDArray[Any]) -> Tree:
    return [array.dtype.str, list(array.shape), hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()]


def _with_arrays(value: Tree, of_array: Callable[[NDArray[Any]], Tree]) -> Tree:
    """Return plain values with something else for each array."""
    if isinstance(value, np.ndarray):
        return of_array(value)
    if isinstance(value, dict):
        items = {key: _with_arrays(item, of_array) for key, item in value.items()}
        return items if _MARKS.isdisjoint(items) else {_ITEMS: [list(item) for item in items.items()]}
    return [_with_arrays(item, of_array) for item in value] if isinstance(value, list) else value


def to_bytes(value: Any, without: Collection[str] = ()) -> bytes:
    """Return a record as bytes for the journal: numbers, texts and arrays only, nothing that could run.

    Parameters
    ----------
    value : Any
        See `to_plain`.
    without : collection of str
        Fields that are left out.
    """
    return pack(to_plain(value, without))


def from_bytes(cls: type[T], data: bytes, **given: Any) -> T:
    """Return the record that `to_bytes` stored.

    Parameters
    ----------
    cls : type
    data : bytes
    **given
        Fields that were left out.

    Raises
    ------
    ValueError
        If these are no bytes of such a record.
    """
    return from_plain(cls, unpack(data), **given)


def pack(value: Tree, *, compressed: bool = False) -> bytes:
    """Return plain values and arrays as bytes: JSON, or an archive of it and the arrays where there are any.

    Parameters
    ----------
    value : Tree
    compressed : bool
        Whether the archive is compressed; it always is one then.
    """
    arrays: dict[str, NDArray[Any]] = {}

    def kept(array: NDArray[Any]) -> Tree:
        name = f"a{len(arrays)}"
        arrays[name] = np.packbits(array) if array.dtype == np.bool_ else array
        return {_BITS: [name, list(array.shape)]} if array.dtype == np.bool_ else {_ARRAY: name}

    text = json.dumps(_with_arrays(value, kept)).encode()
    if not arrays and not compressed:
        return text
    stream = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(stream, meta=np.frombuffer(text, np.uint8), **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def unpack(data: bytes) -> Tree:
    """Return what `pack` made bytes of; raises ValueError for anything else."""
    arrays: dict[str, NDArray[Any]] = {}
    try:
        text = data
        if data.startswith(_ZIP):
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            text = arrays.pop("meta").tobytes()
        return _full(json_value(text), arrays)
    except (KeyError, EOFError, zipfile.BadZipFile) as fault:
        raise ValueError(str(fault)) from fault


def _full(value: Tree, arrays: Mapping[str, NDArray[Any]]) -> Tree:
    if isinstance(value, dict):
        if _ARRAY in value:
            return arrays[value[_ARRAY]]
        if _BITS in value:
            name, shape = value[_BITS]
            count = int(np.prod(shape))
            return np.unpackbits(arrays[name], count=count).reshape(shape).astype(np.bool_)
        items = value[_ITEMS] if _ITEMS in value else value.items()
        return {key: _full(item, arrays) for key, item in items}
    return [_full(item, arrays) for item in value] if isinstance(value, list) else value
