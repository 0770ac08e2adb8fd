"""Containers replaced by the engine's API: clones of the old ones, which stay beside them under another name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from devices.drivers.engine import Engine
from devices.drivers.engine_answers import details_of
from devices.drivers.engine_containers import ContainerDetails
from updates.errors import StepFailed
from updates.plan import ContainerPlan
from updates.recipes.container.before import Before
from updates.recipes.container.clone import UPGRADE_LABEL, Clone, clone
from updates.recipes.container.running import Running
from updates.recipes.finding import Finding
from updates.recipes.patience import patiently
from updates.runner import Context

ASIDE: Final = "-before-"


class Cloning:
    """Replaces the containers of one plan that no Compose project has, and those that live in another one's network."""

    def __init__(self, plan: ContainerPlan, engine: Engine) -> None:
        self._plan = plan
        self._engine = engine
        self._running = Running(plan, engine)

    def findings(self) -> Iterator[Finding]:
        for name in self._plan.containers:
            here = self._engine.containers.named(name)
            if here is not None and here.auto_remove:
                says = f"{name} was started to be removed when it ends (--rm): there would be no way back."
                yield Finding("containers", ok=False, says=says)

    def create(self, context: Context, before: Before, *, image_id: str) -> None:
        reference = self._plan.kept.image if self._plan.kept else self._plan.image
        for name in self._plan.containers:
            self.replace(context, before, name, image_id=image_id, reference=reference)
        # Those that live in the network of one that was replaced live in the new one's.
        for name in before.dependants:
            image_id = str(before.containers[name].get("Image", ""))
            said = str((before.containers[name].get("Config") or {}).get("Image", ""))
            self.replace(context, before, name, image_id=image_id, reference=said)

    def replace(
        self, context: Context, before: Before, name: str, *, image_id: str, reference: str
    ) -> None:
        """The container of that name is a clone of the one before, made from that image; the one before stands aside."""
        here = self._named(context, name)
        is_done = here is not None and here.labels.get(UPGRADE_LABEL) == self._plan.upgrade
        if here is not None and not is_done:
            self._running.keep_down(context, [name])
            self._do(context, partial(self._engine.containers.rename, name, self.aside(name)))
        made = self._clone(context, before, name, reference=reference)
        if not is_done:
            self._do(context, partial(self._engine.containers.create, name, made.body))
        for place in made.others:
            connect = self._engine.containers.connect
            self._do(context, partial(connect, name, place.network, place.settings))
        self._require(context, name, image_id=image_id)
        context.journal.note(f"{name} was created anew.")

    def _clone(self, context: Context, before: Before, name: str, *, reference: str) -> Clone:
        old = details_of(before.containers[name])
        config = patiently(context, self._engine, partial(self._engine.image_config, old.image_id))
        return clone(
            old,
            old_image=config,
            image=reference,
            upgrade=self._plan.upgrade,
            names={str(one.get("Id", "")): other for other, one in before.containers.items()},
        )

    def _require(self, context: Context, name: str, *, image_id: str) -> None:
        here = self._named(context, name)
        if here is None or here.image_id != image_id:
            raise StepFailed(f"{name} was not made from the image that was asked for.")

    def start(self, context: Context, before: Before, names: list[str]) -> None:
        self._running.start(context, names)

    def put_back(self, context: Context, before: Before) -> None:
        are_old = [self._take_back(context, before, name) for name in self._plan.containers]
        for name in before.dependants:
            # What was made again has another id than the one in whose network the old one lives.
            if not all(are_old) or not self._take_back(context, before, name):
                self.make_again(context, before, name)

    def _take_back(self, context: Context, before: Before, name: str) -> bool:
        """The container of before has its name and its policy again, the clone is gone. False: it had to be made again."""
        here = self._named(context, name)
        if here is None or here.id != before.containers[name].get("Id"):
            if self._named(context, self.aside(name)) is None:
                context.journal.note(f"The old {name} is gone: somebody removed it meanwhile.")
                self.make_again(context, before, name)
                return False
            self._running.remove(context, name)
            self._do(context, partial(self._engine.containers.rename, self.aside(name), name))
        self._running.as_before(context, before, name)
        context.journal.note(f"{name} is the one of before again.")
        return True

    def make_again(self, context: Context, before: Before, name: str) -> None:
        """The container of that name is a new one, as the one before was; no other of it is there, also not aside."""
        old = before.containers[name]
        for one in (name, self.aside(name)):
            self._running.remove(context, one)
        self.replace(
            context,
            before,
            name,
            image_id=str(old.get("Image", "")),
            reference=str((old.get("Config") or {}).get("Image", "")),
        )

    def forget(self, context: Context, upgrade: str) -> None:
        suffix = f"{ASIDE}{upgrade[:8]}"
        listed = patiently(context, self._engine, self._engine.containers.all)
        for one in listed:
            if one.name.endswith(suffix) and one.state != "running":
                self._running.remove(context, one.name)

    def aside(self, name: str) -> str:
        """What the old container of that name is called beside the new one."""
        return f"{name}{ASIDE}{self._plan.upgrade[:8]}"

    def _named(self, context: Context, name: str) -> ContainerDetails | None:
        return patiently(context, self._engine, partial(self._engine.containers.named, name))

    def _do(self, context: Context, act: Callable[[], object]) -> None:
        context.tick()
        patiently(context, self._engine, act)
