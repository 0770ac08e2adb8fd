"""Running systems with patches in every state, for pages to show."""

from __future__ import annotations

from dataclasses import dataclass

from patches.models import Node, Patch
from tests.journal.rows import new_device
from tests.patches.rows import PATHS, applied, broke, checked, new_instance, new_node, new_patch
from updates.models import Instance, Upgrade


@dataclass(frozen=True)
class Systems:
    """`patch` is in force on `instance`, `next_patch` checked there; `node` needs a restart and has drifted."""

    instance: Instance
    node: Node
    patch: Patch
    next_patch: Patch
    upgrades: dict[str, Upgrade]


def with_systems() -> Systems:
    """Three instances of one module: one patched, one broken, one of another version."""
    instance = new_instance("billing-north", device=new_device("rack-1"))
    nodes = [new_node(instance, f"billing-north-{number}") for number in range(1, 4)]
    patch = new_patch("rounding-fix")
    patch.known_to = {path: [node.name for node in nodes[:2]] for path in PATHS}
    patch.notes = "Amounts are rounded, not cut."
    patch.save()
    upgrade = applied(patch, instance, status=4)
    node = nodes[0]
    node.restart_needed = "bay_counter of 1.0.0 + rounding-fix could not be loaded."
    node.restart_command = "systemctl restart billing"
    node.restart_said = "Its command ended with status 0.\nStopped.\nStarted."
    node.drift = [{"path": PATHS[0], "recorded": "b" * 32, "loaded": "a" * 32}]
    node.save()
    following = new_patch("queue-fix")
    checked(following, instance, worst=3)
    other = new_instance("billing-south", device=new_device("rack-2"))
    new_node(other, "billing-south-1", is_reachable=False, trouble="Nobody answers at its port.")
    broken = broke(new_patch("cache-fix"), other)
    checked(following, other, over=False)
    new_instance("billing-old", version="0.9.0", device=new_device("rack-3"))
    return Systems(instance, node, patch, following, {"patched": upgrade, "patch broken": broken})
