"""How a set of containers gets another image, state by state: the recipe of the kind `container`.

(seeds/container-self-upgrade.md; DESIGN: old images and containers go once nobody can want them back.)

CHECKING            preflight: engine, containers, files, backup, image for the platform, room
BACKING_UP          what stands is written down, its image tagged; a copy of the data while it runs proves that there can be one
DOWNLOADING         the image is pulled by its digest
INSTALLING          the set stops, its data is copied, its references name the new image, its containers are made anew
RESTARTING          the new containers start, if the old ones ran
VERIFYING           the health gate; what runs is the image that was asked for
ROLLING_BACK        the new containers are gone, images named as before, data as it was if a new container ever started
ROLLBACK_RESTARTING what ran before is started; ROLLBACK_VERIFYING: the health gate again
CLEANING            the newest ways back and backups stay; what is older goes. What broke keeps all

A RESTORE puts back what an earlier upgrade replaced, the data of a backup, or both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Final

from devices.drivers.engine import Engine
from devices.drivers.shell import Shell
from devices.errors import DeviceError, EngineRefused, HealthFailed
from updates.errors import NotCompatible, StepFailed
from updates.machine import Event, State
from updates.plan import ContainerPlan, Mode
from updates.recipes.ballast import Ballast
from updates.recipes.container.backups import Backups
from updates.recipes.container.before import Before, Standing
from updates.recipes.container.fit import ContainerFit
from updates.recipes.container.looking import look_at
from updates.recipes.container.replacing import Replacing
from updates.recipes.container.running import Running
from updates.recipes.container.ways import Ways
from updates.recipes.engine_images import Found, Images
from updates.recipes.finding import Finding
from updates.recipes.health_gate import HURRIED_SECONDS, Gate
from updates.recipes.patience import patiently
from updates.recipes.ways_back import KEPT, note_forgotten
from updates.runner import Context, Step

FOUND: Final = "found"
"""The fact that names the image, as CHECKING found it: what is pulled is that, whatever a tag means by then."""
BEGUN: Final = "begun"
"""The fact that something of the set may be stopped or replaced."""
STARTED: Final = "started"
"""The fact that a new container may have run, and may have changed the data."""
WAS_WELL: Final = "was_well"
BACKUP: Final = "backup"
"""The fact that says where the copy is that a rollback uses: path, size, sha256."""
INSTALLED: Final = "installed"
"""The fact that says what is in force after it: image, image_id, digest."""
ROOM: Final = dict.fromkeys((State.ROLLING_BACK, State.ROLLBACK_RESTARTING), 4 * 2**20)
"""What the states of the way back that write find on the device, in bytes."""
SHORT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the executor adds: the gate; what is done before the set stops; which earlier upgrades keep their ways back.

    `needed` are images, by their references in full, that others on the device have in force. `place_of` says where the shell
    sees the contents of a volume, `now` what time it is, in UTC; `stage` where backups are prepared, if that is not their own
    directory. `in_passing`: it is only looked, again and again, and nobody waits for that: registries are not asked, and nothing
    takes long.
    """

    gate: Gate
    before_stop: Callable[[Context], None]
    ways_back: Callable[[], set[str]]
    needed: Callable[[], set[str]]
    place_of: Callable[[str], str]
    now: Callable[[], datetime]
    stage: str = ""
    in_passing: bool = False


