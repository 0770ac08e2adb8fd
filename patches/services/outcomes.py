"""What follows from an upgrade that is over: which patches are in force, and which nodes wait for a restart.

Called in the transaction that finishes the upgrade, see `settings.UPGRADE_FINISHED`.
"""

from __future__ import annotations

from devices.drivers.nodes import Status
from patches.models import Application, Node, NodeResult
from patches.services.elimination import eliminate
from portal.core import clock
from updates.machine import Outcome
from updates.models import Upgrade
from updates.plan import Kind

Standing = Application.Standing

NOT_UPDATED = Status.NOT_UPDATED.value
CHANGED = (Outcome.SUCCEEDED, Outcome.BROKEN)


def record_outcome(finished: Upgrade) -> None:
    """An upgrade of another kind takes an instance's patches away; one of a patch says what became of that."""
    if finished.kind != Kind.PATCH:
        if finished.instance is not None and finished.outcome in CHANGED and not finished.unchanged:
            eliminate(finished.instance, why=f"{finished} has replaced what was patched.")
        return
    applied = finished.undoes_id or finished.pk
    standing = _standing_after(finished)
    if standing is not None:
        is_over = standing != Standing.ACTIVE
        Application.objects.filter(upgrade=applied).exclude(standing=Standing.ELIMINATED).update(
            standing=standing,
            ended_at=clock.now() if is_over else None,
            ended_why=finished.error[:300] or finished.reason[:300] if is_over else "",
        )
    _note_restarts(finished)


def _standing_after(finished: Upgrade) -> Application.Standing | None:
    """What has become of the application; None when a way back has changed nothing."""
    if finished.outcome == Outcome.BROKEN:
        return Standing.BROKEN
    is_done = finished.outcome == Outcome.SUCCEEDED
    if finished.undoes_id is not None:
        return Standing.REVERTED if is_done else None
    return Standing.ACTIVE if is_done and not finished.unchanged else Standing.NOT_APPLIED


def _note_restarts(finished: Upgrade) -> None:
    """A node with code that could not be loaded waits for somebody; one that got everything back does not any more."""
    newest = {
        row.node_id: row
        for row in NodeResult.objects.filter(upgrade=finished).order_by("at")
        if row.node_id
    }
    for node, row in newest.items():
        says = _why_restart(finished, row)
        if says or finished.undoes_id is not None:
            Node.objects.filter(pk=node).update(restart_needed=says[:300])


def _why_restart(finished: Upgrade, row: NodeResult) -> str:
    if not row.needs_restart:
        return ""
    names = [file["name"] or file["path"] for file in row.files if file["status"] == NOT_UPDATED]
    return f"{', '.join(names)} of {finished.to_version} could not be loaded."
