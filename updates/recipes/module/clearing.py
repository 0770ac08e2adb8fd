"""What goes once an upgrade is over: old ways back, and images that nobody needs any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from devices.drivers.shell import Shell
from updates.plan import ModulePlan
from updates.recipes.engine_images import Images, in_full
from updates.recipes.module.account import Account
from updates.recipes.module.fetching import in_force_after
from updates.recipes.module.keeping import Keeping
from updates.recipes.module.tree import Tree
from updates.recipes.patience import patiently
from updates.recipes.ways_back import note_forgotten
from updates.runner import Context


@dataclass(frozen=True, slots=True)
class Retention:
    """Which upgrades of the instance keep their ways back, by their ids; which images others on the device have in force."""

    stays: Callable[[], set[str]]
    needed_elsewhere: Callable[[], set[str]]


class Clearing:
    """For one plan's instance, on its device and its engine."""

    def __init__(
        self,
        plan: ModulePlan,
        shell: Shell,
        *,
        images: Images,
        tree: Tree,
        keeping: Keeping,
        retention: Retention,
    ) -> None:
        self._plan = plan
        self._shell = shell
        self._images = images
        self._tree = tree
        self._keeping = keeping
        self._retention = retention

    def forget(self, context: Context, *, is_kept: bool) -> None:
        """Of upgrades that do not stay nothing is kept, nor of this one unless `is_kept`; images go if nobody needs them."""
        plan, is_success = self._plan, context.journal.is_success
        stays = self._retention.stays() if is_success else set(self._tree.kept(context))
        if plan.kept_of is not None and is_success:
            stays -= {plan.kept_of}  # it is in force, and no way back any more
        stays = stays | {plan.upgrade} if is_kept else stays - {plan.upgrade}
        in_force = in_force_after(self._tree.environment(context), plan.installed.image)
        self._forget(context, stays=stays, needed=set(in_force) if is_success else None)
        if is_kept:
            self._tree.forget_stage(context)

    def forget_all(self, context: Context) -> None:
        """No way back of the instance is left, nor images that only it needed."""
        found = patiently(context, self._shell, lambda: Account.found(self._shell, self._plan.user))
        if found is not None:
            self._forget(context, stays=set(), needed=set())
        self._keeping.forget_instance()

    def _forget(self, context: Context, *, stays: set[str], needed: set[str] | None) -> None:
        """`needed` are references that the instance itself needs; None: no image loses its name, only our tags go."""
        goes = [upgrade for upgrade in self._tree.kept(context) if upgrade not in stays]
        if goes:
            note_forgotten(context.journal, goes)
        for upgrade in goes:
            rows = self._keeping.read(context, upgrade).images
            if needed is None:
                self._images.release(rows)
            else:
                all_needed = in_full(needed | self._retention.needed_elsewhere())
                self._images.forget(rows, needed=all_needed, note=context.journal.note)
            self._keeping.forget(upgrade)
        if goes:
            self._tree.forget(context, goes)
