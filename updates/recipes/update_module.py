"""Calling one Update Module on one device, as Mender's Update Modules v3 protocol has it.

Working states run detached. Queries are asked on the line; they change nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from devices.drivers.shell import Result, Shell
from devices.errors import DeviceCut
from updates.errors import StepFailed
from updates.recipes.detached import TAIL_BYTES, DetachedCalls
from updates.recipes.patience import patiently
from updates.runner import Context

ANSWER_BYTES: Final = 65536
COMPLAINT_BYTES: Final = ANSWER_BYTES // 2
"""As much of what a query says on standard error is kept."""

# What it says on standard error, at most the end of it, comes behind the answer, after a line that no module can know: both are
# to be heard whole. $1 is that line, $2 a file beside the tree (the tree is the protocol's), $3 the most bytes.
_ASK: Final = r"""
mark=$1 errors=$2 most=$3
shift 3
"$@" 2>"$errors"
status=$?
printf '%s\n' "$mark"
tail -c "$most" "$errors"
rm -f "$errors"
exit "$status"
"""


@dataclass(frozen=True, slots=True)
class CallTimes:
    """How long a query may take, a call that was told to end (TERM) has until it is killed, a rebooted device is waited for."""

    query_seconds: float
    kill_after_seconds: float
    reboot_seconds: float


class UpdateModuleCalls:
    """One Update Module (`path` on the device) with one file tree (`tree`), for one upgrade."""

    def __init__(
        self,
        shell: Shell,
        *,
        path: str,
        tree: str,
        root: str,
        work_root: str,
        times: CallTimes,
    ) -> None:
        self._shell = shell
        self._path = path
        self._tree = tree
        self._root = root
        self._detached = DetachedCalls(
            shell, work_root=work_root, kill_after_seconds=times.kill_after_seconds
        )
        self._times = times
        self._name = path.rsplit("/", 1)[-1]

    def call(self, context: Context, word: str, *, through: Sequence[str] = ()) -> None:
        """The module has done `word` ("ArtifactInstall"), once in this visit of the state. StepFailed if it said no.

        `through` is a command that takes the module's call as its last words, and passes its status on.
        """
        command = [*through, self._path, word, self._tree]
        status, said = self._detached.timed(
            context, word, command=command, cwd=self._tree, env=self._env()
        )
        if status != 0:
            raise StepFailed(
                f"The Update Module {self._name} failed in {word}: it ended with status {status}.",
                call=word,
                output=said,
            )

    def run(
        self,
        context: Context,
        word: str,
        *,
        command: Sequence[str],
        cwd: str,
        limit_seconds: float | None = None,
    ) -> tuple[int, str]:
        """See `DetachedCalls.run`, in the module's environment."""
        return self._detached.run(
            context, word, command=command, cwd=cwd, env=self._env(), limit_seconds=limit_seconds
        )

    def end_what_was_left(self, context: Context) -> None:
        """See `DetachedCalls.end_what_was_left`."""
        self._detached.end_what_was_left(context)

    def ask(self, context: Context, word: str, *, answers: Iterable[str], default: str) -> str:
        """The module's answer to a query: one line on stdout, one of `answers`; `default` when it says nothing.

        StepFailed for any other answer, and DeviceCut when the device was rebooted while it was asked.
        """
        context.tick()
        self.end_what_was_left(context)
        boot_id = patiently(context, self._shell, self._shell.boot_id)
        status, said, errors = self._answer(context, word, boot_id=boot_id)
        if errors:
            context.journal.output(context.key(word), errors)
        if status != 0:
            if patiently(context, self._shell, self._shell.boot_id) != boot_id:
                raise DeviceCut(f"The device was rebooted while {word} was asked.")
            raise StepFailed(
                f"The Update Module {self._name} failed in {word}: it ended with status {status}.",
                call=word,
                output=(said + errors.decode(errors="replace"))[-TAIL_BYTES:],
            )
        answer = said.removesuffix("\n") or default
        if answer not in answers:
            raise StepFailed(
                f"The Update Module {self._name} answered {word} with something that is not "
                f"{' or '.join(answers)}.",
                call=word,
                output=said[-TAIL_BYTES:],
            )
        return answer

    def _answer(self, context: Context, word: str, *, boot_id: str) -> tuple[int, str, bytes]:
        """How a query ended: its status, what it said, and what it said on standard error."""
        mark = secrets.token_hex(16)
        errors = f"{self._tree}.query-stderr"
        words = [mark, errors, str(COMPLAINT_BYTES), self._path, word, self._tree]
        command = ["sh", "-c", _ASK, "sh", *words]
        tries = count()

        def asked() -> Result:
            if next(tries) and self._shell.boot_id() != boot_id:
                raise DeviceCut("The device was rebooted while its Update Module was asked.")
            return self._shell.run(
                command,
                limit_seconds=min(
                    self._times.query_seconds, max(1.0, context.journal.seconds_left())
                ),
                env=self._env(),
                cwd=self._tree,
                on_tick=context.tick,
                keep_bytes=ANSWER_BYTES,
            )

        result = patiently(context, self._shell, asked)
        said, _, complaints = result.output.partition(f"{mark}\n".encode())
        return result.status, said.decode(errors="replace"), complaints

    def _env(self) -> dict[str, str]:
        return {"FLEETWRIGHT_ROOT": self._root.rstrip("/")}
