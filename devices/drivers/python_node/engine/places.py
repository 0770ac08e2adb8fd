"""Where a file of a patch belongs: which module it is, and whether it may be one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from devices.drivers.python_node.engine.verdicts import ERROR, WRONG_PATH, Verdict

LIBRARY = Path(os.__file__).resolve().parent
PACKAGES = {"site-packages", "dist-packages"}


def located(root: Path, path: str) -> Path:
    """The file that `path` means. Verdict if that is not inside `root`, or not a plain file."""
    parts = path.split("/")
    if "\\" in path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise Verdict(WRONG_PATH, "path", "The path is not written plainly.")
    folder = root.joinpath(*parts[:-1]).resolve()
    target = folder / parts[-1]
    if folder != root and root not in folder.parents:
        raise Verdict(WRONG_PATH, "path", "The path leads out of the system's folder.")
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise Verdict(WRONG_PATH, "path", "What is at that path is not a plain file.")
    return target


def loaded(agent: Any, target: Path) -> list[str]:
    """The names under which the file is in sys.modules; one, mostly."""
    return [
        name
        for name, source in agent.sources.items()
        if source.path == target and isinstance(sys.modules.get(name), ModuleType)
    ]


def extension(target: Path) -> str | None:
    """The module name if it is a compiled extension that is loaded from there."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if (
            isinstance(file, str)
            and Path(file).name == target.name
            and Path(file).resolve() == target
        ):
            return name
    return None


def import_name(target: Path) -> str | None:
    """What `import` calls the file; None if nothing is imported from its folder."""
    homes = {str(home) for module in list(sys.modules.values()) for home in _homes(module)}
    for base in sorted({Path(entry).resolve() for entry in sys.path}, key=lambda b: -len(b.parts)):
        if base in target.parents:
            parts = target.relative_to(base).parts
            folders = [base.joinpath(*parts[:count]) for count in range(1, len(parts))]
            if all(_is_package(folder) or str(folder) in homes for folder in folders):
                stem = target.name.split(".")[0]
                return ".".join([*parts[:-1], *([] if stem == "__init__" and folders else [stem])])
    return None


def _homes(module: Any) -> Iterator[str]:
    if isinstance(module, ModuleType) and type(module) is ModuleType:
        try:
            yield from (str(Path(home).resolve()) for home in module.__dict__.get("__path__", ()))
        except (TypeError, KeyError, OSError):
            return


def _is_package(folder: Path) -> bool:
    return folder.name.isidentifier() and (folder / "__init__.py").is_file()


def is_system(target: Path) -> bool:
    """Whether the file is Python's own, or that of an installed package."""
    return bool(PACKAGES.intersection(target.parts)) or LIBRARY in target.parents


def check_place(target: Path, name: str) -> None:
    """Verdict if the name is another file's. A name that belongs to the system may not be taken."""
    if is_system(target):
        raise Verdict(ERROR, "system", "It is a system library, which cannot be patched.")
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None) or _found(name)
    if name in sys.builtin_module_names or (file is not None and is_system(Path(file).resolve())):
        raise Verdict(ERROR, "system", f"{name} is a system library, which cannot be patched.")
    if file is not None and Path(file).resolve() != target:
        raise Verdict(WRONG_PATH, "elsewhere", f"The node has {name} at another path.")


def _found(name: str) -> str | None:
    search: Any = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:count]), search)
        if spec is None or (count < len(parts) and spec.submodule_search_locations is None):
            return None
        search = spec.submodule_search_locations
    return spec.origin if spec else None


def code_files(root: Path) -> int:
    """How many files of code lie below `root` in folders that the process loads from, loaded or not."""
    homes = {home for module in list(sys.modules.values()) for home in _homes(module)}
    bases = {Path(entry).resolve() for entry in sys.path} | {Path(home) for home in homes}
    waiting = [folder for folder in bases if folder == root or root in folder.parents]
    files: set[Path] = set()
    seen: set[Path] = set()
    while waiting:
        folder = waiting.pop()
        if folder not in seen and folder.is_dir() and not PACKAGES.intersection(folder.parts):
            seen.add(folder)
            files.update(folder.glob("*.py"))
            waiting += [
                home.parent for home in folder.glob("*/__init__.py") if not home.parent.is_symlink()
            ]
    return len(files)


def is_extension(target: Path) -> bool:
    return target.name.endswith(tuple(EXTENSION_SUFFIXES))
