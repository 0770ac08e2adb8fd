"""What is asked of patches and nodes in more than one place."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, When

from devices.drivers.nodes import Status
from patches.models import Application, Node, NodeResult, Patch
from updates.models import Instance, Upgrade

RESTART_NEEDED: Final = ~Q(restart_needed="")
DRIFTED: Final = ~Q(drift=[])


def nodes_of(instance: Instance) -> QuerySet[Node]:
    """The nodes that a patch of `instance` goes into."""
    return Node.objects.filter(instance=instance).select_related(
        "instance__module", "device__credential"
    )


def in_force(instance: Instance) -> QuerySet[Application]:
    """The patches that are in force there, the oldest first."""
    return (
        Application.objects.filter(instance=instance, standing=Application.Standing.ACTIVE)
        .select_related("patch", "upgrade")
        .order_by("upgrade__finished_at")
    )


def expected_on(node: Node) -> dict[str, str]:
    """The version of each patched module that the record says to be loaded on `node`: {path: version}.

    Empty where the patch waited for a restart: whatever the file holds is loaded afterwards.
    """
    expected: dict[str, str] = {}
    applied = NodeResult.objects.filter(
        upgrade__application__in=in_force(node.instance),
        step=NodeResult.Step.APPLY,
        node=node,
    ).order_by("upgrade__finished_at")
    for row in applied:
        for file in row.files:
            if file["status"] and file["is_written"]:
                waits = file["status"] == Status.NOT_UPDATED
                expected[file["path"]] = "" if waits else file["after"]
    return expected


def ordered_with(patch: UUID) -> Q:
    """Is true of every upgrade that was to apply the patch of this id, or to take it back."""
    applied = list(Application.objects.filter(patch=patch).values_list("upgrade", flat=True))
    return Q(pk__in=applied) | Q(undoes__in=applied)


def orders_of_patch(patch: Patch) -> QuerySet[Upgrade]:
    """Every upgrade that was to apply the patch or to take it back, newest first."""
    orders = Upgrade.objects.filter(ordered_with(patch.pk))
    return orders.select_related("device", "instance").order_by("-created_at")


def instances_for(patch: Patch) -> QuerySet[Instance]:
    """The instances of the patch's module: those of its version first, each sort by name."""
    other = Case(When(version=patch.version, then=0), default=1)
    found = Instance.objects.filter(module=patch.module_id)
    return found.select_related("module", "device").order_by(other, "name")


def versions_of(module: int) -> list[str]:
    """The versions that instances of the module have, newest name last; at most 100."""
    found = Instance.objects.filter(module=module).order_by("version")
    return list(found.values_list("version", flat=True).distinct()[:100])


def standing_on(instance: Instance) -> QuerySet[Application]:
    """The patches that are in force there, and those of which nobody knows, the oldest first."""
    there = [Application.Standing.ACTIVE, Application.Standing.BROKEN]
    found = Application.objects.filter(instance=instance, standing__in=there)
    return found.select_related("patch", "upgrade").order_by("upgrade__finished_at")


def attention() -> dict[str, int]:
    """What waits for a person: nodes to "restart" by hand, nodes with "drift" or "away", instances with a "broken" patch;
    and of how many "nodes" altogether.
    """
    broken = Application.objects.filter(
        instance=OuterRef("instance"), standing=Application.Standing.BROKEN
    )
    return Node.objects.aggregate(
        nodes=Count("pk"),
        restart=Count("pk", filter=RESTART_NEEDED),
        drift=Count("pk", filter=DRIFTED),
        away=Count("pk", filter=Q(is_reachable=False)),
        broken=Count("instance", filter=Exists(broken), distinct=True),
    )
