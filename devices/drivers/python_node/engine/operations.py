"""What the portal asks of a process: inspect, check, keep, apply. The entry is `answer`."""

from __future__ import annotations

import base64
import sys
import threading
from types import FunctionType, ModuleType
from typing import Any

from devices.drivers.python_node.engine.codes import all_codes, compiled
from devices.drivers.python_node.engine.entries import Entry
from devices.drivers.python_node.engine.files import content, put_in_place, write_beside
from devices.drivers.python_node.engine.live import functions_by_globals, lingering
from devices.drivers.python_node.engine.places import code_files, is_system, loaded
from devices.drivers.python_node.engine.verdicts import (
    ERROR,
    NOT_PYTHON,
    NOT_UPDATED,
    OK,
    WRONG_PATH,
    Verdict,
)

REFUSED = (ERROR, NOT_PYTHON, WRONG_PATH)
MAX_KEPT_BYTES = 100 << 20
UNFINISHED = ("raised", "hung")
"""Reasons of NOT_UPDATED for which the file stays as it was: a restart would not go well."""


def answer(agent: Any, request: dict[str, Any]) -> dict[str, Any]:
    """What `request` asks for, in words that JSON has."""
    agent.note_loaded()
    found: dict[str, Any] = {
        "runtime": f"Python {sys.version.split()[0]}",
        "version": agent.version,
    }
    operation = request["operation"]
    if operation in ("inspect", "check"):
        found["module_count"] = code_files(agent.root)
    if operation == "inspect":
        rows = (_inspected(agent, path) for path in request["paths"])
        return {**found, "loaded": [row for row in rows if row is not None]}
    if operation == "keep":
        return {**found, **_kept(agent, request["paths"])}
    entries = [_entry(agent, file) for file in request["files"]]
    if operation == "check":
        _check(entries, grace=request["grace"])
    elif request["fence"] < agent.fences.get(request["upgrade"], request["fence"]):
        return {"stale": True}
    else:
        agent.fences[request["upgrade"]] = request["fence"]
        _apply(agent, entries, on_load=request["on_load"], grace=request["grace"])
    return {**found, "results": [entry.row() for entry in entries]}


def _entry(agent: Any, file: dict[str, Any]) -> Entry:
    data = None if file["data"] is None else base64.b64decode(file["data"])
    return Entry(agent, file["path"], data=data, mode=file["mode"])


def _inspected(agent: Any, path: str) -> dict[str, Any] | None:
    entry, disk = Entry(agent, path), ""
    try:
        entry.find()
        if not entry.is_module:
            return None
        data = content(entry.target) if entry.target.suffix == ".py" else None
        disk = entry.version_of(data) if data is not None else ""
    except (Verdict, OSError):
        disk = ""
    return {
        "path": path,
        "name": entry.name,
        "is_loaded": bool(entry.keys),
        "version": entry.before,
        "disk_version": disk,
        "is_system": is_system(entry.target),
    }


def _kept(agent: Any, paths: list[str]) -> dict[str, Any]:
    files, size = [], 0
    for path in paths:
        entry = Entry(agent, path)
        try:
            entry.find()
            data = content(entry.target)
            mode = entry.target.stat().st_mode & 0o777 if data is not None else 0o644
        except Verdict as verdict:
            return {"refusal": f"{path}: {verdict.detail}"}
        except OSError as error:
            return {"refusal": f"{path} cannot be read: {error.strerror}."}
        source = agent.sources.get(entry.keys[0]) if entry.keys else None
        is_of_file = data is not None and entry.version_of(data) == entry.before != ""
        if source is not None and not is_of_file:
            return {
                "refusal": f"The code of {entry.name} that runs is not that of its file {path}."
            }
        size += len(data or b"")
        if size > MAX_KEPT_BYTES:
            return {"refusal": "The files are too large to be kept."}
        text = None if data is None else base64.b64encode(data).decode()
        files.append({"path": path, "data": text, "mode": mode, "version": entry.before})
    return {"files": files}


def _check(entries: list[Entry], *, grace: float) -> None:
    for entry in entries:
        entry.judge()
    changing = [entry for entry in entries if entry.graft is not None and entry.status == OK]
    for entry in _staying(changing, grace=grace):
        entry.end(NOT_UPDATED, "lingering", _says_lingering(entry))


def _staying(entries: list[Entry], *, grace: float) -> list[Entry]:
    """Those whose old code still runs after the grace; all of them are waited for at the same time."""
    grafts = {id(entry): entry.graft.changed for entry in entries if entry.graft is not None}
    frames = lingering({code for codes in grafts.values() for code in codes}, grace=grace)
    for entry in entries:
        entry.lingering = sum(code in grafts[id(entry)] for code in frames)
    return [entry for entry in entries if entry.lingering]


def _says_lingering(entry: Entry) -> str:
    frames = "frame is" if entry.lingering == 1 else "frames are"
    return f"{entry.lingering} {frames} in older code of {entry.name}, and did not leave it."


def _apply(agent: Any, entries: list[Entry], *, on_load: float, grace: float) -> None:
    for entry in entries:
        entry.judge()
    for entry in entries:
        _stage(entry)
    try:
        with agent.mending:
            _load(agent, entries, on_load=on_load, grace=grace)
            for entry in entries:
                _finish(agent, entry, grace=grace)
    finally:
        for entry in entries:
            if entry.beside is not None:
                entry.beside.unlink(missing_ok=True)


def _stage(entry: Entry) -> None:
    """The new file is beside the old one, if it is wanted and another."""
    if entry.status in REFUSED or entry.data is None:
        return
    try:
        if content(entry.target) != entry.data:
            entry.beside = write_beside(entry.target, data=entry.data, mode=entry.mode)
    except OSError as error:
        entry.end(ERROR, "unwritable", f"The file cannot be written: {error.strerror}.")


