"""Turn the tables of a TOML file into dataclasses: every key known, every value of its type."""

import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from jina_rerank.lines import InputError

from ..loading import load

T = TypeVar("T")


def read(path: Path, kind: type[T]) -> T:
    """Read a TOML file as a dataclass, whose fields may be dataclasses, or tuples of them.

    Args:
        path: The file.
        kind: The dataclass; it may check itself and raise `ValueError`.

    Raises:
        InputError: The file cannot be read, or a key or a value of it is wrong; the message names
            the file and the key.
    """
    values = load(path, tomllib.loads, "TOML")
    try:
        return _table(kind, values, "")
    except ValueError as error:
        msg = f"{path}: {error}"
        raise InputError(msg) from error


def _table(kind: type[T], values: Mapping[str, Any], place: str) -> T:
    known: dict[str, Field[Any]] = {field.name: field for field in fields(cast("Any", kind))}
    at = f"{place}." if place else ""
    for name in values:
        if name not in known:
            msg = f"there is no {at}{name}; there are {', '.join(f'{at}{key}' for key in known)}"
            raise ValueError(msg)
    for name, field in known.items():
        missing = field.default is MISSING and field.default_factory is MISSING
        if missing and name not in values:
            msg = f"{at}{name} is missing"
            raise ValueError(msg)
    hints = get_type_hints(kind)
    given = {name: _value(hints[name], value, f"{at}{name}") for name, value in values.items()}
    try:
        return kind(**given)
    except ValueError as error:
        msg = f"{at}{error}"
        raise ValueError(msg) from error


def _value(hint: Any, value: Any, place: str) -> Any:
    if isinstance(hint, types.UnionType):  # an optional value: TOML has no null, so it is there
        hint = next(one for one in get_args(hint) if one is not types.NoneType)
    if get_origin(hint) is tuple:
        (item, _) = get_args(hint)
        _check(list, value, place, "a list")
        return tuple(_value(item, one, f"{place}[{i}]") for i, one in enumerate(value))
    if is_dataclass(hint):
        _check(dict, value, place, "a table")
        return _table(cast("type[Any]", hint), value, place)
    if hint is float and type(value) is int:
        return float(value)
    _check(hint, value, place, {str: "a text", bool: "true or false"}.get(hint, "a number"))
    return value


def _check(kind: type, value: Any, place: str, name: str) -> None:
    if type(value) is not kind:
        whole = "a whole number" if kind is int else name
        msg = f"{place} must be {whole}, got {value!r}"
        raise ValueError(msg)
