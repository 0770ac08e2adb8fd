"""How a module's instance is updated, state by state: the recipe of the kind `module` (seeds/ns8-module-updates.md).

CHECKING            every image is found, here or in its registry; names, versions, user, manager and room are looked at
BACKING_UP          environment, units and, if asked for, data are kept; images in force get another tag
DOWNLOADING         what the engine lacks is pulled; the imageroot is exported, checked and staged below the tree
INSTALLING          staged files take their places, environment, daemon-reload, then what the module brings to be run
RESTARTING          nothing: the module's own scripts restart it; a RESTORE restarts what ran by then
VERIFYING           the health gate
ROLLING_BACK        files, environment, units, image tags and data as they were, daemon-reload
ROLLBACK_RESTARTING what ran before is restarted; ROLLBACK_VERIFYING: the health gate again
CLEANING            the newest ways back stay; what is older goes, with images that nobody needs. What broke keeps all

A RESTORE takes an earlier upgrade back: what that one kept is what this one puts in place. An UNINSTALL takes all away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from devices.drivers.engine import Engine
from devices.drivers.shell import Shell
from devices.errors import HealthFailed
from updates.errors import NotCompatible
from updates.machine import Event, State
from updates.plan import ModulePlan, ModuleVerb
from updates.recipes.detached import DetachedCalls
from updates.recipes.engine_images import Images
from updates.recipes.health_gate import HURRIED_SECONDS, Gate
from updates.recipes.module.account import Account
from updates.recipes.module.clearing import Clearing, Retention
from updates.recipes.module.fetching import Fetching, in_force_after
from updates.recipes.module.fit import ModuleFit
from updates.recipes.module.keeping import Keeping, Kept
from updates.recipes.module.place import Place
from updates.recipes.module.scripts import Bring, Scripts
from updates.recipes.module.services import Services
from updates.recipes.module.tree import Tree
from updates.recipes.module.way_back import WayBack
from updates.recipes.patience import patiently
from updates.recipes.ways_back import KEPT
from updates.runner import Context, Step

RAN: Final = "ran"
"""The fact that lists the units that ran before the change."""
WAS_WELL: Final = "was_well"
PAUSED: Final = "paused"
"""The fact that the services are stopped while their data is copied."""
COPIED: Final = "copied"
"""The fact that all is kept that the way back wants: the services go on, and what they write then is no part of it."""
BEGUN: Final = "begun"
"""The fact that there may be something of it on the device."""
DATA_AT_RISK: Final = "data_at_risk"
"""The fact that something ran, or was put back, that may have changed the instance's data."""
GONE: Final = "gone"
"""The fact that an UNINSTALL found nothing of the instance that could be stopped, or started again: it only takes away."""
INSTALLED: Final = "installed"
"""The fact that says what is in force after it: image, image_id, digest, version, images."""


@dataclass(frozen=True, slots=True)
class Health:
    """The gate, and for how long it waits."""

    gate: Gate
    limit_seconds: float


