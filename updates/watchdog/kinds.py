"""Whether what was read from a file is of the kinds that its class says: others may have written the file."""

from __future__ import annotations

from dataclasses import is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints


def require_kinds(value: object, kind: Any) -> None:  # noqa: ANN401 - whatever an annotation may be
    """Nothing, or TypeError: a dataclass's fields and what is in them are as annotated. An int may stand for a float."""
    of, inner = get_origin(kind) or kind, get_args(kind)
    if of is Any:
        return
    if of is UnionType:
        if not any(_is_of(value, one) for one in inner):
            raise TypeError(f"{value!r:.40} is none of {kind}")
        return
    if of is float and type(value) is int:
        return
    if type(value) is not of:
        raise TypeError(f"{value!r:.40} is not of the kind {getattr(of, '__name__', of)}")
    if is_dataclass(of):
        for name, hint in get_type_hints(of).items():
            require_kinds(getattr(value, name), hint)
    elif isinstance(value, list) and inner:
        for one in value:
            require_kinds(one, inner[0])
    elif isinstance(value, dict) and inner:
        for key, one in value.items():
            require_kinds(key, inner[0])
            require_kinds(one, inner[1])


def _is_of(value: object, kind: Any) -> bool:  # noqa: ANN401 - whatever an annotation may be
    try:
        require_kinds(value, kind)
    except TypeError:
        return False
    return True