def _load(agent: Any, entries: list[Entry], *, on_load: float, grace: float) -> None:
    """Every module that can be is the new one, in memory."""
    waiting = [entry for entry in entries if entry.status == OK and entry.graft is not None]
    index = functions_by_globals() if waiting else {}
    while waiting:
        failed = [entry for entry in waiting if not _graft(entry, index, on_load=on_load)]
        if len(failed) == len(waiting):
            break
        waiting = failed  # they may have waited for what others bring
    grafted = [entry for entry in entries if entry.status == OK and entry.graft is not None]
    for entry in grafted:
        entry.change.spread({entry.name, *entry.keys}, agent.sources)
    del index
    for entry in _staying(grafted, grace=grace):
        _give_up(entry, Verdict(NOT_UPDATED, "lingering", _says_lingering(entry)))
    index = functions_by_globals() if grafted else {}
    for entry in grafted:
        _prove(entry, index)


def _graft(entry: Entry, index: dict[int, list[FunctionType]], *, on_load: float) -> bool:
    """Whether the module is grafted, or is given up."""
    graft = entry.change
    entry.end(ERROR, "unverified", "Nobody knows yet.")
    failure: list[BaseException] = []

    def run() -> None:
        try:
            graft.apply(index.get(id(graft.live), []))
        except BaseException as error:  # noqa: BLE001  the entry says it
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(on_load)
    graft.is_over = True
    if thread.is_alive():
        failure.append(Verdict(NOT_UPDATED, "hung", "Its new code does not come to an end."))
    if failure:
        _give_up(entry, failure[0])
        graft.is_over = thread.is_alive()
        return entry.reason != "raised"
    entry.end(OK, "ok", "The node runs the new code.")
    return True


def _give_up(entry: Entry, error: BaseException) -> None:
    """The module is as it was, and the entry says why."""
    if entry.graft is not None:
        entry.graft.undo()
    if isinstance(error, Verdict):
        entry.end(error.status, error.reason, error.detail)
    else:
        said = f"{type(error).__name__}: {str(error)[:300]}"
        entry.end(ERROR, "graft", f"The module could not be changed, and is as before: {said}")


def _prove(entry: Entry, index: dict[int, list[FunctionType]]) -> None:
    graft = entry.graft
    if graft is None or entry.status != OK:
        return
    entry.end(ERROR, "unverified", "Nobody knows yet.")
    apart: set[int] = {id(functions) for functions in index.values()}
    try:
        graft.verify(index.get(id(graft.live), []), apart_from=apart)
    except Verdict as verdict:
        _give_up(entry, verdict)
    else:
        entry.end(OK, "ok", "The node runs the new code.")


def _finish(agent: Any, entry: Entry, *, grace: float) -> None:
    """The file is in place, unless the code was refused."""
    if entry.status in REFUSED or entry.reason in UNFINISHED:
        return
    if entry.data is None and entry.is_module and entry.keys:
        _take_out(agent, entry, grace=grace)
    try:
        if entry.data is None:
            is_there = entry.target.exists()
            if is_there:
                put_in_place(None, entry.target)
        elif entry.beside is not None:
            put_in_place(entry.beside, entry.target)
            entry.beside = None
    except OSError as error:
        if entry.graft is not None:
            entry.graft.undo()
        entry.end(ERROR, "unwritable", f"The file cannot be written: {error.strerror}.")
        return
    entry.is_written = True
    if entry.reason == "not_loaded" and _is_stale(agent, entry):
        entry.end(
            NOT_UPDATED, "meanwhile", "It was loaded while it was written. Apply it once more."
        )
    if entry.status == OK and entry.data is not None:
        for key in entry.keys:
            agent.note(key, entry.target, entry.data)
    if entry.status is None:
        entry.reason = "removed" if entry.data is None else "written"


def _is_stale(agent: Any, entry: Entry) -> bool:
    agent.note_loaded()
    now = [agent.sources[key].data for key in loaded(agent, entry.target)]
    return any(data != entry.data for data in now)


def _take_out(agent: Any, entry: Entry, *, grace: float) -> None:
    """A module whose file is removed is not loaded any more, unless somebody uses it."""
    key = entry.keys[0]
    module = sys.modules[key]
    source = agent.sources.get(key)
    codes = set(all_codes(compiled(source.data, str(entry.target)))) if source else set()
    entry.lingering = len(lingering(codes, grace=grace))
    holders = [name for name in _users(module, key) if name not in entry.keys]
    if entry.lingering or holders:
        by = f"{holders[0]} uses it" if holders else "its code is running"
        entry.end(NOT_UPDATED, "held", f"{entry.name} stays loaded until a restart: {by}.")
        return
    for name in entry.keys:
        sys.modules.pop(name, None)
        agent.sources.pop(name, None)
    parent, _, child = key.rpartition(".")
    if parent in sys.modules and vars(sys.modules[parent]).get(child) is module:
        delattr(sys.modules[parent], child)
    entry.end(OK, "removed", "The module is not loaded any more.")


def _users(module: ModuleType, key: str) -> list[str]:
    parent, _, child = key.rpartition(".")
    own = {
        id(value) for value in vars(module).values() if getattr(value, "__module__", None) == key
    }
    own.add(id(module))
    return [
        name
        for name, other in list(sys.modules.items())
        if type(other) is ModuleType
        for here, value in list(vars(other).items())
        if id(value) in own and (name, here) != (parent, child)
    ]
