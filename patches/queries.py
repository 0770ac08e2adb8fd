"""What is asked of patches and nodes in more than one place."""

from __future__ import annotations

from django.db.models import QuerySet

from devices.drivers.nodes import Status
from patches.models import Application, Node, NodeResult, Patch
from updates.models import Instance, Upgrade


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


def orders_of_patch(patch: Patch) -> QuerySet[Upgrade]:
    """Every upgrade that was to apply the patch or to take it back, newest first."""
    applied = Upgrade.objects.filter(application__patch=patch)
    undone = Upgrade.objects.filter(undoes__application__patch=patch)
    return (applied | undone).select_related("device", "instance").order_by("-created_at")
