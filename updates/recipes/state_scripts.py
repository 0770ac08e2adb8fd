"""State scripts: what an artifact or a device wants to have run before, after, and instead of a state that went well.

Mender's rules, as its client 5.1 has them. Those of Download lie on the device, in /etc/mender/scripts; all others come with the
artifact. (Idle and Sync belong to a client that polls; nothing polls here.) They run in the order of their names. Status 0 is
good; 21 means "ask me again later"; anything else fails the state, but for the scripts on the way back, whose failure lets the
way go on and the upgrade end `broken`, and for those of Error, whose failure is only noted.

A wait for the next try does not hold a worker: the upgrade is handed over, and taken up again when the time has come.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from devices.drivers.shell import Shell
from devices.errors import CommandTimedOut, DeviceCut, StaleHolder
from updates.errors import LeaseLost, StepFailed
from updates.plan import ArtifactPlan
from updates.recipes.update_module import UpdateModuleCalls
from updates.runner import Context, HandOver

TRY_AGAIN: Final = 21
DEVICE_SCRIPTS: Final = "etc/mender/scripts"
WAY_BACK: Final = ("ArtifactRollback", "ArtifactRollbackReboot", "ArtifactFailure")
SHORT_SECONDS: Final = 30.0
LONGEST_CALL: Final = 100
"""Of what the history takes as the name of a call."""

RESUME_AT: Final = "resume_at"
"""The fact that says when (seconds since the epoch) an upgrade that waits for a script is to be taken up again."""

_NAME: Final = re.compile(r"([A-Za-z]+)_(Enter|Leave|Error)_[0-9][0-9](_\S+)?", re.ASCII)
_NO_KEY: Final = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)

# A missing version file is as good as a fitting one, as it is for the client.
_LIST: Final = r"""
cd "$1" 2>/dev/null || exit 0
for script in Download_*; do
  if [ -f "$script" ] && [ -x "$script" ]; then printf '%s\n' "$script"; fi
