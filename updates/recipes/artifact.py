"""The recipe for artifacts: a Mender Artifact, put in place by its Update Module.

Which call belongs to which state is Mender's Update Modules v3 protocol, as its client 5.1 does it. A RESTORE takes an earlier
upgrade back: its INSTALLING is that upgrade's ArtifactRollback, on the file tree that its commit left on the device.

On the device, below the work root: `<upgrade>/tree` is the module's file tree, `modules/` holds the Update Modules that we
brought. Commit removes nothing: the newest trees stay, for a rollback by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, Final, cast

from devices.drivers.shell import Shell
from devices.errors import CommandTimedOut, DeviceUnreachable
from updates.errors import NotCompatible, StepFailed
from updates.formats.mender_artifact import open_payload
from updates.machine import Event, State
from updates.plan import ArtifactPlan, Mode
from updates.recipes.artifact_fit import fit, is_installed
from updates.recipes.digest_reader import DigestReader
from updates.recipes.file_tree import lay_out
from updates.recipes.finding import Finding
from updates.recipes.update_module import UpdateModuleCalls
from updates.runner import Context, Step

SPARE_BYTES: Final = 16 * 2**20
NEEDED_COMMANDS: Final = (
    "cat",
    "find",
    "flock",
    "head",
    "kill",
    "ls",
    "mkdir",
    "mv",
    "rm",
    "setsid",
    "stat",
    "tail",
    "tar",
)
UPGRADE_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SHORT_SECONDS: Final = 30.0
FENCE_DAYS: Final = 30

OpenArtifact = Callable[[], AbstractContextManager[BinaryIO]]
ReadModule = Callable[[], Iterable[bytes]]


class ArtifactRecipe:
    """Carries out one ArtifactPlan over `shell`.

    `open_artifact` opens the stored artifact, `read_module` gives the bytes of the Update Module that the plan names.
    """

    def __init__(
        self,
        plan: ArtifactPlan,
        shell: Shell,
        *,
        open_artifact: OpenArtifact,
        read_module: ReadModule,
        kept_trees: int,
    ) -> None:
        self._plan = plan
        self._shell = shell
        self._open_artifact = open_artifact
        self._read_module = read_module
        self._kept_trees = kept_trees
        self._home = f"{plan.device.work_root}/{plan.upgrade}"
        self._tree = f"{plan.device.work_root}/{plan.tree_of or plan.upgrade}/tree"
        self._module = UpdateModuleCalls(
            shell,
            path=self._module_path(),
            tree=self._tree,
            root=plan.device.root,
            work_root=plan.device.work_root,
        )

    def step(self, state: State) -> Step | None:
        if not self._plan.payload_type and state is not State.CHECKING:
            return None  # a bootstrap artifact has no payload: it only says what is there
        steps: dict[State, Step] = {
            State.CHECKING: self._check,
            State.DOWNLOADING: self._download,
            State.INSTALLING: self._install,
            State.RESTARTING: self._restart,
            State.VERIFYING: self._verify,
            State.COMMITTING: self._commit,
            State.COMMITTED: self._committed,
            State.ROLLING_BACK: self._roll_back,
            State.ROLLBACK_RESTARTING: self._restart_rolled_back,
            State.ROLLBACK_VERIFYING: self._verify_rolled_back,
            State.FAILING: self._fail,
            State.CLEANING: self._clean,
        }
        return steps.get(state)

    def inspect(self) -> Iterator[Finding]:
        """What a check finds, without any effect on the device: first what the plan alone tells, then the device itself."""
        if self._plan.mode is Mode.INSTALL:
            yield from fit(self._plan)
        missing = self._missing_commands()
        yield Finding(
            "commands",
            ok=not missing,
            says=f"The device lacks {', '.join(missing)}." if missing else "It has what we need.",
        )
        yield self._module_finding()
        yield self._space_finding()

    def _check(self, context: Context) -> Event:
        if self._plan.mode is Mode.INSTALL and not self._plan.force and is_installed(self._plan):
            return Event.ALREADY_THERE
        for finding in self.inspect():
            context.tick()
            if not finding.ok:
                raise NotCompatible(finding.says)
        return Event.DONE

    def _download(self, context: Context) -> Event:
        if self._plan.mode is Mode.RESTORE:
            self._bring_module()
            context.journal.remember("tree", self._tree)
            return Event.NOTHING_TO_DO
        if context.journal.recall("tree_at") != context.journal.state_seq:
            # once for this visit: a worker that takes over must not pull the tree from under a running call
            self._clear_tree(context)
            lay_out(self._shell, self._tree, self._plan)
            self._bring_module()
            context.journal.remember("tree_at", context.journal.state_seq)
        context.journal.remember("tree", self._tree)
        self._module.call(context, "Download")
        with self._open_artifact() as stored:
            stream = DigestReader(stored)
            sent = 0
            for file in open_payload(cast(BinaryIO, stream)).files():
                self._shell.put_file(
                    f"{self._tree}/files/{file.name}", self._counted(context, file.chunks(), sent)
                )
                sent += file.size
            stream.require(self._plan.sha256)
        return Event.DONE

    def _clear_tree(self, context: Context) -> None:
        """As a step, which the device refuses to a worker that was taken over: another's tree is never pulled away."""
        status, said = self._module.run(
            context,
            "clear",
            command=["rm", "-rf", "--", self._tree],
            cwd=self._plan.device.work_root,
        )
        if status != 0:
            raise StepFailed("The device cannot clear its work folder.", call="clear", output=said)

    def _counted(self, context: Context, chunks: Iterable[bytes], sent: int) -> Iterator[bytes]:
        total = max(1, self._plan.unpacked_size)
        for chunk in chunks:
            context.tick()
            sent += len(chunk)
            context.journal.progress(sent / total)
            yield chunk

    def _install(self, context: Context) -> Event:
        if self._plan.mode is Mode.RESTORE:
            self._module.call(context, "ArtifactRollback")
        else:
            self._module.call(context, "ArtifactInstall")
        self._needs_reboot(context)
        return Event.DONE

    def _restart(self, context: Context) -> Event:
        rollback = self._plan.mode is Mode.RESTORE
        return self._reboot(context, "ArtifactRollbackReboot" if rollback else "ArtifactReboot")

    def _verify(self, context: Context) -> Event:
        if self._needs_reboot(context) == "No":
            return Event.NOTHING_TO_DO
        rollback = self._plan.mode is Mode.RESTORE
        self._module.call(
            context, "ArtifactVerifyRollbackReboot" if rollback else "ArtifactVerifyReboot"
        )
        return Event.DONE

    def _commit(self, context: Context) -> Event:
        if self._plan.mode is Mode.RESTORE:
            return Event.NOTHING_TO_DO
        self._module.call(context, "ArtifactCommit")
        return Event.DONE

    def _committed(self, context: Context) -> Event:
        """Asked now, while the module is at hand: whether a person can take this back later. The change itself is made."""
        if self._plan.mode is Mode.INSTALL:
            try:
                self._supports_rollback(context)
            except (StepFailed, CommandTimedOut, DeviceUnreachable) as error:
                context.journal.note(f"Whether it can be rolled back later is not known. {error}")
        return Event.DONE

    def _roll_back(self, context: Context) -> Event:
        if self._plan.mode is Mode.RESTORE or not self._supports_rollback(context):
            return Event.NOTHING_TO_DO
        self._module.call(context, "ArtifactRollback")
        return Event.DONE

    def _restart_rolled_back(self, context: Context) -> Event:
        return self._reboot(context, "ArtifactRollbackReboot")

    def _verify_rolled_back(self, context: Context) -> Event:
        if self._needs_reboot(context) == "No":
            return Event.NOTHING_TO_DO
        self._module.call(context, "ArtifactVerifyRollbackReboot")
        return Event.DONE

    def _fail(self, context: Context) -> Event:
        self._module.call(context, "ArtifactFailure")
        return Event.DONE

    def _clean(self, context: Context) -> Event:
        if context.journal.recall("tree") is None:
            return Event.NOTHING_TO_DO  # nothing was begun on the device
        journal = context.journal
        if not journal.recall("cleaned"):
            try:
                self._module.call(context, "Cleanup")
            except (StepFailed, CommandTimedOut):
                # It has ended. After any other error it may still run, or is to run again.
                self._remove_what_nobody_needs(context)
                raise
            journal.remember("cleaned", True)  # noqa: FBT003 - a JSON value
        self._remove_what_nobody_needs(context)
        return Event.DONE

    def _remove_what_nobody_needs(self, context: Context) -> None:
        keeps_tree = context.journal.is_success and self._plan.mode is Mode.INSTALL
        self._shell.remove_tree(f"{self._home}/steps" if keeps_tree else self._home)
        if self._plan.tree_of and context.journal.is_success:
            self._shell.remove_tree(f"{self._plan.device.work_root}/{self._plan.tree_of}")
        work_root = self._plan.device.work_root
        for old in self._kept()[self._kept_trees :]:
            self._shell.remove_tree(f"{work_root}/{old}")
        # by then no holder of theirs can be asleep any more
        old_fences = ["-maxdepth", "1", "-name", "fence-*", "-mtime", f"+{FENCE_DAYS}"]
        self._shell.run(
            ["find", work_root, *old_fences, "-exec", "rm", "-f", "{}", ";"],
            limit_seconds=SHORT_SECONDS,
        )

    def _kept(self) -> list[str]:
        """Upgrades that still have a tree on the device, newest first."""
        result = self._shell.run(
            ["ls", "-1t", self._plan.device.work_root], limit_seconds=SHORT_SECONDS
        )
        names = result.output.decode(errors="replace").split("\n")
        return [name for name in names if UPGRADE_ID.fullmatch(name)]

    def _supports_rollback(self, context: Context) -> bool:
        known = context.journal.recall("supports_rollback")
        if known is None:
            known = (
                self._module.ask(context, "SupportsRollback", answers=("Yes", "No"), default="No")
                == "Yes"
            )
            context.journal.remember("supports_rollback", known)
        return bool(known)

    def _needs_reboot(self, context: Context) -> str:
        known = context.journal.recall("needs_reboot")
        if known is None:
            known = self._module.ask(
                context,
                "NeedsArtifactReboot",
                answers=("Yes", "No", "Automatic"),
                default="No",
            )
            context.journal.remember("needs_reboot", known)
        return str(known)

    def _reboot(self, context: Context, word: str) -> Event:
        """`Yes`: the module reboots, or does what takes its place. `Automatic`: we reboot the device, once for this visit."""
        journal = context.journal
        needed = self._needs_reboot(context)
        if needed == "No":
            return Event.NOTHING_TO_DO
        if needed == "Yes":
            self._module.call(context, word)
            return Event.DONE
        fact = f"boot_before_{journal.state_seq}"
        before = journal.recall(fact)
        if before is None:
            before = self._shell.boot_id()
            journal.remember(fact, before)
        if before == self._shell.boot_id():
            journal.note(
                "Now the device is rebooted."
            )  # LeaseLost, for a holder that slept until here
            self._shell.reboot(limit_seconds=journal.seconds_left(), on_tick=context.tick)
        return Event.DONE

    def _bring_module(self) -> None:
        if self._plan.update_module is not None:
            self._shell.put_file(self._module_path(), self._read_module(), mode=0o755)

    def _module_path(self) -> str:
        module, device = self._plan.update_module, self._plan.device
        if module is None:
            return f"{device.modules_dir}/{self._plan.payload_type}"
        return f"{device.work_root}/modules/{module.sha256[:16]}/{self._plan.payload_type}"

    def _missing_commands(self) -> list[str]:
        script = 'for word; do command -v "$word" >/dev/null || echo "$word"; done'
        command = ["sh", "-c", script, "sh", *NEEDED_COMMANDS]
        result = self._shell.run(command, limit_seconds=SHORT_SECONDS)
        return result.output.decode(errors="replace").split()

    def _module_finding(self) -> Finding:
        what, name = "Update Module", self._plan.payload_type
        if not name:
            return Finding(what, ok=True, says="It has no payload, so no Update Module is needed.")
        if self._plan.update_module is not None:
            version = self._plan.update_module.version
            return Finding(what, ok=True, says=f"The portal brings {name} v{version} along.")
        path = self._module_path()
        found = self._shell.run(["test", "-x", path], limit_seconds=SHORT_SECONDS).status == 0
        if found:
            return Finding(what, ok=True, says=f"The device has {name}.")
        return Finding(
            what,
            ok=False,
            says=f"Neither the portal nor the device ({path}) has an Update Module for {name}.",
        )

    def _space_finding(self) -> Finding:
        if self._plan.mode is Mode.RESTORE:
            kept = self._shell.run(["test", "-d", self._tree], limit_seconds=SHORT_SECONDS)
            says = "What the upgrade kept is {} on the device."
            if kept.status == 0:
                return Finding("kept files", ok=True, says=says.format("still"))
            return Finding("kept files", ok=False, says=says.format("no longer"))
        free = self._shell.free_bytes(self._plan.device.work_root)
        needed = self._plan.unpacked_size + SPARE_BYTES
        return Finding(
            "space",
            ok=free >= needed,
            says=f"It needs {needed // 2**20} MiB; the device has {free // 2**20} MiB free.",
        )
