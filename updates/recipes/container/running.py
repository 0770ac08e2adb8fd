"""Stopping and starting the containers of a set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from devices.drivers.engine import Engine
from updates.plan import ContainerPlan
from updates.recipes.container.before import Before
from updates.recipes.container.endpoints import SHARES
from updates.recipes.patience import patiently
from updates.runner import Context

RUNNING: Final = "running"
REMOVE_SECONDS: Final = 120.0
"""How long an engine may take until the name of a container is free again: slow disks need a while."""


class Running:
    """The containers of one plan on its engine. An engine that is away is asked again for a while: it may be restarting."""

    def __init__(self, plan: ContainerPlan, engine: Engine) -> None:
        self._plan = plan
        self._engine = engine

    def stop(self, context: Context, names: Iterable[str]) -> None:
        """None of these runs. Each had the plan's time to end by itself; what is not there does not run."""
        for name in names:
            self._each(context, partial(self._stop, context, name))

    def keep_down(self, context: Context, names: Iterable[str]) -> None:
        """As `stop`; nor do they start with the engine, until `as_before`."""
        for name in names:
            self._each(context, partial(self._without_policy, name))
            self._each(context, partial(self._stop, context, name))

    def as_before(self, context: Context, before: Before, name: str) -> None:
        """The container of that name has the restart policy of before, if it is there."""
        host = before.containers[name].get("HostConfig") or {}
        self._each(context, partial(self._with_policy, name, host.get("RestartPolicy")))

    def start(self, context: Context, names: Iterable[str]) -> None:
        """Each of these was started. What ran already in a network that is gone by now was started again."""
        for name in names:
            if patiently(context, self._engine, partial(self._is_cut_off, name)):
                context.journal.note(f"{name} starts again: it lives in a network that was lost.")
                self.stop(context, [name])
            self._each(context, partial(self._engine.containers.start, name))

    def _is_cut_off(self, name: str) -> bool:
        """Whether it runs in the network of another one that was started after it: the network of then is gone."""
        here = self._engine.containers.named(name)
        if here is None or here.state != RUNNING or not here.network_mode.startswith(SHARES):
            return False
        shared = here.network_mode.removeprefix(SHARES)
        for one in self._engine.containers.all():
            other = (
                self._engine.containers.named(one.name) if shared in (one.id, one.name) else None
            )
            if other is not None and other.started_at > here.started_at:
                return True
        return False

    def remove(self, context: Context, name: str) -> None:
        """There is no container of that name. Its volumes stay, those without a name too."""
        self.stop(context, [name])
        remove = self._engine.containers.remove
        self._each(
            context, partial(remove, name, limit_seconds=REMOVE_SECONDS, on_tick=context.tick)
        )

    def _stop(self, context: Context, name: str) -> None:
        if self._engine.containers.named(name) is not None:
            self._engine.containers.stop(
                name, grace_seconds=self._plan.stop_seconds, on_tick=context.tick
            )

    def _without_policy(self, name: str) -> None:
        self._with_policy(name, {"Name": "no"})

    def _with_policy(self, name: str, policy: Mapping[str, Any] | None) -> None:
        if policy and self._engine.containers.named(name) is not None:
            self._engine.containers.set_restart_policy(name, policy)

    def _each(self, context: Context, act: Callable[[], object]) -> None:
        context.tick()
        patiently(context, self._engine, act)