class ContainerRecipe:
    """One ContainerPlan, over the device's engine and its shell."""

    def __init__(
        self,
        plan: ContainerPlan,
        shell: Shell,
        engine: Engine,
        *,
        images: Images,
        ways: Ways,
        backups: Backups,
        around: Surroundings,
    ) -> None:
        self._plan = plan
        self._shell = shell
        self._engine = engine
        self._images = images
        self._ways = ways
        self._backups = backups
        self._around = around
        self._standing = Standing(plan, shell)
        self._running = Running(plan, engine)
        self._work = f"{plan.device.work_root}/{plan.upgrade}"
        self._ballast = Ballast(shell, self._work, room=ROOM)

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

    def inspect(self) -> Iterator[Finding]:
        """What a preflight finds, without any effect on the device."""
        yield from self._fit().findings()

    def _fit(self) -> ContainerFit:
        return ContainerFit(
            self._plan, self._shell, self._engine,
            images=self._images, ways=self._ways, backups=self._backups, in_passing=self._around.in_passing,
        )  # fmt: skip

    def _check(self, context: Context) -> Event:
        fit = self._fit()
        for finding in fit.findings():
            context.tick()
            if not finding.ok:
                raise NotCompatible(finding.says)
            context.journal.note(finding.says)
        if self._plan.mode is Mode.INSTALL:
            if fit.image is None:
                raise NotCompatible(f"{self._plan.image} was not found.")
            if fit.is_there and not self._plan.force:
                return Event.ALREADY_THERE
            context.journal.remember(FOUND, fit.image.as_json())
        if self._plan.kept_of is not None:
            self._require_kept(context, self._plan.kept_of)
        if self._plan.data_from:
            self._require_backup(context, self._plan.data_from)
        return Event.DONE

    def _require_backup(self, context: Context, path: str) -> None:
        command = ["test", "-f", path]
        result = patiently(
            context, self._shell, lambda: self._shell.run(command, limit_seconds=SHORT_SECONDS)
        )
        if result.status:
            raise NotCompatible(f"The backup {path} is not on the device any more.")

    def _require_kept(self, context: Context, upgrade: str) -> None:
        before = self._standing.read(context, upgrade)
        if not before.containers:
            raise NotCompatible("What that upgrade found is no longer written down on the device.")
        if self._engine.image(before.image_id) is None:
            raise NotCompatible("The image of before is no longer on the engine.")

    def _back_up(self, context: Context) -> Event:
        journal = context.journal
        before = look_at(context, self._engine, self._plan)
        if journal.recall(WAS_WELL) is None:
            journal.remember(WAS_WELL, self._is_well(context, before))
        references = [
            str((one.get("Config") or {}).get("Image", "")) for one in before.containers.values()
        ]
        images = self._images.to_keep(one for one in references if "@" not in one)
        self._standing.write(Before(before.containers, before.ran, images, before.dependants))
        self._images.keep(images)
        self._ballast.lay(context)
        if self._plan.backup.wanted and self._is_running(before):
            self._backups.live(context)
        return Event.DONE

    def _before(self, context: Context) -> Before:
        before = self._standing.read(context)
        if not before.containers:
            raise StepFailed("What stood before is not written down on the device any more.")
        return before

    def _way(self, before: Before) -> Replacing:
        return self._ways.for_containers(before.labels())

    def _is_running(self, before: Before) -> bool:
        return any(name in before.ran for name in self._plan.containers)

    def _download(self, context: Context) -> Event:
        if self._plan.mode is Mode.RESTORE:
            return Event.NOTHING_TO_DO
        found = Found(**context.journal.recall(FOUND))
        if found.id:
            return Event.NOTHING_TO_DO
        here = self._images.fetch_by_digest(found, context)
        context.journal.remember(FOUND, here.as_json())
        return Event.DONE

    def _install(self, context: Context) -> Event:
        journal = context.journal
        before = self._before(context)
        self._around.before_stop(context)
        journal.remember(BEGUN, True)  # noqa: FBT003 - a JSON value
        self._running.keep_down(context, [*self._plan.containers, *before.dependants])
        if self._plan.backup.wanted and journal.recall(BACKUP) is None:
            journal.remember(BACKUP, asdict(self._backups.final(context)))
        if self._plan.data_from:
            journal.remember(STARTED, True)  # noqa: FBT003 - data is changed from here on
            self._backups.restore(context, self._plan.data_from)
        self._way(before).create(context, before, image_id=self._image_id(context, before))
        return Event.DONE

    def _image_id(self, context: Context, before: Before) -> str:
        """The image of the new containers, under the name that was asked for."""
        if self._plan.kept_of is not None:
            kept = self._standing.read(context, self._plan.kept_of)
            patiently(context, self._engine, lambda: self._images.put_back(kept.images))
            return kept.image_id
        if self._plan.mode is Mode.RESTORE:
            return before.image_id
        found = Found(**context.journal.recall(FOUND))
        if "@" not in self._plan.image:
            patiently(context, self._engine, lambda: self._engine.tag(found.id, self._plan.image))
        return found.id

    def _restart(self, context: Context) -> Event:
        before = self._before(context)
        if not self._is_running(before):
            context.journal.note("It did not run before, so it is not started.")
            for name in before.ran:
                context.journal.note(f"{name} lives in its network, and cannot run without it.")
            return Event.NOTHING_TO_DO
        context.journal.remember(STARTED, True)  # noqa: FBT003 - a JSON value
        try:
            self._way(before).start(context, before, self._in_order(before))
        except (EngineRefused, StepFailed):
            # It may have ended at once; what follows then is said of whoever lives in its network.
            self._tell_last_words(context, before)
            raise
        return Event.DONE

    def _in_order(self, before: Before) -> list[str]:
        """Those that ran, the last that stops first; then those that live in their networks."""
        names = [*reversed(self._plan.containers), *before.dependants]
        return [name for name in names if name in before.ran]

    def _verify(self, context: Context) -> Event:
        before = self._before(context)
        wanted = self._wanted_id(context, before)
        for name in self._plan.containers:
            here = patiently(context, self._engine, lambda: self._engine.containers.named(name))  # noqa: B023 - called at once
            if here is None or here.image_id != wanted:
                raise StepFailed(f"{name} is not made from the image that was asked for.")
        if self._is_running(before):
            self._require_well(context, before, self._plan.health_seconds)
        return Event.DONE

    def _wanted_id(self, context: Context, before: Before) -> str:
        if self._plan.kept_of is not None:
            return self._standing.read(context, self._plan.kept_of).image_id
        if self._plan.mode is Mode.RESTORE:
            return before.image_id
        return str(context.journal.recall(FOUND)["id"])

    def _require_well(self, context: Context, before: Before, seconds: float) -> None:
        lasting = [{"kind": "container", "container": name} for name in self._in_order(before)]
        try:
            self._around.gate([*lasting, *self._plan.probes], context, seconds)
        except HealthFailed:
            self._tell_last_words(context, before)
            raise

    def _tell_last_words(self, context: Context, before: Before) -> None:
        """What the containers said last stands in the history: they may be gone soon. What cannot be read hides nothing else."""
        for name in self._in_order(before):
            try:
                said = self._engine.containers.logs(name, lines=50)
            except DeviceError as error:
                context.journal.note(f"What {name} said last cannot be read. {error}")
            else:
                context.journal.output(context.key(f"logs-{name}"), said.encode())

    def _is_well(self, context: Context, before: Before) -> bool:
        try:
            self._require_well(context, before, HURRIED_SECONDS)
        except HealthFailed as error:
            context.journal.note(f"It is not well before the change. {error}")
            return False
        return True

    def _commit(self, context: Context) -> Event:
        """From here on the record says so: what is in force, and that there is a way back."""
        journal, plan = context.journal, self._plan
        if plan.kept_of is not None and plan.kept is not None:
            installed = {
                "image": plan.kept.image,
                "image_id": plan.kept.image_id,
                "digest": plan.kept.digest,
            }
        elif plan.mode is Mode.RESTORE:
            installed = {
                "image": plan.installed.image,
                "image_id": plan.installed.image_id,
                "digest": plan.installed.digest,
            }
        else:
            found = Found(**journal.recall(FOUND))
            installed = {"image": plan.image, "image_id": found.id, "digest": found.digest}
        journal.remember(INSTALLED, installed)
        journal.remember(KEPT, plan.mode is Mode.INSTALL)
        return Event.DONE

    def _roll_back(self, context: Context) -> Event:
        journal = context.journal
        before = self._before(context)
        if not journal.recall(BEGUN):
            return Event.DONE
        self._ballast.drop(context, State.ROLLING_BACK)
        self._running.stop(context, [*self._plan.containers, *before.dependants])
        patiently(context, self._engine, lambda: self._images.put_back(before.images))
        backup = journal.recall(BACKUP)
        if journal.recall(STARTED) and backup is not None:
            self._backups.restore(context, backup["path"])
        elif journal.recall(STARTED):
            journal.note("There is no backup: data stays as the new version left it.")
        self._way(before).put_back(context, before)
        return Event.DONE

    def _restart_as_before(self, context: Context) -> Event:
        before = self._before(context)
        if not self._is_running(before) or not context.journal.recall(BEGUN):
            return Event.NOTHING_TO_DO
        self._ballast.drop(context, State.ROLLBACK_RESTARTING)
        self._way(before).start(context, before, self._in_order(before))
        return Event.DONE

    def _verify_as_before(self, context: Context) -> Event:
        journal, before = context.journal, self._before(context)
        if not self._is_running(before):
            return Event.NOTHING_TO_DO
        if not journal.recall(WAS_WELL):
            journal.note("It was not well before, so nothing more is asked of it now.")
            return Event.NOTHING_TO_DO
        again = bool(journal.recall("asked_as_before"))
        journal.remember("asked_as_before", True)  # noqa: FBT003 - a JSON value
        self._require_well(context, before, HURRIED_SECONDS if again else self._plan.health_seconds)
        return Event.DONE

    def _clean(self, context: Context) -> Event:
        """What broke keeps all that it had; what did not change anything keeps nothing."""
        journal = context.journal
        if journal.is_broken:
            return Event.NOTHING_TO_DO
        patiently(context, self._engine, self._images.release_new)
        is_kept = journal.is_success and bool(journal.recall(KEPT))
        stays = self._around.ways_back() | ({self._plan.upgrade} if is_kept else set())
        if journal.is_success and self._plan.kept_of is not None:
            stays -= {self._plan.kept_of}
        written = self._standing.upgrades(context) if journal.is_success else []
        goes = sorted({*written, self._plan.upgrade} - stays)
        note_forgotten(journal, goes)
        for upgrade in goes:
            self._forget(context, upgrade)
        try:
            if self._plan.backup.wanted:
                self._backups.clear(context)
                self._prune(context)
        finally:
            patiently(context, self._shell, lambda: self._shell.remove_tree(self._work))
        return Event.DONE

    def _forget(self, context: Context, upgrade: str) -> None:
        before = self._standing.read(context, upgrade)
        if before.containers:
            self._way(before).forget(context, upgrade)
        if context.journal.is_success:
            needed, note = self._around.needed(), context.journal.note
            forget = partial(self._images.forget_unused, before.images, needed=needed, note=note)
        else:
            forget = partial(self._images.release, before.images)
        patiently(context, self._engine, forget)
        patiently(context, self._shell, lambda: self._standing.forget(upgrade))

    def _prune(self, context: Context) -> None:
        """What was copied while it ran is not needed any more, nor is any copy of an upgrade after which all is as before."""
        backup = context.journal.recall(BACKUP)
        never = [backup["path"]] if backup and context.journal.is_success else []
        rather = [path for path in self._backups.own(context) if path not in never]
        for path in self._backups.prune(context, never=never, rather=rather):
            context.journal.note(
                f"The backup {path} was not one of those that are kept, and is gone."
            )
