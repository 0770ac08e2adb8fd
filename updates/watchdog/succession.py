"""The last of the portal's own upgrade: the watchdog itself gets the image, and its successor ends the upgrade.

A container cannot make itself anew, so a short-lived one of the new image does it (`successor`). The watchdog is told to end,
hands its upgrade over, and the next one finds that it is the new one. If it is not, it says so: a warning, for the portal is
upgraded.
"""

from __future__ import annotations

import time
from typing import Any, Final

from devices.drivers.engine import Engine
from devices.drivers.engine_containers import ContainerDetails
from updates.errors import StepFailed
from updates.machine import Event, State
from updates.plan import ContainerPlan
from updates.recipes.container.clone import clone
from updates.recipes.container.recipe import INSTALLED
from updates.runner import Context, Recipe, Step
from updates.watchdog.own_container import own_container
from updates.watchdog.successor import REMOVE_SECONDS, STOP_SECONDS

TRIED: Final = "succession_tried"
WAIT_SECONDS: Final = 240.0
POLL_SECONDS: Final = 0.5


class Succession:
    """A recipe after whose cleaning the watchdog runs from the image that it gave the portal, if it runs in a container."""

    def __init__(self, recipe: Recipe, plan: ContainerPlan, engine: Engine) -> None:
        self._recipe = recipe
        self._plan = plan
        self._engine = engine

    def step(self, state: State) -> Step | None:
        """The recipe's own, and in CLEANING what comes after it."""
        return self._clean if state is State.CLEANING else self._recipe.step(state)

    def _clean(self, context: Context) -> Event:
        clean = self._recipe.step(State.CLEANING)
        event = clean(context) if clean else Event.NOTHING_TO_DO
        wanted = (context.journal.recall(INSTALLED) or {}).get("image_id")
        own = own_container(self._engine)
        if own is None or not wanted or not context.journal.is_success:
            return event
        helper = f"{own.name}-successor"
        if own.image_id == wanted:
            self._await_end(context, helper)
            return Event.DONE
        if context.journal.recall(TRIED):
            said = self._said(helper)
            self._await_end(context, helper)
            raise StepFailed(
                "The portal is upgraded, but its watchdog is not: it did not start from the new image, and runs as before.",
                output=said,
            )
        if own.image_id != self._plan.installed.image_id:
            context.journal.note(
                "The watchdog runs from another image than the portal did: it stays."
            )
            return event
        context.journal.remember(TRIED, True)  # noqa: FBT003 - a JSON value
        self._appoint(helper, own, image=self._named(own, wanted))
        context.journal.note("The watchdog itself is made anew now; its successor ends this.")
        self._await_end(context, helper)
        raise StepFailed("The portal is upgraded, but its watchdog is not: nobody has replaced it.")

    def _named(self, own: ContainerDetails, wanted: str) -> str:
        """The image as people read it: what Compose calls it, if that is it by now."""
        for reference in (own.image, self._plan.image):
            here = self._engine.image(reference)
            if here is not None and here.id == wanted:
                return reference
        return wanted

    def _appoint(self, helper: str, own: ContainerDetails, *, image: str) -> None:
        """The helper runs. It is no part of the project, and is started again if the machine is."""
        body: dict[str, Any] = clone(
            own,
            old_image=self._engine.image_config(own.image_id),
            image=image,
            upgrade=self._plan.upgrade,
            names={},
        ).body
        program = ["python", "-m", "updates.watchdog.successor"]
        body |= {"Cmd": [*program, own.name, image, self._plan.upgrade], "Labels": {}}
        body.pop("Healthcheck", None)
        body["HostConfig"] = body["HostConfig"] | {
            "RestartPolicy": {"Name": "on-failure"},
            "AutoRemove": False,
        }
        self._remove(helper)
        self._engine.containers.create(helper, body)
        self._engine.containers.start(helper)

    def _await_end(self, context: Context, helper: str) -> None:
        """The helper has ended, and is gone. Whoever it replaces hears that before (HandOver)."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            context.tick()
            here = self._engine.containers.named(helper)
            if here is None or here.state not in ("running", "restarting", "created"):
                break
            time.sleep(POLL_SECONDS)
        self._remove(helper)

    def _said(self, helper: str) -> str:
        here = self._engine.containers.named(helper)
        return self._engine.containers.logs(helper, lines=30)[-4000:] if here else ""

    def _remove(self, helper: str) -> None:
        if self._engine.containers.named(helper) is not None:
            containers = self._engine.containers
            containers.stop(helper, grace_seconds=STOP_SECONDS, on_tick=_tick)
            containers.remove(helper, limit_seconds=REMOVE_SECONDS, on_tick=_tick)


def _tick() -> None:
    """What ends within a minute is waited for."""
