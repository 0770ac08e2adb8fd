"""Whether containers can be given an image, found out by looking: nothing is changed, nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator

from devices.drivers.engine import Engine
from devices.drivers.engine_containers import ContainerDetails
from devices.drivers.shell import Shell
from devices.errors import DeviceError, DeviceUnreachable
from updates.errors import ComposeRefused
from updates.plan import ContainerPlan, Mode
from updates.recipes.container.backups import Backups
from updates.recipes.container.data_places import all_called, not_held, written_to
from updates.recipes.container.ways import Ways
from updates.recipes.engine_images import Found, Images
from updates.recipes.finding import Finding

NEEDED_TIMES = 2
"""What is pulled is there compressed and unpacked for a while."""


class ContainerFit:
    """Looks at one plan. After `findings` has been read to its end, `image` is what was found; `in_passing` none is."""

    def __init__(
        self,
        plan: ContainerPlan,
        shell: Shell,
        engine: Engine,
        *,
        images: Images,
        ways: Ways,
        backups: Backups,
        in_passing: bool,
    ) -> None:
        self._plan = plan
        self._shell = shell
        self._engine = engine
        self._images = images
        self._ways = ways
        self._backups = backups
        self._in_passing = in_passing
        self._running_id = ""
        self.image: Found | None = None

    def findings(self) -> Iterator[Finding]:
        """A finding for each thing that the plan needs: the cheap ones first, registries last."""
        yield Finding("engine", ok=True, says=f"{self._engine.version()} answers.")
        containers = [self._engine.containers.named(name) for name in self._plan.containers]
        yield from self._set(containers)
        there = {one.name: one.labels for one in containers if one is not None}
        if len(there) < len(containers):
            return
        try:
            yield from self._ways.for_containers(there).findings()
        except ComposeRefused as error:
            yield Finding("Compose", ok=False, says=str(error))
        if self._plan.backup.wanted:
            yield from self._backups.findings(in_passing=self._in_passing)
            yield from self._not_held(containers)
        else:
            says = "No backup is made: data cannot be put back."
            yield Finding("backup", ok=True, says=says, warns=True)
        if self._in_passing:
            yield self._space(None)
        elif self._plan.mode is Mode.INSTALL:
            yield self._image()
            if self.image is not None:
                yield self._space(self.image)

    @property
    def is_there(self) -> bool:
        """Whether the set runs from this very image."""
        if self.image is None or not self._running_id:
            return False
        if self.image.id:
            return self.image.id == self._running_id
        running = self._engine.image(self._running_id)
        digests = [one.partition("@")[2] for one in running.digests] if running else []
        return self.image.digest in digests

    def _set(self, containers: list[ContainerDetails | None]) -> Iterator[Finding]:
        what = "containers"
        there = [one for one in containers if one is not None]
        missing = [
            name for name, one in zip(self._plan.containers, containers, strict=True) if one is None
        ]
        if missing:
            says = f"The engine has no container {', '.join(missing)}."
            yield Finding(what, ok=False, says=says)
        if len({one.image_id for one in there}) > 1:
            made = ", ".join(f"{one.name} from {one.image}" for one in there)
            yield Finding(what, ok=False, says=f"They are made from different images: {made}.")
        elif there and not missing:
            self._running_id = there[0].image_id
            states = ", ".join(f"{one.name} is {one.state}" for one in there)
            yield Finding(what, ok=True, says=f"{states}.")

    def _not_held(self, containers: list[ContainerDetails | None]) -> Iterator[Finding]:
        """Whatever they may change and nobody can put back is told, so that no backup promises more than it holds."""
        written = [name for one in containers if one for name in written_to(one.mounts)]
        if left := not_held(written, self._plan.backup.volumes):
            says = (
                f"NOT backed up, and not put back by a rollback: {all_called(left)}. "
                "The settings say which data a backup holds."
            )
            yield Finding("data", ok=True, says=says, warns=True)

    def _image(self) -> Finding:
        what = "image"
        try:
            self.image = self._asked()
        except DeviceUnreachable:
            raise
        except DeviceError as error:
            return Finding(what, ok=False, says=str(error))
        engine = self._engine.platform()
        if self.image.platform.split("/")[:2] != [engine.os, engine.architecture]:
            says = f"{self._plan.image} is for {self.image.platform}; the engine runs {engine}."
            return Finding(what, ok=False, says=says)
        where = "is on the engine" if self.image.id else "is in its registry"
        return Finding(what, ok=True, says=f"{self._plan.image} {where}: {self.image.digest[:19]}.")

    def _asked(self) -> Found:
        """What the registry has; where it says nothing, what the engine has, if that is not what runs already."""
        try:
            return self._images.resolve(self._plan.image)[0]
        except DeviceUnreachable:
            raise
        except DeviceError:
            here = self._engine.image(self._plan.image)
            if here is None or here.id == self._running_id:
                raise
            return Found.of(self._plan.image, here)

    def _space(self, image: Found | None) -> Finding:
        needed = 0 if image is None or image.id else NEEDED_TIMES * image.size
        needed += self._plan.min_free_bytes
        root = self._engine.root_dir()
        free = self._shell.free_bytes(root)
        says = f"{root} of the engine: {free // 2**20} MiB free, {needed // 2**20} MiB are needed."
        return Finding("space", ok=free >= needed, says=says)
