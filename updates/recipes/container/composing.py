"""Containers replaced by Compose, from the files that they were made from: the image is what its reference there names by then.

Compose finds containers by their labels, so an old one cannot stand aside under another name. What is kept is its image, under a
tag of ours, and the engine's description of it: if the files make no container any more, the old one is made again from that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from devices.drivers.engine import Engine
from devices.drivers.shell import Shell
from updates.errors import ComposeRefused, StepFailed
from updates.formats.compose import ComposeProject, pinned
from updates.plan import ContainerPlan
from updates.recipes.container.before import Before
from updates.recipes.container.clone import UPGRADE_LABEL
from updates.recipes.container.cloning import Cloning
from updates.recipes.container.compose import Compose, ComposeCall, Program
from updates.recipes.container.running import Running
from updates.recipes.detached import DetachedCalls
from updates.recipes.finding import Finding
from updates.recipes.patience import patiently
from updates.runner import Context


class Composing:
    """Replaces the containers of one plan: each is a service's, of one of the `projects` by the container's name."""

    def __init__(
        self,
        plan: ContainerPlan,
        shell: Shell,
        engine: Engine,
        calls: DetachedCalls,
        projects: Mapping[str, ComposeProject],
    ) -> None:
        self._plan = plan
        self._shell = shell
        self._engine = engine
        self._calls = calls
        self._projects = projects
        self._running = Running(plan, engine)
        self._cloning = Cloning(plan, engine)

    def findings(self) -> Iterator[Finding]:
        what = "Compose"
        try:
            for name, compose in self._composes().items():
                yield self._finding(name, compose)
        except ComposeRefused as error:
            yield Finding(what, ok=False, says=str(error))

    def _finding(self, name: str, compose: Compose) -> Finding:
        what, project, config = "Compose", self._projects[name], compose.config()
        service = config.service(project.service)
        said = pinned(service.image, self._plan.image, service=service.name, files=project.files)
        if said:
            return Finding(what, ok=False, says=said)
        if len(compose.containers()) > self._scale(name):
            says = f"{service.name} of {project.name} has more containers than are watched: watch all of them together."
            return Finding(what, ok=False, says=says)
        if config.unset:
            names = ", ".join(config.unset)
            says = f"The files of {project.name} use what nobody sets: {names}. Set it in .env."
            return Finding(what, ok=self._plan.force, says=says)
        says = f"{service.name} of {project.name}: {compose.program} makes it anew from {', '.join(project.files)}."
        return Finding(what, ok=True, says=says)

    def _composes(self) -> dict[str, Compose]:
        """For each service, by the first of its containers."""
        program = Program.found(self._shell)
        firsts = {
            (one.name, one.service): name for name, one in reversed(list(self._projects.items()))
        }
        return {
            name: Compose(self._shell, program, self._projects[name], container=name)
            for name in reversed(firsts.values())
        }

    def _scale(self, name: str) -> int:
        """How many containers that one's service has."""
        mine = self._projects[name]
        return sum(
            (one.name, one.service) == (mine.name, mine.service) for one in self._projects.values()
        )

    def create(self, context: Context, before: Before, *, image_id: str) -> None:
        composes = patiently(context, self._shell, self._composes)
        for name, compose in composes.items():
            config = patiently(context, self._shell, compose.config)
            reference = config.service(self._projects[name].service).image
            patiently(context, self._engine, partial(self._engine.tag, image_id, reference))
        self._up(context, composes)
        self._require(context, image_id=image_id)
        self._follow(context, before)

    def _follow(self, context: Context, before: Before) -> None:
        """Those that live in the network of one that was replaced live in the new one's.

        None stands aside: where Compose made it, Compose would find it there, too.
        """
        for name in before.dependants:
            self._cloning.make_again(context, before, name)

    def start(self, context: Context, before: Before, names: list[str]) -> None:
        """What Compose created, Compose starts: 1 connects it to all but one of its networks only then."""
        fresh = [
            name
            for name in names
            if name in self._projects and self._is_fresh(context, before, name)
        ]
        composes = patiently(context, self._shell, self._composes) if fresh else {}
        for name in names:
            if name not in fresh:
                self._running.start(context, [name])
            elif name in composes:
                call = composes[name].start()
                self._call(context, f"compose-start-{name}", call, f"Compose does not start {name}")

    def _is_fresh(self, context: Context, before: Before, name: str) -> bool:
        """Whether Compose made it in this upgrade."""
        here = patiently(context, self._engine, partial(self._engine.containers.named, name))
        if here is None or here.labels.get(UPGRADE_LABEL) == self._plan.upgrade:
            return False
        return here.id != before.containers[name].get("Id")

    def put_back(self, context: Context, before: Before) -> None:
        if self._stand(context, before):
            for name in before.containers:
                self._running.as_before(context, before, name)
            return
        try:
            self._up(context, patiently(context, self._shell, self._composes))
            self._require(context, image_id=before.image_id)
        except (StepFailed, ComposeRefused) as error:
            context.journal.note(f"Compose does not make the old containers again: {error}")
            for name in self._plan.containers:
                self._cloning.make_again(context, before, name)
        self._follow(context, before)

    def forget(self, context: Context, upgrade: str) -> None:
        self._cloning.forget(context, upgrade)

    def _up(self, context: Context, composes: Mapping[str, Compose]) -> None:
        for name, compose in composes.items():
            call = compose.create(scale=self._scale(name), grace_seconds=self._plan.stop_seconds)
            self._call(context, f"compose-{name}", call, f"Compose does not create {name}")

    def _call(self, context: Context, word: str, call: ComposeCall, complaint: str) -> None:
        status, said = self._calls.timed(
            context, word, command=call.command, cwd=call.cwd, env=call.env
        )
        if status:
            raise StepFailed(f"{complaint} (status {status}).", call=context.key(word), output=said)

    def _require(self, context: Context, *, image_id: str) -> None:
        """Files may name another image than we think, and another container."""
        for name in self._plan.containers:
            here = patiently(context, self._engine, partial(self._engine.containers.named, name))
            if here is None:
                raise StepFailed(f"Compose made no container {name}.")
            if here.image_id != image_id:
                raise StepFailed(
                    f"Compose made {name} from {here.image} ({here.image_id[:19]}), not from the image that was asked for."
                )

    def _stand(self, context: Context, before: Before) -> bool:
        """Whether all of the old containers are there still: nothing was replaced yet."""
        for name in before.containers:
            here = patiently(context, self._engine, partial(self._engine.containers.named, name))
            if here is None or here.id != before.containers[name].get("Id"):
                return False
        return True
