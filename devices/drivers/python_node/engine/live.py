"""What is alive in this process: functions, frames, names, and who holds what."""

from __future__ import annotations

import functools
import gc
import sys
import time
import types
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from types import CodeType, FunctionType, ModuleType
from typing import Any

POLL_SECONDS = 0.05

LRU: Any = type(functools.lru_cache(maxsize=1)(len))
PLAIN = (int, str, bytes, float, complex, type(None), type(...), range, ModuleType, Enum)
PLAIN_MODULES = {
    "collections.abc",
    "re",
    "datetime",
    "decimal",
    "fractions",
    "pathlib",
    "uuid",
    "typing",
    "types",
}
FRAMES: dict[type, str] = {
    types.GeneratorType: "gi_frame",
    types.CoroutineType: "cr_frame",
    types.AsyncGeneratorType: "ag_frame",
}


def functions_by_globals() -> dict[int, list[FunctionType]]:
    """Every function of this process, by the id of its globals."""
    if gc.get_freeze_count():
        gc.unfreeze()  # what a prefork master froze is hidden from the search, and would stay old
    found: dict[int, list[FunctionType]] = {}
    for item in gc.get_objects():
        if type(item) is FunctionType:
            found.setdefault(id(item.__globals__), []).append(item)
    return found


def inside(value: Any) -> Iterator[Any]:
    """The functions and caches that make up `value`, something that a `def` and its decorators made."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, (FunctionType, LRU)):
            yield part
            waiting.append(getattr(part, "__wrapped__", None))
            for cell in getattr(part, "__closure__", None) or ():
                with suppress(ValueError):
                    waiting.append(cell.cell_contents)
        elif isinstance(part, property):
            waiting += [part.fget, part.fset, part.fdel]
        elif isinstance(part, (classmethod, staticmethod, functools.partial)):
            waiting.append(part.func if isinstance(part, functools.partial) else part.__func__)
        elif (
            part is value and hasattr(part, "__dict__") and not isinstance(part, (type, ModuleType))
        ):
            waiting += vars(part).values()


def lingering(codes: set[CodeType], *, grace: float) -> list[CodeType]:
    """The code of each frame that is in one of `codes` now and still is after `grace` seconds."""
    frames, end = _standing(codes), time.monotonic() + grace
    while frames and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        now = _standing(codes)
        frames = {key: frame for key, frame in frames.items() if key in now}
    return [frame.f_code for frame in frames.values()]


def _standing(codes: set[CodeType]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    if not codes:
        return found
    for top in list(sys._current_frames().values()):
        walk: Any = top
        while walk is not None:
            if walk.f_code in codes:
                found[id(walk)] = walk
            walk = walk.f_back
    for item in gc.get_objects():
        frame = getattr(item, FRAMES[type(item)]) if type(item) in FRAMES else None
        if frame is not None and frame.f_code in codes:
            found[id(frame)] = frame
    return found


def is_plain(value: Any) -> bool:
    """Whether it can't change, so that another one may take its place."""
    if type(value) in (tuple, frozenset):
        return all(map(is_plain, value))
    return isinstance(value, (types.BuiltinFunctionType, *PLAIN)) or (
        type(value).__module__ in PLAIN_MODULES and type(value) is not FunctionType
    )


def holders(value: Any, *, apart_from: set[int]) -> list[str]:
    """Who else has `value`, in words: a module or a class, by its name, or the kind of container."""
    found = []
    own = {id(cell) for cell in getattr(value, "__closure__", None) or ()}
    for holder in gc.get_referrers(value):
        if id(holder) not in apart_from | own and not isinstance(holder, types.FrameType):
            name = holder.get("__name__") if isinstance(holder, dict) else None
            found.append(f"the module {name}" if name else f"a {type(holder).__name__}")
    return found


def users(kind: type) -> list[str]:
    """Who still has the class `kind`, in words."""
    found = ["an instance"] if any(type(item) is kind for item in gc.get_objects()) else []
    heirs: list[type] = kind.__subclasses__()
    found += [f"the subclass {heir.__name__}" for heir in heirs]
    for name, module in list(sys.modules.items()):
        names = vars(module) if type(module) is ModuleType else {}
        if any(value is kind for value in list(names.values())):
            found.append(f"the module {name}")
    return found
