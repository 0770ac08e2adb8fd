"""What follows from an upgrade that is over: which patches are in force, and which nodes wait for a restart.

Called in the transaction that finishes the upgrade, see `settings.UPGRADE_FINISHED`.
"""

from __future__ import annotations

from patches.models import Application, KeptFiles
from patches.services.elimination import eliminate, forget_kept, kept_for
from patches.services.restarts import note_restarts
from portal.core import clock
from updates.machine import Outcome
from updates.models import Upgrade
from updates.plan import Kind

Standing = Application.Standing

CHANGED = (Outcome.SUCCEEDED, Outcome.BROKEN)


def record_outcome(finished: Upgrade) -> None:
    """An upgrade of another kind takes an instance's patches away; one of a patch says what became of that."""
    if finished.kind != Kind.PATCH:
        if finished.instance is not None and finished.outcome in CHANGED and not finished.unchanged:
            eliminate(finished.instance, why=f"{finished} has replaced what was patched.")
        return
    applied = Application.objects.select_related("instance", "patch").get(
        upgrade=finished.undoes_id or finished.pk
    )
    standing = _standing_after(finished)
    if standing is not None and applied.standing != Standing.ELIMINATED:
        is_over = standing != Standing.ACTIVE
        applied.standing = standing
        applied.ended_at = clock.now() if is_over else None
        applied.ended_why = (finished.error or finished.reason)[:300] if is_over else ""
        applied.save(update_fields=["standing", "ended_at", "ended_why"])
    if standing == Standing.ACTIVE:
        _note_in_force(applied)
    _resolve_broken(applied, finished)
    _forget_what_nobody_needs(applied, finished)
    note_restarts(finished)


def _note_in_force(applied: Application) -> None:
    """The patch is for the version that runs: what the record says besides is over."""
    instance = applied.instance
    if instance.version != applied.patch.version:
        why = f"{applied.patch} for version {applied.patch.version} was applied."
        instance.version = applied.patch.version
        instance.save(update_fields=["version"])
        eliminate(instance, why=why, but=applied.upgrade)


def _resolve_broken(applied: Application, finished: Upgrade) -> None:
    """What broke before is in order again where all of it was applied anew, or taken back to what it had kept."""
    if applied.standing not in (Standing.ACTIVE, Standing.NOT_APPLIED, Standing.REVERTED):
        return
    if finished.unchanged or finished.outcome not in (Outcome.SUCCEEDED, Outcome.ROLLED_BACK):
        return
    paths = {row["path"] for row in applied.patch.composition}
    broken = Application.objects.filter(instance=applied.instance, standing=Standing.BROKEN)
    for row in broken.select_related("patch"):
        if {file["path"] for file in row.patch.composition} <= paths:
            forget_kept(kept_for([row]))
            row.standing, row.ended_why = Standing.NOT_APPLIED, f"{finished} has mended it."[:300]
            row.save(update_fields=["standing", "ended_why"])


def _forget_what_nobody_needs(applied: Application, finished: Upgrade) -> None:
    """Kept files are for the way back of what is in force, or of what nobody knows."""
    if finished.undoes_id is not None and finished.outcome != Outcome.BROKEN:
        forget_kept(KeptFiles.objects.filter(upgrade=finished))
    if applied.standing not in (Standing.ACTIVE, Standing.BROKEN):
        forget_kept(kept_for([applied]))


def _standing_after(finished: Upgrade) -> Application.Standing | None:
    """What has become of the application; None when a way back has changed nothing."""
    if finished.outcome == Outcome.BROKEN:
        return Standing.BROKEN
    is_done = finished.outcome == Outcome.SUCCEEDED
    if finished.undoes_id is not None:
        return Standing.REVERTED if is_done else None
    return Standing.ACTIVE if is_done and not finished.unchanged else Standing.NOT_APPLIED
