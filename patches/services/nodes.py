"""How nodes are: asking them, restarting them, and what follows from what they say."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from devices import services as devices
from devices.drivers.nodes import Loaded, NodeReport
from devices.errors import DeviceError
from devices.models import Device
from patches.asking import ask_all
from patches.models import Node, Patch
from patches.queries import expected_on, nodes_of
from patches.services.elimination import is_quiet, note_version
from patches.services.memory import note_answer
from patches.services.patches import look_job, start_look
from patches.services.reach import members_of
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates import dispatch
from updates.models import Instance
from updates.services.reasons import given_reason

LOOK_JOB: Final = "patches.jobs.look_at_instance"
RESTART_JOB: Final = "patches.jobs.restart_node"
RESTART_SECONDS: Final = 300.0
START_PAUSE_SECONDS: Final = 2.0
RESTARTS: Final = "It is being restarted."
"""What `restart_said` says until the command has ended."""
RESTART_LOST: Final = (
    "Nobody knows how its command ended: the worker that ran it is gone. Look again at how it is."
)
CLEARLY_OVER: Final = timedelta(seconds=RESTART_SECONDS + 60)
"""How long after its beginning no worker can be at a restart any more, with the time to reach the device."""
SAID: Final = 4000
AT_ONCE: Final = 200


def request_look(*, instance: Instance, actor: Actor) -> None:
    """Every node of the instance is being asked how it is."""
    actor.require("patches.look_at_node")
    with transaction.atomic():
        audit.record(actor=actor, action="node.look", subject=instance)
        dispatch.start_job(
            LOOK_JOB, argument=str(instance.pk), job=f"nodes-{instance.pk}-{clock.now():%H%M%S}"
        )


def look_at_nodes(instance: Instance) -> list[Node]:
    """Each node's record says what it answered just now. Another version than the recorded one eliminates what was patched.

    While something is being changed there, before the answers or since, only what has nothing to do with that is noted.
    """
    began = clock.now()
    nodes = {node.pk: node for node in nodes_of(instance)}
    expected = {pk: expected_on(node) for pk, node in nodes.items()}
    paths = {pk: sorted({*expected[pk], *node.restart_paths}) for pk, node in nodes.items()}
    with members_of(nodes.values()) as members:
        ask = ask_all(members, lambda one: one.runtime.inspect(paths[one.id]), tick=_idle)
        reports = {member.id: report for member, report in ask}
    with transaction.atomic():
        Device.objects.select_for_update().get(pk=instance.device_id)
        judges = is_quiet(instance, since=began)
        for pk, report in reports.items():
            note_answer(nodes[pk], report)
            if judges and report.is_reachable:
                _judge(nodes[pk], report, expected=expected[pk])
        if judges:
            note_version(instance, list(reports.values()))
    return list(nodes.values())


def look_at_due(known: set[str]) -> None:
    """Instances with a node that was not asked for `settings.NODE_LOOK_SECONDS` are being asked; 0: only by people."""
    if not settings.NODE_LOOK_SECONDS:
        return
    limit = clock.now() - timedelta(seconds=settings.NODE_LOOK_SECONDS)
    late = Node.objects.filter(Q(asked_at=None) | Q(asked_at__lt=limit)).order_by("asked_at")
    for instance in late.values_list("instance", flat=True)[:AT_ONCE]:
        if (job := f"nodes-{instance}") not in known:
            dispatch.start_job(LOOK_JOB, argument=str(instance), job=job)
            known.add(job)


def _judge(node: Node, report: NodeReport, *, expected: dict[str, str]) -> None:
    """What is as it should be needs no restart any more; what is not is a drift."""
    rows = [row for row in report.loaded if row.is_loaded]
    waits = [row.path for row in rows if row.version != row.disk_version]
    if not set(waits) & set(node.restart_paths):
        node.restart_needed, node.restart_paths = "", []
    node.drift = [
        {"path": row.path, "recorded": wanted, "loaded": row.version}
        for row in rows
        if row.path in expected
        and row.version != (wanted := expected[row.path] or _unless_waiting(node, row))
    ]
    node.save(update_fields=["drift", "restart_needed", "restart_paths"])


def _unless_waiting(node: Node, row: Loaded) -> str:
    return row.version if node.restart_needed else row.disk_version


def look_at_patch(patch: Patch) -> Patch:
    """The patch's record says which nodes know each of its modules: loaded, or on their disk."""
    nodes = Node.objects.filter(instance__module=patch.module).select_related(
        "instance__module", "device__credential"
    )
    paths = [row["path"] for row in patch.composition if row["is_code"]]
    known: dict[str, list[str]] = {path: [] for path in paths}
    with members_of(nodes) as members:
        for member, report in ask_all(members, lambda one: one.runtime.inspect(paths), tick=_idle):
            for row in report.loaded:
                if row.is_loaded or row.disk_version:
                    known[row.path].append(member.name)
    patch.known_to = {path: sorted(names) for path, names in known.items()}
    patch.save(update_fields=["known_to"])
    return patch


