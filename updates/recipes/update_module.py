"""Calling one Update Module on one device, as Mender's Update Modules v3 protocol has it.

Working states run detached: they survive our worker and our connection, and the next worker attaches to them. Queries are
asked on the line; they change nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from devices.drivers.shell import Result, Shell
from devices.drivers.steps import Holder, StepSpec, kill_step, run_step
from devices.errors import DeviceError, DeviceUnreachable, StaleHolder
from updates.errors import LeaseLost, StepFailed
from updates.runner import Context, HandOver

TAIL_BYTES = 2048
QUERY_LIMIT_SECONDS = 60.0
RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)


class UpdateModuleCalls:
    """One Update Module (`path` on the device) with one file tree (`tree`), for one upgrade."""

    def __init__(self, shell: Shell, *, path: str, tree: str, root: str, work_root: str) -> None:
        self._shell = shell
        self._path = path
        self._tree = tree
        self._root = root
        self._work_root = work_root
        self._name = path.rsplit("/", 1)[-1]

    def call(self, context: Context, word: str) -> None:
        """The module has done `word` ("ArtifactInstall"), once in this visit of the state. StepFailed if it said no."""
        journal = context.journal
        began = time.monotonic()
        status, said = self.run(
            context, word, command=[self._path, word, self._tree], cwd=self._tree
        )
        seconds = time.monotonic() - began
        journal.note(
            f"{word} ended with status {status} after {seconds:.1f} s.",
            call=context.key(word),
            data={"status": status, "seconds": round(seconds, 3)},
        )
        if status != 0:
            raise StepFailed(
                f"The Update Module {self._name} failed in {word}: it ended with status {status}.",
                call=word,
                output=said,
            )

    def run(
        self, context: Context, word: str, *, command: Sequence[str], cwd: str
    ) -> tuple[int, str]:
        """`command` has run detached, once in this visit of the state: its status and the last of its output.

        The device refuses it (StaleHolder) when another worker has taken the upgrade over.
        """
        journal = context.journal
        spec = StepSpec(key=context.key(word), command=command, cwd=cwd, env=self._env())
        holder = Holder(fence=journal.fence, work_root=self._work_root, upgrade=journal.upgrade)
        tail = bytearray()

        def heard(data: bytes) -> None:
            tail.extend(data)
            del tail[:-TAIL_BYTES]
            journal.output(spec.key, data)

        try:
            end = run_step(
                self._shell,
                spec,
                holder=holder,
                limit_seconds=journal.seconds_left(),
                on_output=heard,
                on_tick=context.tick,
                output_from=journal.output_stored(spec.key),
            )
        except (HandOver, LeaseLost, StaleHolder, DeviceError):
            raise
        except journal.trouble:
            raise  # nothing that the step did: it goes on at the device, for whoever resumes
        except BaseException:
            kill_step(self._shell, spec, holder=holder)
            raise
        return end.status, tail.decode(errors="replace")

    def ask(self, context: Context, word: str, *, answers: Iterable[str], default: str) -> str:
        """The module's answer to a query: one line on stdout, one of `answers`; `default` when it says nothing."""
        context.tick()
        errors = f"{self._tree}.query-stderr"  # beside the tree: the tree is the protocol's
        result = self._patiently(
            context,
            ["sh", "-c", 'exec 2>"$0"; exec "$@"', errors, self._path, word, self._tree],
        )
        said = result.output.decode(errors="replace")
        if result.status != 0:
            raise StepFailed(
                f"The Update Module {self._name} failed in {word}: it ended with status {result.status}.",
                call=word,
                output=said,
            )
        answer = said.removesuffix("\n") or default
        if answer not in answers:
            raise StepFailed(
                f"The Update Module {self._name} answered {word} with something that is not "
                f"{' or '.join(answers)}.",
                call=word,
                output=said,
            )
        return answer

    def _patiently(self, context: Context, command: Sequence[str]) -> Result:
        """How `command`, which changes nothing, ended. Asked again as long as the state's limit allows if the device is away."""
        pauses = iter(RETRY_SECONDS)
        pause = 0.0
        while True:
            left = context.journal.seconds_left()
            try:
                return self._shell.run(
                    command,
                    limit_seconds=min(QUERY_LIMIT_SECONDS, max(1.0, left)),
                    env=self._env(),
                    cwd=self._tree,
                    on_tick=context.tick,
                    keep_bytes=TAIL_BYTES,
                )
            except DeviceUnreachable as error:
                pause = next(pauses, pause)
                if not error.retryable or left < pause:
                    raise
                self._shell.close()
            _pause(context, pause)

    def _env(self) -> dict[str, str]:
        return {"FLEETWRIGHT_ROOT": self._root.rstrip("/")}


def _pause(context: Context, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        context.tick()
        time.sleep(min(left, 0.5))
