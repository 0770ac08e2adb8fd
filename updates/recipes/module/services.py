"""The services of one instance: which of them run, and how they are started, stopped and found to be well."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from devices.drivers.shell import Shell
from updates.errors import StepFailed
from updates.plan import ModulePlan
from updates.recipes.detached import DetachedCalls
from updates.recipes.module.account import SHORT_SECONDS, Account, active_units
from updates.recipes.module.tree import Tree
from updates.recipes.patience import patiently
from updates.runner import Context

MANAGER_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.5


class Services:
    """The units of one plan's instance, through the service manager that runs them."""

    def __init__(self, plan: ModulePlan, shell: Shell, calls: DetachedCalls, tree: Tree) -> None:
        self._plan = plan
        self._shell = shell
        self._calls = calls
        self._tree = tree

    def active(self, context: Context) -> list[str]:
        """The names of those that run now."""
        account = self._tree.account(context)
        return patiently(
            context, self._shell, lambda: active_units(self._shell, account, self._plan)
        )

    def reload(self, context: Context) -> None:
        """The manager knows the units as their files are now. Its failure is one."""
        self._systemctl(context, "daemon-reload")

    def restart(self, context: Context, units: Sequence[str]) -> None:
        """These units run, begun anew."""
        if units:
            self._systemctl(context, "restart", *units)

    def stop(self, context: Context, units: Sequence[str]) -> None:
        """None of these units runs."""
        if units:
            self._systemctl(context, "stop", *units)

    def still_there(self, context: Context, units: Sequence[str]) -> list[str]:
        """Those of `units` whose files are still there: what a newer version has no more is not missed."""
        if not units:
            return []
        account = self._tree.account(context)
        command = account.systemctl("show", "--property=Id,LoadState", "--", *units)
        result = patiently(
            context,
            self._shell,
            lambda: self._shell.run(command, limit_seconds=SHORT_SECONDS, env=account.env),
        )
        said = result.output.decode(errors="replace")
        blocks = [dict(_pairs(block)) for block in said.split("\n\n")]
        return [block["Id"] for block in blocks if block.get("LoadState") == "loaded"]

    def probes(self, context: Context, units: Sequence[str]) -> list[dict[str, Any]]:
        """Probes that pass while each of the units runs."""
        account = self._tree.account(context)
        env = [f"{name}={value}" for name, value in account.env.items()]
        return [
            {
                "kind": "command",
                "command": ["env", *env, *account.systemctl("is-active", "--", unit)],
            }
            for unit in units
        ]

    def _await_manager(self, context: Context, account: Account) -> None:
        """The service manager answers: after a boot, a user's own comes up later than the device."""
        command = account.systemctl("show-environment")
        until = time.monotonic() + MANAGER_SECONDS
        while True:
            result = patiently(
                context,
                self._shell,
                lambda: self._shell.run(command, limit_seconds=SHORT_SECONDS, env=account.env),
            )
            if result.status == 0:
                return
            if time.monotonic() > until:
                said = result.output.decode(errors="replace").strip()[-300:]
                raise StepFailed(f"The service manager of {account.user} does not answer: {said}")
            context.tick()
            time.sleep(PAUSE_SECONDS)

    def _systemctl(self, context: Context, verb: str, *units: str) -> None:
        account = self._tree.account(context)
        self._await_manager(context, account)
        status, said = self._calls.timed(
            context,
            f"systemctl-{verb}",
            command=account.systemctl(verb, *(["--", *units] if units else [])),
            cwd="/",
            env=account.env,
        )
        if status:
            last = said.strip().rpartition("\n")[2] or f"it ended with status {status}"
            raise StepFailed(f"systemctl {verb} failed: {last}", call=verb, output=said)


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        name, _, value = line.partition("=")
        yield name, value
