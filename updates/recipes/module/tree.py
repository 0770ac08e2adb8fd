"""The tree of files of one instance on its device: what is there, what takes its place, and how it was before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from devices.drivers.shell import Shell, TreeFile
from updates.errors import StepFailed
from updates.formats.module_image import Listing, no_longer_required, read_environment, read_list
from updates.plan import ModulePlan
from updates.recipes.detached import DetachedCalls, demand_good_end
from updates.recipes.module.account import Account
from updates.recipes.module.device_scripts import (
    BACK_UP,
    FORGET,
    PATCH_ENVIRONMENT,
    PUT_BACK_ENVIRONMENT,
    PUT_BACK_STATE,
    PUT_BACK_UNITS,
    READ,
    STAGE,
    STAGE_KEPT,
    SWAP,
    SWAP_BACK,
)
from updates.recipes.patience import patiently
from updates.runner import Context

LIST: Final = ".imageroot.lst"
PLACE: Final = ".fleetwright"
"""Below the tree: what ways back need lies on its file system."""
ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
LIBRARY: Final = "lib"
"""In the stage: the `agent` package that modules' scripts import, and programs that they call."""
AGENT: Final = Path(__file__).resolve().parent.parent / "module_agent"
MOST_BYTES: Final = 8 * 2**20
READ_SECONDS: Final = 60.0


