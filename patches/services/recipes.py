"""The recipe of a patch with the portal's storage and the nodes' connections behind it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from django.conf import settings

from devices.drivers.nodes import PatchFile
from patches.models import Node
from patches.recipe import PatchRecipe
from patches.services.memory import StoredMemory
from patches.services.patch_checks import patch_files
from patches.services.patches import read_stored
from patches.services.reach import members_of
from updates.errors import StepFailed
from updates.models import Upgrade
from updates.plan import PatchPlan


def patch_recipe(upgrade: Upgrade, *, ways: ExitStack) -> PatchRecipe:
    """The recipe for the upgrade's plan. The ways to the nodes stay open until `ways` is closed."""
    plan = PatchPlan.from_json(upgrade.plan)
    nodes = list(
        Node.objects.filter(pk__in=plan.nodes).select_related(
            "instance__module", "device__credential"
        )
    )
    if missing := len(plan.nodes) - len(nodes):
        raise StepFailed(f"{missing} of its nodes are not known any more.")
    return PatchRecipe(
        plan,
        members=ways.enter_context(members_of(nodes)),
        read_files=_read(plan),
        memory=StoredMemory(upgrade, nodes),
        away_seconds=settings.PATCH_AWAY_SECONDS,
    )


def _read(plan: PatchPlan) -> Callable[[], list[PatchFile]]:
    return lambda: patch_files(read_stored(plan.file, sha256=plan.sha256))
