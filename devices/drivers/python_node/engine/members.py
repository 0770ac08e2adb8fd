"""Names, and what they stand for, in modules, classes and functions."""

from __future__ import annotations

import ast
from types import CodeType, FunctionType
from typing import Any

from devices.drivers.python_node.engine.codes import bound
from devices.drivers.python_node.engine.live import inside

MISSING: Any = object()


def bound_by(statements: list[ast.stmt]) -> list[str]:
    """The names that `statements` give something to."""
    return [name for statement in statements for name in bound(statement)]


def body_of(code: CodeType) -> tuple[Any, ...]:
    """What is left of a code when something like `types.coroutine` gave a function another one."""
    return (code.co_name, code.co_code, code.co_consts, code.co_names, code.co_firstlineno)


def decorators(statement: Any) -> list[Any]:
    """Those of a `def`."""
    return list(statement.decorator_list)


def parts_of(value: Any) -> list[Any]:
    """The functions that are gone when `value` is."""
    if not isinstance(value, type):
        return list(inside(value))
    return [
        part
        for member in vars(value).values()
        for part in (parts_of(member) if member is not value else [])
    ]


def members_of(owner: type, made: type, statements: list[ast.stmt]) -> dict[str, Any]:
    """What a class body made, as members of `owner`: `super()` and `__class__` mean that."""
    names = {mangled(owner, name) for name in bound_by(statements)}
    members = {name: value for name, value in vars(made).items() if name in names}
    parts = [part for value in members.values() for part in inside(value)]
    for part in (part for part in parts if isinstance(part, FunctionType)):
        for name, cell in zip(part.__code__.co_freevars, part.__closure__ or ()):
            if name == "__class__" and cell.cell_contents is made:
                cell.cell_contents = owner
    return members


def names_of(owner: Any) -> Any:
    """The names of a module, given as such, or of a class."""
    return owner if isinstance(owner, dict) else vars(owner)


def mangled(owner: Any, name: str) -> str:
    """How `name` is called in `owner`: private names of classes are called otherwise."""
    is_private = isinstance(owner, type) and name.startswith("__") and not name.endswith("__")
    return f"_{owner.__name__.lstrip('_')}{name}" if is_private else name


def assign(owner: Any, name: str | None, value: Any) -> None:
    """`owner` has `value` under `name`; MISSING: it has nothing there; no name: it contains what `value` does."""
    if name is None:
        owner.clear()
        owner.extend(value) if isinstance(owner, list) else owner.update(value)
    elif isinstance(owner, dict):
        owner.pop(name, None) if value is MISSING else owner.__setitem__(name, value)
    elif isinstance(owner, type):
        type.__delattr__(owner, name) if value is MISSING else type.__setattr__(owner, name, value)
    else:
        setattr(owner, name, value)