class ModuleRecipe:
    """One ModulePlan, over the device's shell and its engine."""

    def __init__(
        self,
        plan: ModulePlan,
        shell: Shell,
        engine: Engine,
        *,
        images: Images,
        health: Health,
        retention: Retention,
        kill_after_seconds: float,
    ) -> None:
        self._plan = plan
        self._shell = shell
        self._engine = engine
        self._images = images
        self._health = health
        calls = DetachedCalls(
            shell, work_root=plan.device.work_root, kill_after_seconds=kill_after_seconds
        )
        self._tree = tree = Tree(plan, shell, calls)
        self._place = Place(plan, shell, calls)
        self._scripts = Scripts(plan, shell, calls, tree)
        self._services = services = Services(plan, shell, calls, tree)
        self._fetching = Fetching(plan, engine, images, tree)
        self._keeping = keeping = Keeping(plan, shell, engine)
        self._way_back = WayBack(
            plan, engine, images=images, tree=tree, services=services, keeping=keeping
        )
        self._clearing = Clearing(
            plan, shell, images=images, tree=tree, keeping=keeping, retention=retention
        )

    def step(self, state: State) -> Step | None:
        steps: Mapping[State, Step] = {
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
        return steps.get(state)

    @property
    def _verb(self) -> ModuleVerb:
        return self._plan.verb

    def _check(self, context: Context) -> Event:
        if self._verb in (ModuleVerb.RESTORE, ModuleVerb.UNINSTALL):
            return self._check_what_is_there(context)
        fit = ModuleFit(self._plan, self._shell, self._engine, self._images)
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
        if self._plan.kept_of is None:
            look = patiently(
                context, self._shell, lambda: Account.found(self._shell, self._plan.user)
            )
            if look is None:
                context.journal.note(f"The device has no user {self._plan.user} any more.")
                context.journal.remember(GONE, True)  # noqa: FBT003 - a JSON value
            elif self._place.is_half_gone(context):
                context.journal.note(f"The service manager of {self._plan.user} is gone for good.")
                context.journal.remember(GONE, True)  # noqa: FBT003 - a JSON value
            return Event.DONE
        if self._plan.kept_of not in self._tree.kept(context):
            raise NotCompatible("What that upgrade kept is no longer on the device.")
        for row in self._keeping.read(context, self._plan.kept_of).images:
            if self._engine.image(row["id"]) is None:
                raise NotCompatible(f"The image {row['reference']} of before is no longer there.")
        return Event.DONE

    def _back_up(self, context: Context) -> Event:
        journal = context.journal
        if self._verb is ModuleVerb.INSTALL or journal.recall(GONE):
            journal.remember(BEGUN, True)  # noqa: FBT003 - a JSON value
            return Event.NOTHING_TO_DO
        if journal.recall(RAN) is None:
            journal.remember(RAN, self._services.running(context))
        if journal.recall(WAS_WELL) is None:
            journal.remember(WAS_WELL, self._is_well(context))
        journal.remember(BEGUN, True)  # noqa: FBT003 - a JSON value
        if not journal.recall(COPIED):
            self._keep(context)
            journal.remember(COPIED, True)  # noqa: FBT003 - a JSON value
        self._go_on(context)
        return Event.DONE

    def _keep(self, context: Context) -> None:
        """All that the way back wants is kept; while data is copied its services rest."""
        ran = self._ran(context)
        if self._plan.keeps_data and ran:
            # What is written to while it is copied could not be put back as it was.
            context.journal.remember(PAUSED, True)  # noqa: FBT003 - a JSON value
            self._services.stop(context, ran)
        self._tree.back_up(context)
        self._keeping.back_up_volumes(context)
        images = self._images.to_keep(self._in_force(context))
        self._keeping.write(Kept(images, ran))
        self._images.keep(images)

    def _go_on(self, context: Context) -> None:
        """What was stopped for the copy runs again."""
        if context.journal.recall(PAUSED):
            self._services.restart(context, self._ran(context))
            context.journal.remember(PAUSED, False)  # noqa: FBT003 - a JSON value

    def _ran(self, context: Context) -> list[str]:
        return list(context.journal.recall(RAN) or ())

    def _in_force(self, context: Context) -> list[str]:
        """The references of all images that the instance's environment names."""
        return in_force_after(self._tree.environment(context), self._plan.installed.image)

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
        if self._plan.kept_of is not None:
            return self._restore(context, kept_of=self._plan.kept_of)
        if self._verb is ModuleVerb.INSTALL:
            self._place.make(context)
            self._tree.stage(context)
        else:
            context.journal.remember(DATA_AT_RISK, True)  # noqa: FBT003 - a JSON value
            self._scripts.before_the_images(context)
        self._tree.swap(context)
        self._tree.patch_environment(context)
        self._services.reload(context)
        if self._verb is ModuleVerb.INSTALL:
            self._scripts.action(context, "create-module")
        else:
            self._scripts.after_the_images(context, self._fetching.brought(context) or Bring.none())
        return Event.DONE

    def _restore(self, context: Context, *, kept_of: str) -> Event:
        kept, with_data = self._keeping.read(context, kept_of), self._plan.keeps_data
        context.journal.remember(DATA_AT_RISK, True)  # noqa: FBT003 - a JSON value
        self._way_back.quiet(context, kept, with_data=with_data)
        self._tree.swap(context)
        self._way_back.put_back(context, kept, kept_of=kept_of, with_data=with_data)
        return Event.DONE

    def _uninstall(self, context: Context) -> Event:
        """The instance is stopped. Its files go once that is committed: until then all of it can be started again."""
        if context.journal.recall(GONE):
            return Event.NOTHING_TO_DO
        context.journal.remember(DATA_AT_RISK, True)  # noqa: FBT003 - a JSON value
        self._scripts.action(context, "destroy-module")
        self._services.stop(context, self._ran(context))
        return Event.DONE

    def _restart(self, context: Context) -> Event:
        if self._plan.kept_of is None:
            return Event.NOTHING_TO_DO
        self._services.restart(context, self._keeping.read(context, self._plan.kept_of).ran)
        return Event.DONE

    def _verify(self, context: Context) -> Event:
        if self._verb is ModuleVerb.UNINSTALL:
            return Event.NOTHING_TO_DO
        wanted = self._ran(context)
        if self._verb is ModuleVerb.INSTALL:
            wanted = self._services.enabled(context)
        if self._plan.kept_of is not None:
            wanted = self._keeping.read(context, self._plan.kept_of).ran
        self._require_well(context, wanted, self._health.limit_seconds)
        return Event.DONE

    def _require_well(self, context: Context, units: Sequence[str], seconds: float) -> None:
        lasting = self._services.lasting(context, units)
        probes = [*self._services.own_probes(context), *self._services.probes(context, lasting)]
        self._health.gate(probes, context, seconds)

    def _is_well(self, context: Context) -> bool:
        """Whether it is as a rollback will be asked to make it again."""
        try:
            self._require_well(context, self._ran(context), HURRIED_SECONDS)
        except HealthFailed as error:
            context.journal.note(f"The instance is not well before the change. {error}")
            return False
        return True

    def _commit(self, context: Context) -> Event:
        """From here on the record says so: what is in force, and that there is a way back."""
        journal = context.journal
        if self._verb is ModuleVerb.UNINSTALL:
            installed = {"image": "", "image_id": "", "digest": "", "version": "", "images": []}
        elif self._plan.kept_of is not None:
            kept = self._keeping.read(context, self._plan.kept_of)
            installed = self._fetching.restored(kept.images)
        else:
            installed = self._fetching.installed(context)
        journal.remember(INSTALLED, installed)
        journal.remember(KEPT, self._verb is ModuleVerb.UPDATE)
        return Event.DONE

    def _roll_back(self, context: Context) -> Event:
        if self._verb is ModuleVerb.INSTALL:
            self._place.unmake(context)
            return Event.DONE
        journal, upgrade = context.journal, self._plan.upgrade
        if journal.recall(GONE):
            return Event.DONE
        kept = self._keeping.read(context, upgrade)
        with_data = self._plan.keeps_data and bool(journal.recall(DATA_AT_RISK))
        self._way_back.quiet(context, kept, with_data=with_data)
        self._tree.swap_back(context)
        self._way_back.put_back(context, kept, kept_of=upgrade, with_data=with_data)
        return Event.DONE

    def _restart_as_before(self, context: Context) -> Event:
        if self._verb is ModuleVerb.INSTALL or context.journal.recall(GONE):
            return Event.NOTHING_TO_DO
        self._services.restart(context, self._ran(context))
        return Event.DONE

    def _verify_as_before(self, context: Context) -> Event:
        journal = context.journal
        if self._verb is ModuleVerb.INSTALL or journal.recall(GONE):
            return Event.NOTHING_TO_DO
        if not journal.recall(WAS_WELL):
            journal.note("It was not well before, so nothing more is asked of it now.")
            return Event.NOTHING_TO_DO
        again = bool(journal.recall("asked_as_before"))
        journal.remember("asked_as_before", True)  # noqa: FBT003 - a JSON value
        seconds = HURRIED_SECONDS if again else self._health.limit_seconds
        self._require_well(context, self._ran(context), seconds)
        return Event.DONE

    def _clean(self, context: Context) -> Event:
        journal = context.journal
        if not journal.recall(BEGUN):
            return Event.NOTHING_TO_DO
        self._go_on(context)
        if journal.is_broken:
            journal.note("All that it kept stays on the device, for whoever mends it.")
            return Event.NOTHING_TO_DO
        if self._verb is ModuleVerb.UNINSTALL and journal.is_success:
            self._take_away(context)
        elif self._verb is not ModuleVerb.INSTALL or journal.is_success:
            self._clearing.forget(context, is_kept=bool(journal.recall(KEPT)))
        self._shell.remove_tree(self._tree.work)
        return Event.DONE

    def _take_away(self, context: Context) -> None:
        """What we made is gone; what was there before us stays, with its services stopped for good."""
        if not context.journal.recall(GONE) and not self._place.is_ours(context):
            self._services.disable(context, self._ran(context))
            context.journal.note("Its user and files were not made by the portal, and stay.")
        self._clearing.forget_all(context)
        self._place.unmake(context)
