"""How a module's instance is updated, state by state: the recipe of the kind `module` (seeds/ns8-module-updates.md).

CHECKING            every image is found, here or in its registry; names, versions, user, manager and room are looked at
BACKING_UP          environment, units and, if asked for, data are kept; images in force get another tag
DOWNLOADING         what the engine lacks is pulled; the imageroot is exported, checked and staged below the tree
INSTALLING          staged files take their places, environment, daemon-reload, then what the module brings to be run
RESTARTING          nothing: the module's own scripts restart it; a RESTORE restarts what ran
VERIFYING           the health gate
ROLLING_BACK        files, environment, units, image tags and data as they were, daemon-reload
ROLLBACK_RESTARTING what ran before is restarted; ROLLBACK_VERIFYING: the health gate again
CLEANING            the newest ways back stay; what is older goes, with images that nobody needs

A RESTORE takes an earlier upgrade back: what that one kept is what this one puts in place. An UNINSTALL takes all away.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from devices.drivers.engine import Engine
from devices.drivers.shell import Shell
from devices.errors import DeviceError
from updates.errors import NotCompatible, StepFailed
from updates.machine import Event, State
from updates.plan import ModulePlan, ModuleVerb
from updates.recipes.detached import DetachedCalls
from updates.recipes.finding import Finding
from updates.recipes.module.fetching import Fetching
from updates.recipes.module.fit import ModuleFit
from updates.recipes.module.images import Images
from updates.recipes.module.place import Place
from updates.recipes.module.scripts import Bring, Scripts
from updates.recipes.module.services import Services
from updates.recipes.module.tree import Tree
from updates.recipes.patience import patiently
from updates.runner import Context, Step

RAN: Final = "ran"
"""The fact that lists the units that ran before the change."""
KEPT_IMAGES: Final = "kept_images"
INSTALLED: Final = "installed"
"""The fact that says what is in force after it: image, image_id, digest, version, images."""
KEPT: Final = "kept"
"""The fact that it can be taken back, for as long as what it kept is on the device."""
SCRIPTS_BEGAN: Final = "scripts_began"
BEGUN: Final = "begun"
"""The fact that there may be something of it on the device."""
HURRIED_SECONDS: Final = 10.0

Gate = Callable[[Sequence[Mapping[str, Any]], Context, float], None]
"""All of these probes pass, for as often as is asked for, within so many seconds. StepFailed with what they said last."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How many ways back stay on the device, and which images other instances there have in force."""

    kept: int
    needed_elsewhere: Callable[[], set[str]]


