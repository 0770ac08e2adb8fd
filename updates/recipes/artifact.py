"""The recipe for artifacts: a Mender Artifact, put in place by its Update Module.

Which call belongs to which state is Mender's Update Modules v3 protocol, as its client 5.1 does it. A RESTORE takes an earlier
upgrade back: its INSTALLING is that upgrade's ArtifactRollback, on the file tree that its commit left on the device.

On the device, below the work root: `<upgrade>/tree` is the module's file tree (what lies beside it, says file_tree), `modules/`
holds the Update Modules that we brought. Commit removes nothing: the newest trees stay, for a rollback by hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import BinaryIO, cast

from devices.drivers.shell import Shell, TreeFile
from devices.errors import CommandFailed, CommandTimedOut, DeviceUnreachable, OutOfSpace
from updates.errors import NotCompatible, StepFailed
from updates.formats.mender_artifact import open_payload
from updates.machine import Event, State
from updates.plan import ArtifactPlan, Mode
from updates.recipes.artifact_fit import fit, is_installed
from updates.recipes.ballast import Ballast
from updates.recipes.device_fit import ROOM, look_at
from updates.recipes.digest_reader import DigestReader
from updates.recipes.download_script import DOWNLOAD
from updates.recipes.file_tree import entries
from updates.recipes.finding import Finding
from updates.recipes.hold import hold
from updates.recipes.leftovers import Leftovers
from updates.recipes.patience import patiently
from updates.recipes.state_scripts import ScriptTimes, StateScripts
from updates.recipes.update_module import CallTimes, UpdateModuleCalls
from updates.runner import Context, Step

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
        call_times: CallTimes,
        script_times: ScriptTimes,
    ) -> None:
        self._plan = plan
        self._shell = shell
        self._open_artifact = open_artifact
        self._read_module = read_module
        self._reboot_seconds = call_times.reboot_seconds
        self._home = f"{plan.device.work_root}/{plan.upgrade}"
        self._ballast = Ballast(shell, self._home, room=ROOM)
        self._leftovers = Leftovers(plan, shell, kept_trees=kept_trees)
        home_of_tree = f"{plan.device.work_root}/{plan.tree_of or plan.upgrade}"
        self._tree = f"{home_of_tree}/tree"
        self._module = UpdateModuleCalls(
            shell,
            path=self._module_path(),
            tree=self._tree,
            root=plan.device.root,
            work_root=plan.device.work_root,
            times=call_times,
        )
        self._scripts = StateScripts(
            plan,
            shell,
            calls=self._module,
            folder=f"{home_of_tree}/scripts",
            times=script_times,
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
        step = steps.get(state)
        return partial(self._with_room, step) if step and state in ROOM else step

    def _with_room(self, step: Step, context: Context) -> Event:
        """`step`, which has the room that was put aside for its state: nothing that runs there still takes it."""
        if context.journal.recall("tree") is not None:
            # If that cannot be done, it is for the step to say what follows.
            with suppress(DeviceUnreachable, CommandTimedOut, CommandFailed, OutOfSpace):
                self._module.end_what_was_left(context)
                self._ballast.drop(context, context.state)
        return step(context)

    def inspect(self) -> Iterator[Finding]:
        """What a check finds, without any effect on the device: first what the plan alone tells, then the device itself."""
        if self._plan.mode is Mode.INSTALL:
            yield from fit(self._plan)
        yield from look_at(
            self._shell, self._plan, module_path=self._module_path(), tree=self._tree
        )

    def _check(self, context: Context) -> Event:
        if self._plan.mode is Mode.INSTALL and not self._plan.force and is_installed(self._plan):
            return Event.ALREADY_THERE
        for finding in self.inspect():
            context.tick()
            if not finding.ok:
                raise NotCompatible(finding.says)
        return Event.DONE

    def _download(self, context: Context) -> Event:
        journal = context.journal
        if self._plan.mode is Mode.RESTORE:
            self._bring_module()
            journal.remember("tree", self._tree)
            return Event.NOTHING_TO_DO
        if journal.recall("device_scripts") is None:
            self._scripts.find_on_device(context)
        with self._scripts.guarding(context, "Download"):
            self._scripts.run(context, "Download", "Enter")
            if journal.recall("tree") is None:
                # once: a worker that takes over must not put a tree under a running call
                journal.remember("bringing", True)  # noqa: FBT003 - a JSON value
                self._bring(context)
                self._bring_module()
                self._ballast.lay(context)
                journal.remember("tree", self._tree)
            wants_sizes = self._wants_sizes(context)
            self._module.call(
                context,
                "DownloadWithFileSizes" if wants_sizes == "Yes" else "Download",
                through=["sh", "-c", DOWNLOAD, "sh", self._home, wants_sizes],
            )
            self._scripts.run(context, "Download", "Leave")
        return Event.DONE

    def _bring(self, context: Context) -> None:
        """All of the artifact lies on the device, and is the one that was uploaded; or nothing of it does."""
        sent = 0

        def count(size: int) -> None:
            nonlocal sent
            context.tick()
            if context.journal.seconds_left() <= 0:
                raise StepFailed(
                    f"The transfer was not over at its time limit, after {sent} bytes."
                )
            sent += size
            context.journal.progress(sent / max(1, self._plan.unpacked_size))

        def whole() -> Iterator[TreeFile]:
            with self._open_artifact() as stored:
                stream = DigestReader(stored)
                opened = open_payload(cast(BinaryIO, stream))
                yield from entries(self._plan, opened, on_chunk=count)
                stream.require(self._plan.sha256)

        context.tick()
        self._shell.put_tree(self._home, whole())

    def _install(self, context: Context) -> Event:
        if self._plan.mode is Mode.RESTORE:
            self._take_back(context)
        else:
            with self._scripts.guarding(context, "ArtifactInstall"):
                self._scripts.run(context, "ArtifactInstall", "Enter")
                self._module.call(context, "ArtifactInstall")
                self._scripts.run(context, "ArtifactInstall", "Leave")
            self._ask_reboot(context)
        return Event.DONE

    def _take_back(self, context: Context) -> None:
        """ArtifactRollback is done, and it is known what reboot that asks for. Its Leave scripts run even if it failed."""
        self._scripts.run(context, "ArtifactRollback", "Enter")
        try:
            self._module.call(context, "ArtifactRollback")
        except StepFailed:
            self._scripts.run(context, "ArtifactRollback", "Leave")
            raise
        self._scripts.run(context, "ArtifactRollback", "Leave")
        self._ask_reboot(context)

    def _restart(self, context: Context) -> Event:
        if self._plan.mode is Mode.RESTORE:
            return self._restart_rolled_back(context)
        if self._needs_reboot(context) == "No":
            return Event.NOTHING_TO_DO
        with self._scripts.guarding(context, "ArtifactReboot"):
            self._scripts.run(context, "ArtifactReboot", "Enter")
            self._reboot(context, "ArtifactReboot")
        return Event.DONE

    def _verify(self, context: Context) -> Event:
        if self._plan.mode is Mode.RESTORE:
            return self._verify_rolled_back(context)
        event = Event.NOTHING_TO_DO
        if self._needs_reboot(context) != "No":
            with self._scripts.guarding(context, "ArtifactReboot"):
                self._module.call(context, "ArtifactVerifyReboot")
                self._scripts.run(context, "ArtifactReboot", "Leave")
            event = Event.DONE
        if self._plan.holds:
            hold(context)
        return event

    def _commit(self, context: Context) -> Event:
        if self._plan.mode is Mode.RESTORE:
            return Event.NOTHING_TO_DO
        with self._scripts.guarding(context, "ArtifactCommit"):
            self._scripts.run(context, "ArtifactCommit", "Enter")
            self._module.call(context, "ArtifactCommit")
        return Event.DONE

    def _committed(self, context: Context) -> Event:
        """Asked now, while the module is at hand: whether a person can take this back later. The change itself is made."""
        if self._plan.mode is Mode.RESTORE:
            return Event.DONE
        if self._scripts.has(context, "ArtifactCommit", "Leave"):
            context.journal.remember("is_committed", "yes")
            with self._scripts.guarding(context, "ArtifactCommit"):
                self._scripts.run(context, "ArtifactCommit", "Leave")
        try:
            self._supports_rollback(context)
        except (StepFailed, CommandTimedOut, DeviceUnreachable) as error:
            context.journal.note(f"Whether it can be rolled back later is not known. {error}")
        return Event.DONE

    def _roll_back(self, context: Context) -> Event:
        self._scripts.run_due(context)
        if self._plan.mode is Mode.RESTORE or not self._supports_rollback(context):
            return Event.NOTHING_TO_DO
        self._take_back(context)
        return Event.DONE

    def _restart_rolled_back(self, context: Context) -> Event:
        if self._needs_reboot(context) == "No":
            return Event.NOTHING_TO_DO
        journal = context.journal
        if journal.recall("reboots_back") in (None, journal.state_seq):
            # not again when the reboot has to be done over
            if self._scripts.has(context, "ArtifactRollbackReboot", "Enter"):
                journal.remember("reboots_back", journal.state_seq)
            self._scripts.run(context, "ArtifactRollbackReboot", "Enter")
        self._reboot(context, "ArtifactRollbackReboot")
        return Event.DONE

    def _verify_rolled_back(self, context: Context) -> Event:
        if self._needs_reboot(context) == "No":
            return Event.NOTHING_TO_DO
        self._module.call(context, "ArtifactVerifyRollbackReboot")
        self._scripts.run(context, "ArtifactRollbackReboot", "Leave")
        return Event.DONE

    def _fail(self, context: Context) -> Event:
        self._scripts.run_due(context)
        if context.journal.recall("is_committed"):
            return Event.NOTHING_TO_DO  # the module has done its work; it was a script that failed
        self._scripts.run(context, "ArtifactFailure", "Enter")
        try:
            self._module.call(context, "ArtifactFailure")
        except StepFailed:
            self._scripts.run(context, "ArtifactFailure", "Leave")
            raise
        self._scripts.run(context, "ArtifactFailure", "Leave")
        if said := context.journal.recall("way_back_failed"):
            raise StepFailed(f"It went back, but not all went well on the way. {said}")
        return Event.DONE

    def _clean(self, context: Context) -> Event:
        journal = context.journal
        try:
            self._scripts.run_due(context)
            if journal.recall("tree") is not None and not journal.recall("cleaned"):
                self._module.call(context, "Cleanup")
                journal.remember("cleaned", True)  # noqa: FBT003 - a JSON value
        except (StepFailed, CommandTimedOut, CommandFailed, OutOfSpace):
            # It has ended, or is ended here. After any other error it may still run, or is to run again.
            self._module.end_what_was_left(context)
            self._remove(context)
            raise
        return self._remove(context)

    def _remove(self, context: Context) -> Event:
        """Nothing is on the device that nobody needs."""
        journal = context.journal
        if journal.recall("tree") is not None:
            self._leftovers.remove(is_success=journal.is_success)
            return Event.DONE
        # the module was not called; at most the device's own scripts were
        if journal.recall("device_scripts") or journal.recall("bringing"):
            self._remove_what_came(context)
        return Event.NOTHING_TO_DO

    def _remove_what_came(self, context: Context) -> None:
        self._module.end_what_was_left(context)
        try:
            self._shell.remove_tree(self._home)
        except DeviceUnreachable as error:
            # a later upgrade's Cleanup removes it, as it removes other old trees
            context.journal.note(
                f"Whether anything of it stays on the device is not known. {error}"
            )

    def _supports_rollback(self, context: Context) -> bool:
        known = context.journal.recall("supports_rollback")
        if known is None:
            known = (
                self._module.ask(context, "SupportsRollback", answers=("Yes", "No"), default="No")
                == "Yes"
            )
            context.journal.remember("supports_rollback", known)
        return bool(known)

    def _wants_sizes(self, context: Context) -> str:
        known = context.journal.recall("wants_sizes")
        if known is None:
            word = "ProvidePayloadFileSizes"
            known = self._module.ask(context, word, answers=("Yes", "No"), default="No")
            context.journal.remember("wants_sizes", known)
        return str(known)

    def _needs_reboot(self, context: Context) -> str:
        return str(context.journal.recall("needs_reboot") or self._ask_reboot(context))

    def _ask_reboot(self, context: Context) -> str:
        """Asked again on the way back: what was put back may need another kind of reboot than what had been put in place."""
        answers = ("Yes", "No", "Automatic")
        known = self._module.ask(context, "NeedsArtifactReboot", answers=answers, default="No")
        context.journal.remember("needs_reboot", known)
        return known

    def _reboot(self, context: Context, word: str) -> None:
        """`Yes`: the module reboots, or does what takes its place. `Automatic`: we reboot the device, once for this visit."""
        journal = context.journal
        if self._needs_reboot(context) == "Yes":
            self._module.call(context, word)
            return
        fact = f"boot_before_{journal.state_seq}"
        before = journal.recall(fact)
        if before is None:
            before = patiently(context, self._shell, self._shell.boot_id)
            journal.remember(fact, before)
        if before == patiently(context, self._shell, self._shell.boot_id):
            # LeaseLost, for a holder that slept until here
            journal.note("Now the device is rebooted.")
            limit = min(self._reboot_seconds, journal.seconds_left())
            self._shell.reboot(limit_seconds=limit, on_tick=context.tick)

    def _bring_module(self) -> None:
        """The device has the very Update Module that the plan names. StepFailed, and nothing sent, for any other."""
        module = self._plan.update_module
        if module is None:
            return
        content = b"".join(self._read_module())
        if hashlib.sha256(content).hexdigest() != module.sha256:
            raise StepFailed(
                "The stored Update Module is not the one that was uploaded: its digest differs."
            )
        self._shell.put_file(self._module_path(), [content], mode=0o755)

    def _module_path(self) -> str:
        module, device = self._plan.update_module, self._plan.device
        if module is None:
            return f"{device.modules_dir}/{self._plan.payload_type}"
        return f"{device.work_root}/modules/{module.sha256[:16]}/{self._plan.payload_type}"