def request_restart(*, node: Node, actor: Actor, reason: str) -> None:
    """The node's own command for it is being run on its device. Refused where nobody has said which one that is."""
    actor.require("patches.restart_node")
    if not node.restart_command:
        raise Refused(
            f"Nobody has said by which command {node} is restarted: its page asks for it."
        )
    with transaction.atomic():
        audit.record(actor=actor, action="node.restart", subject=node, reason=given_reason(reason))
        node.restart_said, node.restart_wanted_at = "It is to be restarted.", clock.now()
        node.save(update_fields=["restart_said", "restart_wanted_at"])
        _start_restart(node)


def is_being_restarted(node: Node) -> bool:
    """Whether a restart was ordered whose command has not ended yet."""
    return node.restart_wanted_at is not None or node.restart_said == RESTARTS


def recover_nodes(known: set[str]) -> None:
    """Every ordered restart that nobody has begun has a job, and every patch whose modules nobody was asked about.

    A restart whose worker is gone is over, and says so: whether its command is to be run again is for a person to say.
    """
    _end_lost_restarts()
    for node in Node.objects.exclude(restart_wanted_at=None).exclude(restart_said=RESTARTS):
        if _restart_job(node) not in known:
            _start_restart(node)
    for patch in Patch.objects.filter(known_to__isnull=True, deleted_at=None)[:AT_ONCE]:
        if look_job(patch) not in known:
            start_look(patch)


def _end_lost_restarts() -> None:
    begun = Node.objects.filter(restart_said=RESTARTS)
    # Without a time it was begun by a portal that kept none.
    begun = begun.filter(
        Q(restart_wanted_at=None) | Q(restart_wanted_at__lt=clock.now() - CLEARLY_OVER)
    )
    begun.update(restart_wanted_at=None, restart_said=RESTART_LOST)


def restart_node(node: Node) -> Node:
    """The command has ended, and what it said is on record; then the node is asked how it is. It is run once at most."""
    if not _begins_restart(node):
        return node
    try:
        with devices.opened(node.device) as shell:
            done = shell.run(["sh", "-c", node.restart_command], limit_seconds=RESTART_SECONDS)
        text = done.output.decode(errors="replace").replace("\0", "").strip()[-SAID:]
        said = f"Its command ended with status {done.status}.\n{text}".strip()
    except DeviceError as error:
        said = str(error)
    this = Node.objects.filter(pk=node.pk, restart_wanted_at=node.restart_wanted_at)
    this.update(restart_wanted_at=None, restart_said=said)
    until = time.monotonic() + settings.PATCH_AWAY_SECONDS
    while True:
        look_at_nodes(node.instance)
        node.refresh_from_db()
        if node.is_reachable or time.monotonic() > until:
            return node
        time.sleep(START_PAUSE_SECONDS)


def _begins_restart(node: Node) -> bool:
    """Whether this worker is the one that runs the command; from then on the restart has the time of its beginning."""
    ordered, now = node.restart_wanted_at, clock.now()
    if ordered is None:
        return False
    waits = Node.objects.filter(pk=node.pk, restart_wanted_at=ordered).exclude(
        restart_said=RESTARTS
    )
    node.restart_wanted_at = now
    return bool(waits.update(restart_wanted_at=now, restart_said=RESTARTS))


def _start_restart(node: Node) -> None:
    dispatch.start_job(RESTART_JOB, argument=str(node.pk), job=_restart_job(node))


def _restart_job(node: Node) -> str:
    return f"restart-{node.pk}-{node.restart_wanted_at:%H%M%S}"


def _idle() -> None:
    """Nobody can ask a look to stop; each answer has its own time limit."""
