"""Which way the containers of a set are replaced: their labels say whether Compose made them."""

from __future__ import annotations

from collections.abc import Mapping

from devices.drivers.engine import Engine
from devices.drivers.shell import Shell
from updates.errors import ComposeRefused
from updates.formats.compose import project_of
from updates.plan import ContainerPlan
from updates.recipes.container.cloning import Cloning
from updates.recipes.container.composing import Composing
from updates.recipes.container.replacing import Replacing
from updates.recipes.detached import DetachedCalls

Labels = Mapping[str, str]


class Ways:
    """For one plan on one device."""

    def __init__(
        self, plan: ContainerPlan, shell: Shell, engine: Engine, calls: DetachedCalls
    ) -> None:
        self._plan = plan
        self._shell = shell
        self._engine = engine
        self._calls = calls

    def for_containers(self, labels: Mapping[str, Labels]) -> Replacing:
        """The way for containers with these labels, by name. ComposeRefused for labels that cannot be, and for a mixed set."""
        projects = {name: project_of(labels[name]) for name in self._plan.containers}
        known = {name: project for name, project in projects.items() if project is not None}
        if not known:
            return Cloning(self._plan, self._engine)
        if len(known) < len(projects):
            alone = ", ".join(name for name in projects if name not in known)
            raise ComposeRefused(
                "mixed-set",
                f"{', '.join(known)} were made by Compose and {alone} was not: watch them apart.",
            )
        if self._plan.project_dir:
            known = {name: one.seen_at(self._plan.project_dir) for name, one in known.items()}
        return Composing(self._plan, self._shell, self._engine, self._calls, known)
