"""Running systems with patches in every state, and instances of a module image, for pages to show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from patches.models import Node, Patch
from portal.core import clock
from portal.core.actors import PORTAL
from tests.journal.rows import new_device
from tests.modules.rows import image_checked, publish, upgrade_of
from tests.modules.rows import new_instance as installed
from tests.modules.rows import order as order_module
from tests.patches.rows import PATHS, applied, broke, checked, new_instance, new_node, new_patch
from tests.watching.rows import container, seen, watched
from updates.models import ContainerCheck, Instance, ModuleOrder, Upgrade, WatchedContainer
from updates.services.container_checks import installed_now
from updates.services.installations import hold_instance


@dataclass(frozen=True)
class Systems:
    """`patch` is in force on `instance`, `next_patch` checked there; `node` needs a restart and has drifted.

    `installed` is held and waits for `module_order`, whose canary is another one.
    """

    instance: Instance
    node: Node
    patch: Patch
    next_patch: Patch
    installed: Instance
    module_order: ModuleOrder
    watched: WatchedContainer
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
    waits, order = _module_instances()
    return Systems(
        instance, node, patch, following, waits, order, _watched(),
        {"patched": upgrade, "patch broken": broken, "module update waits": upgrade_of(waits)},
    )  # fmt: skip


def _watched() -> WatchedContainer:
    """One that could be newer, on an engine with more; its registry is down by now, and a preflight has found faults."""
    row = watched("webshop", device=new_device("rack-4"))
    seen(
        row.instance.device, container("webshop"), container("cache", volumes=["cache-data"]),
        *(container(name, project="mail") for name in ("mail-in-1", "mail-out-1")),
    )  # fmt: skip
    now = clock.now()
    row.newest, row.newest_digest, row.skipped = "1.1.0", f"sha256:{'b' * 64}", ["1.0.9"]
    row.notes_url = "https://github.com/example/shop/releases?q=1.1.0&expanded=true"
    row.asked_at = row.answered_at = now - timedelta(hours=5)
    row.error = "The registry ghcr.io cannot be reached."
    row.save()
    found = [
        {"what": "engine", "ok": True, "says": "Docker Engine 28.1, API 1.48 answers."},
        {"what": "space", "ok": False, "says": "/var/lib/docker of the engine: 120 MiB free, 700 MiB are needed."},
    ]  # fmt: skip
    ContainerCheck.objects.create(
        watched=row, image="ghcr.io/example/shop:1.1.0", verdict=ContainerCheck.Verdict.REFUSED,
        findings=found, installed=installed_now(row), requested_by_name="alice", requested_at=now,
        checked_at=now,
    )  # fmt: skip
    return row


def _module_instances() -> tuple[Instance, ModuleOrder]:
    publish("1.0.9", "1.1.0", name="house")
    canary = installed("mymodule1", device=new_device("site-1"))
    waits = installed(
        "mymodule2", device=new_device("site-2"), skipped=["1.0.9"], keeps_data=True,
        volumes=["mymodule-data"], first_tcp_port=20000, tcp_ports=2,
        probes=[{"kind": "http", "url": "http://127.0.0.1:20000/"}],
    )  # fmt: skip
    busy = installed("mymodule3", device=new_device("site-3"), is_held=True, held_why="The audit.")
    order = order_module(canary, waits, busy, actor=PORTAL, canary=True, stops_at_failure=True)
    image_checked(waits)
    hold_instance(instance=waits, why="After this one, until the audit is over.", actor=PORTAL)
    return waits, order
