"""Running systems in the fleet that is measured: instances, their nodes, patches, and one patch that is checked everywhere."""

from __future__ import annotations

from secrets import token_hex
from typing import Any, Final

from devices.models import Device
from patches.models import Node, NodeResult, Patch, PatchCheck
from portal.core import clock
from updates.models import Instance, Module

INSTANCES: Final = 2000
NODES: Final = 3
"""Of each instance."""
PATCHES: Final = 200
FILES: Final = 20
BATCH: Final = 2000


def fill_systems() -> None:
    """Instances on the first devices, all of one module; the newest patch is checked on every node."""
    now = clock.now()
    module = Module.objects.create(name="shop", runtime=Module.Runtime.BEAM)
    devices = Device.objects.order_by("pk")[:INSTANCES]
    instances = Instance.objects.bulk_create(
        Instance(module=module, device=device, name=f"shop-{number:05}", version="1.0.0")
        for number, device in enumerate(devices)
    )
    nodes = Node.objects.bulk_create(
        (
            Node(
                instance=instance, device=instance.device, name=f"{instance.name}-{number}",
                address=f"{instance.name}-{number}@host", root="/opt/shop", secret=token_hex(8),
                application="shop", is_reachable=number != 2, runtime="Erlang/OTP 25, ERTS 13.1.5",
                version="1.0.0", asked_at=now, seen_at=now,
                restart_needed="shop_cart could not be loaded." if instance.pk % 50 == 0 else "",
            )
            for instance in instances
            for number in range(NODES)
        ),
        batch_size=BATCH,
    )  # fmt: skip
    patches = Patch.objects.bulk_create(
        Patch(
            name=f"fix-{number:03}", module=module, version="1.0.0", file="patches/none.zip",
            sha256=f"{number:064x}", size=FILES * 1200, composition=_composition(number),
            known_to={}, uploaded_by_name="person01", uploaded_at=now,
        )
        for number in range(PATCHES)
    )  # fmt: skip
    _check_everywhere(patches[-1], nodes)


def _check_everywhere(patch: Patch, nodes: list[Node]) -> None:
    now, of = clock.now(), {node.instance_id: node.instance for node in nodes}
    ids: dict[int, list[int]] = {}
    for node in nodes:
        ids.setdefault(node.instance_id, []).append(node.pk)
    checks = PatchCheck.objects.bulk_create(
        (
            PatchCheck(
                patch=patch, instance=instance, version="1.0.0", integral=6, requested_at=now,
                nodes=ids[instance.pk],
                version_says="by what its nodes report", requested_by_name="person01",
                checked_at=now,
            )
            for instance in of.values()
        ),
        batch_size=BATCH,
    )  # fmt: skip
    check_of = {check.instance_id: check for check in checks}
    files = [
        {**row, "status": 6, "reason": "loaded", "detail": "", "before": "a" * 32, "after": "b" * 32,
         "lingering": 0, "is_written": False}
        for row in patch.composition
    ]  # fmt: skip
    NodeResult.objects.bulk_create(
        (
            NodeResult(
                check_of=check_of[node.instance_id], step=NodeResult.Step.CHECK, node=node,
                node_name=node.name, is_reachable=True, status=6, files=files, at=now,
            )
            for node in nodes
        ),
        batch_size=BATCH,
    )  # fmt: skip


def _composition(number: int) -> list[dict[str, Any]]:
    return [
        {
            "path": f"lib/shop-1.0.0/ebin/shop_{file}.beam", "size": 1200, "is_code": True, "says": "",
            "sha256": f"{number:064x}", "name": f"shop_{file}", "version": f"{number:032x}",
        }
        for file in range(FILES)
    ]  # fmt: skip