done
[ ! -e version ] || IFS= read -r version <version
case ${version-3} in 2 | 3) ;; *) printf 'version %s\n' "$version" ;; esac
"""


@dataclass(frozen=True, slots=True)
class ScriptTimes:
    """How long one run may take, how long to wait before the next try, and for how long to go on trying."""

    run_seconds: float
    retry_seconds: float
    retry_limit_seconds: float


@dataclass(slots=True)
class _Progress:
    """How far the scripts of one visit of a state are. Times are seconds since the epoch; 0 for none."""

    visit: int
    done: list[str]
    attempt: int = 1
    since: float = 0
    again_at: float = 0

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class StateScripts:
    """The state scripts of one upgrade; those of the artifact lie in `folder` on the device."""

    def __init__(
        self,
        plan: ArtifactPlan,
        shell: Shell,
        *,
        calls: UpdateModuleCalls,
        folder: str,
        times: ScriptTimes,
    ) -> None:
        self._names = plan.scripts
        self._shell = shell
        self._calls = calls
        self._folder = folder
        self._device_folder = f"{plan.device.root.rstrip('/')}/{DEVICE_SCRIPTS}"
        self._work_root = plan.device.work_root
        self._times = times

    def find_on_device(self, context: Context) -> None:
        """It is known which scripts of Download the device has. StepFailed if they are of a version that nobody knows."""
        command = ["sh", "-c", _LIST, "sh", self._device_folder]
        said = self._shell.run(command, limit_seconds=SHORT_SECONDS).output.decode(errors="replace")
        lines = said.split("\n")
        names = sorted(line for line in lines if _NAME.fullmatch(line))
        for line in lines:
            if line.startswith("version ") and names:
                raise StepFailed(
                    f"The device's state scripts are of {line}; 2 and 3 can be run.",
                    call="Download_Enter",
                )
        if names:
            context.journal.remember("device_scripts", names)

    def has(self, context: Context, state: str, action: str) -> bool:
        return bool(self._of(context, state, action))

    def run(self, context: Context, state: str, action: str) -> None:
        """All scripts of `action` in `state` have run, each to a good end once in this visit. StepFailed where that matters."""
        is_forgiven = action == "Error" or state in WAY_BACK
        for name in self._of(context, state, action):
            progress = self._progress(context)
            if name in progress.done:
                continue
            try:
                self._to_its_end(context, name, progress)
            except (StepFailed, CommandTimedOut) as error:
                if not is_forgiven:
                    raise
                context.journal.note(f"It goes on nevertheless. {error}")
                if action != "Error":
                    context.journal.remember("way_back_failed", str(error))
            done = [*progress.done, name]
            self._keep(context, _Progress(visit=progress.visit, done=done))

    @contextmanager
    def guarding(self, context: Context, state: str) -> Iterator[None]:
        """If what is done inside fails, the scripts for that are due: but for a device that was cut, as with Mender's client."""
        journal = context.journal
        try:
            yield
        except (HandOver, LeaseLost, StaleHolder, DeviceCut):
            raise
        except journal.trouble:
            raise
        except Exception:
            if self.has(context, state, "Error"):
                journal.remember("error_scripts", state)
            raise

    def run_due(self, context: Context) -> None:
        """The Error scripts of the state that failed have run, if there are any."""
        state = context.journal.recall("error_scripts")
        if state:
            self.run(context, state, "Error")
            context.journal.remember("error_scripts", None)

    def _of(self, context: Context, state: str, action: str) -> list[str]:
        of_device = state == "Download"
        names: Sequence[str] = self._names
        if of_device:
            names = context.journal.recall("device_scripts") or []
        return sorted(
            name
            for name in names
            if (found := _NAME.fullmatch(name)) and found[1] == state and found[2] == action
        )

    def _to_its_end(self, context: Context, name: str, progress: _Progress) -> None:
        while True:
            self._wait(context, progress.again_at)
            status, said = self._once(context, name, attempt=progress.attempt)
            if status == 0:
                return
            if status != TRY_AGAIN:
                raise StepFailed(
                    f"The state script {name} failed: it ended with status {status}.",
                    call=name[:LONGEST_CALL],
                    output=said,
                )
            now = time.time()
            progress.since = progress.since or now
            progress.again_at = now + self._times.retry_seconds
            progress.attempt += 1
            limit = self._times.retry_limit_seconds
            if progress.again_at > progress.since + limit:
                raise StepFailed(
                    f"The state script {name} asked for another try for {limit:g} seconds.",
                    call=name[:LONGEST_CALL],
                    output=said,
                )
            self._keep(context, progress)

    def _once(self, context: Context, name: str, *, attempt: int) -> tuple[int, str]:
        folder = self._device_folder if name.startswith("Download_") else self._folder
        word = self._word(context, name, attempt=attempt)
        status, said = self._calls.run(
            context,
            word,
            command=[f"{folder}/{name}"],
            cwd=self._work_root,
            limit_seconds=self._times.run_seconds,
        )
        context.journal.note(f"{name} ended with status {status}.", call=context.key(word))
        return status, said

    def _word(self, context: Context, name: str, *, attempt: int) -> str:
        """The name of this call. With what stands before it in the visit's key it fits into the history."""
        room = LONGEST_CALL - len(context.key(""))
        plain = _NO_KEY.sub("_", name)
        word = plain + (f".{attempt}" if attempt > 1 else "")
        done = len(self._progress(context).done)  # two names may look alike by now
        if plain.partition(".")[0] != name:
            word = f"{word}.{done}"
        if len(word) <= room:
            return word
        end = f".{attempt}.{done}"
        return plain[: room - len(end)] + end

    def _wait(self, context: Context, until: float) -> None:
        left = until - time.time()
        if left > SHORT_SECONDS:
            context.tick()
            context.journal.remember(RESUME_AT, until)
            raise HandOver
        while (left := until - time.time()) > 0:
            context.tick()
            time.sleep(min(left, 0.5))

    def _progress(self, context: Context) -> _Progress:
        visit = context.journal.state_seq
        kept = context.journal.recall("scripts")
        if kept and kept["visit"] == visit:
            return _Progress(**kept)
        return _Progress(visit=visit, done=[])

    def _keep(self, context: Context, progress: _Progress) -> None:
        context.journal.remember("scripts", progress.as_json())
