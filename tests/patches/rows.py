"""Rows for tests of pages: instances, nodes and patches as the services leave them, without anything that runs."""

from __future__ import annotations

import io
import zipfile
from itertools import count
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from devices.models import Device
from patches.models import Application, KeptFiles, Node, NodeResult, Patch, PatchCheck
from patches.services.patch_orders import apply_patch
from portal.core import clock
from portal.core.actors import PORTAL
from tests.journal.rows import brought_to, held, new_device
from updates.machine import Event, State
from updates.models import Instance, Module, Upgrade

PATHS = ("lib/bay/ebin/bay_greeting.beam", "lib/bay/ebin/bay_counter.beam")
NOTE = "lib/bay/priv/note.txt"

_numbers = count(1)


def new_module(name: str = "bay", *, runtime: str = "beam") -> Module:
    return Module.objects.get_or_create(name=name, defaults={"runtime": runtime})[0]


def new_instance(
    name: str = "", *, module: str = "bay", version: str = "1.0.0", device: Device | None = None
) -> Instance:
    number = next(_numbers)
    return Instance.objects.create(
        module=new_module(module), device=device or new_device(f"host-{number}"),
        name=name or f"bay-{number}", version=version,
    )  # fmt: skip


def new_node(instance: Instance, name: str = "", **fields: object) -> Node:
    name = name or f"node-{next(_numbers)}"
    return Node.objects.create(
        **{
            "instance": instance, "device": instance.device, "name": name,
            "address": f"{name}@127.0.0.1", "secret": "s3cret-cookie", "root": "/opt/bay",
            "application": "bay", "is_reachable": True, "runtime": "Erlang/OTP 25, ERTS 13.1.5",
            "version": instance.version, "asked_at": clock.now(), "seen_at": clock.now(),
        } | fields
    )  # fmt: skip


def new_patch(name: str = "fix", *, module: str = "bay", version: str = "1.0.0") -> Patch:
    number = next(_numbers)
    code = [
        {
            "path": path, "size": 1200, "sha256": f"{number:064x}", "is_code": True, "says": "",
            "name": path.rpartition("/")[2].removesuffix(".beam"), "version": f"{number:032x}",
        }
        for path in PATHS
    ]  # fmt: skip
    other = {
        "path": NOTE, "size": 4, "sha256": f"{number:064x}", "is_code": False, "says": "",
        "name": "", "version": "",
    }  # fmt: skip
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        out.writestr(NOTE, b"two\n")
    stored = default_storage.save(f"patches/{number}.zip", ContentFile(packed.getvalue()))
    return Patch.objects.create(
        name=name, module=new_module(module), version=version, file=stored, size=2400,
        sha256=f"{number:064x}", composition=[*code, other], known_to=None,
        uploaded_by_name="olga", uploaded_at=clock.now(),
    )  # fmt: skip


def file_of(path: str, status: int | None, *, written: bool = False) -> dict[str, Any]:
    return {
        "path": path, "name": path.rpartition("/")[2].removesuffix(".beam"), "status": status,
        "reason": "loaded" if status == 6 else "lingering", "detail": "", "before": "a" * 32,
        "after": "b" * 32, "lingering": 0, "is_written": written,
    }  # fmt: skip


def answered(node: Node, status: int | None, **words: object) -> NodeResult:
    """One node's answer, on record with `words`: check_of, or upgrade and step."""
    files = [file_of(path, status, written="upgrade" in words) for path in PATHS]
    return NodeResult.objects.create(
        node=node, node_name=node.name, is_reachable=True, runtime=node.runtime,
        version=node.version, status=status, needs_restart=status == 4, millis=12, at=clock.now(),
        **{"files": [*files, file_of(NOTE, None)], **words},
    )  # fmt: skip


def checked(
    patch: Patch,
    instance: Instance,
    *,
    status: int = 6,
    worst: int | None = None,
    over: bool = True,
) -> PatchCheck:
    """Every node of the instance has said `status`, the first of them `worst`."""
    nodes = list(instance.nodes.order_by("pk"))
    lowest = min(status, worst or status)
    check = PatchCheck.objects.create(
        patch=patch, instance=instance, nodes=[node.pk for node in nodes],
        version=instance.version, version_says="by what its nodes report",
        integral=lowest if over else None, requested_by_name="olga", requested_at=clock.now(),
        checked_at=clock.now() if over else None,
    )  # fmt: skip
    for node in nodes if over else nodes[:1]:
        said = worst if worst and node == nodes[0] else status
        answered(node, said, check_of=check, step=NodeResult.Step.CHECK)
    return check


def ordered(patch: Patch, instance: Instance) -> Upgrade:
    """The patch was checked, and waits for a worker."""
    if not PatchCheck.objects.filter(patch=patch, instance=instance).exists():
        checked(patch, instance)
    return apply_patch(patch=patch, instance=instance, actor=PORTAL, reason="It is urgent")


def applied(patch: Patch, instance: Instance, *, status: int = 6) -> Upgrade:
    """The patch is in force."""
    upgrade = ordered(patch, instance)
    for node in instance.nodes.all():
        answered(node, status, upgrade=upgrade, step=NodeResult.Step.APPLY)
        KeptFiles.objects.create(
            upgrade=upgrade,
            node=node,
            file="patches/kept/none",
            sha256="0" * 64,
            kept_at=clock.now(),
        )
    brought_to(State.FINISHED, held(upgrade))
    upgrade.refresh_from_db()
    assert Application.objects.get(upgrade=upgrade).standing == Application.Standing.ACTIVE
    return upgrade


def broke(patch: Patch, instance: Instance) -> Upgrade:
    """It went wrong on a node, and the way back did, too."""
    upgrade = ordered(patch, instance)
    journal = held(upgrade)
    brought_to(State.INSTALLING, journal)
    for node in instance.nodes.all():
        answered(node, 1, upgrade=upgrade, step=NodeResult.Step.APPLY)
    journal.take(Event.FAILED)
    journal.take(Event.FAILED)
    while journal.state is not State.FINISHED:
        journal.take(Event.DONE)
    upgrade.refresh_from_db()
    assert Application.objects.get(upgrade=upgrade).standing == Application.Standing.BROKEN
    return upgrade