class ModuleRecipe:
    """One ModulePlan, over the device's shell and its engine."""

    def __init__(  # noqa: PLR0913 - the ways it acts on
        self,
        plan: ModulePlan,
        shell: Shell,
        engine: Engine,
        *,
        images: Images,
        gate: Gate,
        health_seconds: float,
        retention: Retention,
        kill_after_seconds: float,
    ) -> None:
        self._plan = plan
        self._shell = shell
        self._engine = engine
        self._images = images
        self._gate = gate
        self._health_seconds = health_seconds
        self._retention = retention
        calls = DetachedCalls(
            shell, work_root=plan.device.work_root, kill_after_seconds=kill_after_seconds
        )
        self._tree = Tree(plan, shell, calls)
        self._place = Place(plan, shell, calls)
        self._scripts = Scripts(plan, shell, calls, self._tree)
        self._services = Services(plan, shell, calls, self._tree)
        self._fetching = Fetching(plan, shell, engine, images, self._tree)
        self._steps: Mapping[State, Step] = {
            State.CHECKING: self._check,
            State.BACKING_UP: self._back_up,
            State.DOWNLOADING: self._download,
            State.INSTALLING: self._install,
            State.RESTARTING: self._restart,
            State.VERIFYING: self._verify,
            State.COMMITTING: self._commit,
            State.ROLLING_BACK: self._roll_back,
            State.ROLLBACK_RESTARTING: self._restart_as_before,
            State.ROLLBACK_VERIFYING: self._verify_as_before,
            State.CLEANING: self._clean,
        }

    def step(self, state: State) -> Step | None:
        return self._steps.get(state)

    def inspect(self) -> Iterator[Finding]:
        """What a check finds, without any effect on the device."""
        yield from self._fit().findings()

    def _fit(self) -> ModuleFit:
        return ModuleFit(self._plan, self._shell, self._engine, self._images)

    @property
    def _verb(self) -> ModuleVerb:
        return self._plan.verb

    def _check(self, context: Context) -> Event:
        if self._verb in (ModuleVerb.RESTORE, ModuleVerb.UNINSTALL):
            return self._check_what_is_there(context)
        fit = self._fit()
        for finding in fit.findings():
            context.tick()
            if not finding.ok:
                raise NotCompatible(finding.says)
            context.journal.note(finding.says)
        if fit.image is None:
            raise NotCompatible(f"{self._plan.image} was not found.")
        if self._verb is ModuleVerb.UPDATE and fit.is_there and not self._plan.force:
            return Event.ALREADY_THERE
        self._fetching.remember(context, fit)
        return Event.DONE

    def _check_what_is_there(self, context: Context) -> Event:
        self._tree.account(context)
        if self._plan.kept_of is None:
            return Event.DONE
        kept = self._tree.base_of(self._plan.kept_of)
        if self._shell.run(["test", "-d", f"{kept}/old"], limit_seconds=30).status:
            raise NotCompatible("What that upgrade kept is no longer on the device.")
        for row in self._kept_images(self._plan.kept_of):
            if self._engine.image(row["id"]) is None:
                raise NotCompatible(f"The image {row['reference']} of before is no longer there.")
        return Event.DONE

    def _back_up(self, context: Context) -> Event:
        journal = context.journal
        journal.remember(BEGUN, True)  # noqa: FBT003 - a JSON value
        if self._verb is ModuleVerb.INSTALL:
            return Event.NOTHING_TO_DO
        if journal.recall(RAN) is None:
            journal.remember(RAN, self._services.active(context))
            journal.remember("was_well", self._is_well(context))
        self._tree.back_up(context)
        self._fetching.back_up_volumes(context)
        kept = self._images.keep(self._in_force(context))
        journal.remember(KEPT_IMAGES, kept)
        self._shell.put_file(
            f"{self._tree.work}/images.json", [json.dumps(kept).encode()], mode=0o600
        )
        return Event.DONE

    def _in_force(self, context: Context) -> list[str]:
        """The references of all images that the instance's environment names."""
        values = self._tree.environment(context)
        of_services = [
            value for key, value in values.items()
            if key.endswith("_IMAGE") and not key.startswith("PREV_")
        ]  # fmt: skip
        return [values.get("IMAGE_URL", self._plan.installed.image), *of_services]

    def _kept_images(self, upgrade: str) -> list[dict[str, str]]:
        content = b"".join(
            self._shell.get_file(f"{self._plan.device.work_root}/{upgrade}/images.json")
        )
        rows = json.loads(content)
        return [row for row in rows if isinstance(row, dict)]

    def _download(self, context: Context) -> Event:
        if self._verb is ModuleVerb.UNINSTALL:
            return Event.NOTHING_TO_DO
        if self._plan.kept_of is not None:
            self._tree.bring_lists(context, kept_of=self._plan.kept_of)
        else:
            self._fetching.fetch(context)
        if self._verb is not ModuleVerb.INSTALL:
            self._tree.stage(context)
        if self._plan.kept_of is not None:
            self._tree.stage_kept(context, kept_of=self._plan.kept_of)
        return Event.DONE

    def _install(self, context: Context) -> Event:
        if self._verb is ModuleVerb.UNINSTALL:
            return self._uninstall(context)
        if self._verb is ModuleVerb.INSTALL:
            self._place.make(context)
            self._tree.stage(context)
        brought = self._fetching.brought(context)
        if self._verb is ModuleVerb.UPDATE:
            context.journal.remember(SCRIPTS_BEGAN, True)  # noqa: FBT003 - a JSON value
            self._scripts.before_the_images(context)
        self._tree.swap(context)
        if self._plan.kept_of is not None:
            self._put_back(context, kept_of=self._plan.kept_of)
            return Event.DONE
        self._tree.patch_environment(context)
        self._services.reload(context)
        if self._verb is ModuleVerb.INSTALL:
            self._scripts.action(context, "create-module")
        else:
            self._scripts.after_the_images(context, brought or Bring((), (), ()))
        return Event.DONE

    def _uninstall(self, context: Context) -> Event:
        """The instance is stopped. Its files go once that is committed: until then all of it can be started again."""
        context.journal.remember(SCRIPTS_BEGAN, True)  # noqa: FBT003 - a JSON value
        self._scripts.action(context, "destroy-module")
        self._services.stop(context, context.journal.recall(RAN) or [])
        return Event.DONE

    def _put_back(self, context: Context, *, kept_of: str) -> None:
        """What `kept_of` kept besides files, of which it may have kept data only if it was asked to."""
        if self._plan.keeps_data:
            self._services.stop(context, context.journal.recall(RAN) or [])
            self._tree.put_back_state(context, kept_of=kept_of)
            self._fetching.put_back_volumes(context, kept_of=kept_of)
        self._tree.put_back_environment(context, kept_of=kept_of)
        self._tree.put_back_units(context, kept_of=kept_of)
        rows = patiently(context, self._shell, lambda: self._kept_images(kept_of))
        patiently(context, self._engine, lambda: self._images.put_back(rows))
        self._services.reload(context)

    def _restart(self, context: Context) -> Event:
        if self._verb is not ModuleVerb.RESTORE:
            return Event.NOTHING_TO_DO
        self._services.restart(context, context.journal.recall(RAN) or [])
        return Event.DONE

    def _verify(self, context: Context) -> Event:
        if self._verb is ModuleVerb.UNINSTALL:
            return Event.NOTHING_TO_DO
        self._require_well(context, self._health_seconds)
        return Event.DONE

    def _require_well(self, context: Context, seconds: float) -> None:
        ran = self._services.still_there(context, context.journal.recall(RAN) or [])
        probes = [*self._plan.probes, *self._services.probes(context, ran)]
        self._gate(probes, context, seconds)

    def _is_well(self, context: Context) -> bool:
        try:
            self._gate(self._plan.probes, context, HURRIED_SECONDS)
        except (StepFailed, DeviceError) as error:
            context.journal.note(f"The instance is not well before the change. {error}")
            return False
        return True

    def _commit(self, context: Context) -> Event:
        """From here on the record says so: what is in force, and that there is a way back."""
        journal = context.journal
        if self._verb is ModuleVerb.UNINSTALL:
            journal.remember(INSTALLED, _installed())
        elif self._plan.kept_of is not None:
            rows = self._kept_images(self._plan.kept_of)
            journal.remember(INSTALLED, self._fetching.restored(rows))
        else:
            journal.remember(INSTALLED, self._fetching.installed(context))
        journal.remember(KEPT, self._verb is ModuleVerb.UPDATE)
        return Event.DONE

    def _roll_back(self, context: Context) -> Event:
        if self._verb is ModuleVerb.INSTALL:
            self._place.unmake(context)
            return Event.DONE
        journal = context.journal
        ran: list[str] = journal.recall(RAN) or []
        now = self._services.active(context)
        restores_data = self._plan.keeps_data and bool(journal.recall(SCRIPTS_BEGAN))
        self._services.stop(
            context, now if restores_data else [one for one in now if one not in ran]
        )
        self._tree.swap_back(context)
        if restores_data:
            self._tree.put_back_state(context, kept_of=self._plan.upgrade)
            self._fetching.put_back_volumes(context, kept_of=self._plan.upgrade)
        self._tree.put_back_environment(context, kept_of=self._plan.upgrade)
        self._tree.put_back_units(context, kept_of=self._plan.upgrade)
        rows: list[dict[str, str]] = journal.recall(KEPT_IMAGES) or []
        patiently(context, self._engine, lambda: self._images.put_back(rows))
        self._services.reload(context)
        return Event.DONE

    def _restart_as_before(self, context: Context) -> Event:
        if self._verb is ModuleVerb.INSTALL:
            return Event.NOTHING_TO_DO
        self._services.restart(context, context.journal.recall(RAN) or [])
        return Event.DONE

    def _verify_as_before(self, context: Context) -> Event:
        journal = context.journal
        if self._verb is ModuleVerb.INSTALL:
            return Event.NOTHING_TO_DO
        if not journal.recall("was_well"):
            journal.note("It was not well before, so nothing more is asked of it now.")
            return Event.NOTHING_TO_DO
        again = bool(journal.recall("asked_as_before"))
        journal.remember("asked_as_before", True)  # noqa: FBT003 - a JSON value
        self._require_well(context, HURRIED_SECONDS if again else self._health_seconds)
        return Event.DONE

    def _clean(self, context: Context) -> Event:
        journal, tree = context.journal, self._tree
        if not journal.recall(BEGUN):
            return Event.NOTHING_TO_DO
        kept: list[dict[str, str]] = journal.recall(KEPT_IMAGES) or []
        if not journal.is_success:
            if self._verb is not ModuleVerb.INSTALL:
                tree.forget(context, self._plan.upgrade)
        elif self._verb is ModuleVerb.UPDATE:
            self._forget_old(
                context, keep=self._retention.kept, needed=set(self._in_force(context))
            )
            if journal.recall(KEPT):
                self._shell.remove_tree(f"{tree.work}/steps")
                return Event.DONE
        elif self._verb is ModuleVerb.UNINSTALL:
            self._forget_old(context, keep=0, needed=set())
            self._place.unmake(context)
        else:
            tree.forget(context, self._plan.upgrade)
            self._forget_restored(context)
        self._images.release(kept)
        self._shell.remove_tree(tree.work)
        return Event.DONE

    def _forget_old(self, context: Context, *, keep: int, needed: set[str]) -> None:
        """Only the newest ways back stay, and the images that they or anybody on the device needs."""
        needed = needed | self._retention.needed_elsewhere()
        for upgrade in self._tree.forget_old(context, keep=keep):
            self._images.forget(
                self._kept_images(upgrade), needed=needed, note=context.journal.note
            )
            self._shell.remove_tree(f"{self._plan.device.work_root}/{upgrade}")

    def _forget_restored(self, context: Context) -> None:
        """What was put back is in force, and no way back any more."""
        if self._plan.kept_of is not None:
            self._tree.forget(context, self._plan.kept_of)
            self._images.release(self._kept_images(self._plan.kept_of))
            self._shell.remove_tree(f"{self._plan.device.work_root}/{self._plan.kept_of}")


def _installed() -> dict[str, Any]:
    return {"image": "", "image_id": "", "digest": "", "version": "", "images": []}