class Tree:
    """One instance's AGENT_INSTALL_DIR, for one upgrade. All of its changes are detached steps of the instance's user."""

    def __init__(self, plan: ModulePlan, shell: Shell, calls: DetachedCalls) -> None:
        self._plan = plan
        self._shell = shell
        self._calls = calls
        self.root = plan.install_dir
        self.state = f"{plan.install_dir}/state"
        self.base = self.base_of(plan.upgrade)
        self.work = f"{plan.device.work_root}/{plan.upgrade}"

    def base_of(self, upgrade: str) -> str:
        """Where what that upgrade replaced is kept."""
        return f"{self.root}/{PLACE}/{upgrade}"

    def account(self, context: Context) -> Account:
        """The instance's user. StepFailed where the device has none of that name."""
        found = patiently(context, self._shell, lambda: Account.found(self._shell, self._plan.user))
        if found is None:
            raise StepFailed(f"The device has no user {self._plan.user}.")
        return found

    def environment(self, context: Context) -> dict[str, str]:
        """The variables in the instance's environment file; none where there is none."""
        content = self._content(context, f"{self.state}/environment")
        return read_environment(content).values

    def installed(self, context: Context) -> list[str]:
        """The list of what the module has installed there, a path a line."""
        lines, warnings = read_list(self._content(context, f"{self.root}/{LIST}"))
        for says in warnings[:5]:
            context.journal.note(says)
        return lines

    def kept_list(self, context: Context, upgrade: str) -> list[str]:
        """The list that `upgrade` found there, and has kept."""
        return read_list(self._content(context, f"{self.base_of(upgrade)}/old/{LIST}"))[0]

    def _content(self, context: Context, path: str) -> bytes:
        """As the instance's user, for whom it may lead elsewhere; nothing while that user or the file is not there."""
        found = patiently(context, self._shell, lambda: Account.found(self._shell, self._plan.user))
        if found is None:
            return b""
        command = [*found.words, "sh", "-c", READ, "sh", path, str(MOST_BYTES + 1)]
        result = patiently(
            context,
            self._shell,
            lambda: self._shell.run(
                command, limit_seconds=READ_SECONDS, keep_bytes=MOST_BYTES + 1, on_tick=context.tick
            ),
        )
        if result.status or len(result.output) > MOST_BYTES:
            raise StepFailed(f"{path} cannot be read, or is too long to be what it should be.")
        return result.output

    def back_up(self, context: Context) -> None:
        """Environment, units, and the state directory where that is asked for, are kept below the tree."""
        plan = self._plan
        keeps = "yes" if plan.keeps_data else "no"
        self._do(context, "back-up", BACK_UP, self.root, self.base, self._named(), keeps)

    def bring(
        self,
        context: Context,
        listing: Listing,
        files: Iterator[TreeFile],
        *,
        patch: Mapping[str, str | None],
    ) -> None:
        """All that is to be put in place lies on the device, in a folder of ours."""
        lines = [*listing.paths, f"./{LIST}"]
        old = self.installed(context)
        lists = {
            "new.lst": _text(sorted(lines, key=str.encode)),
            "old.lst": _text(old),
            "gone.lst": _text(no_longer_required(old, lines)),
            "environment.patch": _text(
                key if value is None else f"{key}={value}" for key, value in patch.items()
            ),
            f"new/{LIST}": listing.text(),
        }
        self._shell.put_tree(f"{self.work}/stage", _staged(files, lists))

    def bring_lists(self, context: Context, *, kept_of: str) -> None:
        """What is to be removed when what `kept_of` has kept comes back."""
        old, new = self.installed(context), self.kept_list(context, kept_of)
        lines = [*new, *([f"./{LIST}"] if new else [])]
        gone = no_longer_required([*old, f"./{LIST}"], lines)
        lists = {"old.lst": _text(old), "gone.lst": _text(gone)}
        self._shell.put_tree(f"{self.work}/stage", _staged(iter(()), lists))

    def stage(self, context: Context) -> None:
        """What was brought lies below the tree, whole, and is the instance's user's."""
        words = self.account(context).words
        command = ["sh", "-c", STAGE, "sh", f"{self.work}/stage", self.base, *words]
        self._demand(self._calls.timed(context, "stage", command=command, cwd="/", env={}), "stage")
        patiently(context, self._shell, lambda: self._shell.remove_tree(f"{self.work}/stage"))

    def stage_kept(self, context: Context, *, kept_of: str) -> None:
        """What `kept_of` has replaced or removed is staged again."""
        self._do(context, "stage-kept", STAGE_KEPT, self.base, self.base_of(kept_of))

    def swap(self, context: Context) -> None:
        """The staged files are in place; what is no longer required is gone. What the module did not install is untouched."""
        self._do(context, "swap", SWAP, self.root, self.base)

    def swap_back(self, context: Context) -> None:
        """Every file that `swap` moved is where it was, however far that came."""
        self._do(context, "swap-back", SWAP_BACK, self.root, self.base)

    def patch_environment(self, context: Context) -> None:
        """The environment has what the staged patch says."""
        self._do(context, "environment", PATCH_ENVIRONMENT, self.root, self.base)

    def put_back_environment(self, context: Context, *, kept_of: str) -> None:
        """The environment is as `kept_of` found it, byte for byte."""
        self._do(
            context, "environment-back", PUT_BACK_ENVIRONMENT, self.root, self.base_of(kept_of)
        )

    def put_back_units(self, context: Context, *, kept_of: str) -> None:
        """The instance's units are as `kept_of` found them; where that was another upgrade, with what people added since."""
        which = "all" if kept_of == self._plan.upgrade else "own"
        base, named = self.base_of(kept_of), self._named()
        self._do(context, "units-back", PUT_BACK_UNITS, self.root, base, named, which)

    def put_back_state(self, context: Context, *, kept_of: str) -> None:
        """The state directory is as `kept_of` found it, if that one kept it."""
        self._do(context, "state-back", PUT_BACK_STATE, self.root, self.base_of(kept_of))

    def kept(self, context: Context) -> list[str]:
        """The upgrades of which something is kept below the tree, by their ids."""
        words = self.account(context).words
        command = [*words, "sh", "-c", 'ls -1 -- "$1" 2>/dev/null', "sh", f"{self.root}/{PLACE}"]
        said = patiently(
            context, self._shell, lambda: self._shell.run(command, limit_seconds=READ_SECONDS)
        )
        return [
            name for name in said.output.decode(errors="replace").split("\n") if ID.fullmatch(name)
        ]

    def forget(self, context: Context, upgrades: Sequence[str]) -> None:
        """Nothing is kept of these; nor does an empty place for such things stay."""
        self._do(context, "forget", FORGET, f"{self.root}/{PLACE}", *upgrades)

    def forget_stage(self, context: Context) -> None:
        """What was staged is not there twice."""
        self._do(context, "unstage", 'rm -rf -- "$1"', f"{self.base}/stage")

    def _named(self) -> str:
        return self._plan.instance if self._plan.rootfull else ""

    def _do(self, context: Context, word: str, script: str, *arguments: str) -> str:
        account = self.account(context)
        command = [*account.words, "sh", "-c", script, "sh", *arguments]
        return self._demand(
            self._calls.timed(context, word, command=command, cwd="/", env={}), word
        )

    def _demand(self, ended: tuple[int, str], word: str) -> str:
        says = f"The instance's files could not be changed ({word})"
        return demand_good_end(ended, word=word, says=says)


def _staged(files: Iterator[TreeFile], lists: Mapping[str, bytes]) -> Iterator[TreeFile]:
    yield TreeFile("new", 0o755)
    for file in files:
        yield replace(file, path=f"new/{file.path}")
    for name, content in lists.items():
        yield TreeFile(name, 0o644, chunks=[content], size=len(content))
    for path in sorted(AGENT.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            content, name = path.read_bytes(), path.relative_to(AGENT).as_posix()
            mode = 0o755 if name.startswith("bin/") else 0o644
            yield TreeFile(f"{LIBRARY}/{name}", mode, chunks=[content], size=len(content))


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
