"""What workers run for hot patches and nodes. Each job gets an id, loads, calls one service."""

from __future__ import annotations

from contextlib import ExitStack

import structlog

from devices.drivers.shell import Shell
from patches.models import Node, Patch, PatchCheck
from patches.services import nodes
from patches.services.patch_checks import carry_out_patch_check
from patches.services.recipes import patch_recipe
from portal.core import leaving
from updates.models import Instance, Upgrade
from updates.runner import Recipe
from updates.services.carry_out import carry_out

log = structlog.get_logger(__name__)

GONE = "gone"


def run_patch(upgrade_id: str) -> str:
    """Takes an upgrade of kind `patch` as far as it will go."""
    with ExitStack() as ways:

        def make_recipe(upgrade: Upgrade, _shell: Shell) -> Recipe:
            return patch_recipe(upgrade, ways=ways)

        ending = carry_out(
            upgrade_id,
            make_recipe=make_recipe,
            worker=leaving.worker_name(),
            wants_leave=leaving.is_wanted,
        )
    log.info("job ended", upgrade=upgrade_id, ending=ending.value)
    return ending.value


def run_patch_check(check_id: str) -> str:
    """Asks the nodes, unless the check is gone by now."""
    check = PatchCheck.objects.select_related("patch", "instance").filter(pk=check_id).first()
    return str(carry_out_patch_check(check).integral) if check else GONE


def look_at_patch(patch_id: str) -> str:
    """Asks the module's nodes what they know of the patch's files."""
    patch = Patch.objects.filter(pk=patch_id).first()
    return str(nodes.look_at_patch(patch)) if patch else GONE


def look_at_instance(instance_id: str) -> str:
    """Asks the instance's nodes how they are."""
    instance = Instance.objects.filter(pk=instance_id).first()
    return str(len(nodes.look_at_nodes(instance))) if instance else GONE


def restart_node(node_id: str) -> str:
    """Runs the node's own command for it."""
    node = Node.objects.select_related("instance", "device__credential").filter(pk=node_id).first()
    return nodes.restart_node(node).restart_said if node else GONE
