"""The services of one instance: which of them run, and how they are started, stopped and found to be well."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from devices.drivers.shell import Result, Shell
from updates.errors import StepFailed
from updates.plan import ModulePlan
from updates.recipes.detached import DetachedCalls
from updates.recipes.module.account import SHORT_SECONDS, Account, own_units
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

    def running(self, context: Context) -> list[str]:
        """The names of those that run now, and of those that are about to."""
        return self._own(context, "list-units", "--state=active,activating,reloading")

    def enabled(self, context: Context) -> list[str]:
        """The names of those that start with the device."""
        return self._own(context, "list-unit-files", "--state=enabled")

    def _own(self, context: Context, *listing: str) -> list[str]:
        account = self._tree.account(context)
        self._await_manager(context, account)
        return patiently(
            context, self._shell, lambda: own_units(self._shell, account, self._plan, listing)
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

    def disable(self, context: Context, units: Sequence[str]) -> None:
        """None of these units runs, nor starts with the device."""
        if units:
            self._systemctl(context, "disable", "--now", *units)

    def lasting(self, context: Context, units: Sequence[str]) -> list[str]:
        """Those of `units` that are to run as long as the instance does.

        What the version has no more is not missed; nor is what does its work and ends, by itself or for a timer.
        """
        if not units:
            return []
        account = self._tree.account(context)
        self._await_manager(context, account)
        words = ("show", "--property=Id,LoadState,Type,TriggeredBy", "--", *units)
        said = self._asked(context, account, *words).output.decode(errors="replace")
        blocks = [dict(_pairs(block)) for block in said.split("\n\n")]
        return [block["Id"] for block in blocks if block.get("Id") and _lasts(block)]

    def probes(self, context: Context, units: Sequence[str]) -> list[dict[str, Any]]:
        """Probes that pass while each of the units runs."""
        account = self._tree.account(context)
        return [_command(account, account.systemctl("is-active", "--", unit)) for unit in units]

    def own_probes(self, context: Context) -> list[dict[str, Any]]:
        """The instance's own probes; commands among them are run by its user."""
        account = self._tree.account(context)
        return [
            _command(account, [*account.words, *row["command"]])
            if row.get("kind") == "command"
            else dict(row)
            for row in self._plan.probes
        ]

    def _await_manager(self, context: Context, account: Account) -> None:
        """The service manager answers: after a boot, a user's own comes up later than the device."""
        until = time.monotonic() + MANAGER_SECONDS
        while (result := self._asked(context, account, "show-environment")).status:
            if time.monotonic() > until:
                said = result.output.decode(errors="replace").strip()[-300:]
                raise StepFailed(f"The service manager of {account.user} does not answer: {said}")
            context.tick()
            time.sleep(PAUSE_SECONDS)

    def _asked(self, context: Context, account: Account, *words: str) -> Result:
        command = account.systemctl(*words)
        return patiently(
            context,
            self._shell,
            lambda: self._shell.run(command, limit_seconds=SHORT_SECONDS, env=account.env),
        )

    def _systemctl(self, context: Context, verb: str, *words: str) -> None:
        account = self._tree.account(context)
        self._await_manager(context, account)
        status, said = self._calls.timed(
            context,
            f"systemctl-{verb}",
            command=account.systemctl(verb, *words),
            cwd="/",
            env=account.env,
        )
        if status:
            last = said.strip().rpartition("\n")[2] or f"it ended with status {status}"
            raise StepFailed(f"systemctl {verb} failed: {last}", call=verb, output=said)


def _command(account: Account, words: Sequence[str]) -> dict[str, Any]:
    env = [f"{name}={value}" for name, value in account.env.items()]
    return {"kind": "command", "command": ["env", *env, *words]}


def _lasts(block: Mapping[str, str]) -> bool:
    is_there = block.get("LoadState") == "loaded"
    return (
        is_there and block.get("Type") != "oneshot" and ".timer" not in block.get("TriggeredBy", "")
    )


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        name, _, value = line.partition("=")
        yield name, value
