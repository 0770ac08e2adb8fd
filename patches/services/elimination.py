"""The end of what was patched: another version, or the same one installed anew, takes every patch of an instance away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q, QuerySet

from devices.drivers.nodes import NodeReport
from patches.models import Application, KeptFiles, Node
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates.machine import ACTIVE
from updates.models import Instance, Upgrade
from updates.services.ordering import locked_idle
from updates.services.reasons import given_reason

GONE_WITH_THE_TREE = [Application.Standing.ACTIVE, Application.Standing.BROKEN]


def eliminate(instance: Instance, *, why: str, but: Upgrade | None = None) -> int:
    """No patch is in force on the instance any more, and none of them can be applied to it again. How many they were.

    What was kept for the way back is gone with them. `but` is the order of a patch that stays. In the caller's transaction.
    """
    gone = Application.objects.filter(instance=instance, standing__in=GONE_WITH_THE_TREE)
    gone = gone.exclude(upgrade=but) if but else gone
    forget_kept(kept_for(gone))
    count = gone.update(
        standing=Application.Standing.ELIMINATED, ended_at=clock.now(), ended_why=why[:300]
    )
    if not but:
        nodes = Node.objects.filter(instance=instance)
        nodes.update(restart_needed="", restart_paths=[], drift=[])
    return count


def kept_for(applied: Iterable[Application]) -> QuerySet[KeptFiles]:
    """What is kept for the way back of these, and by ways back of them that broke."""
    upgrades = [row.upgrade_id for row in applied]
    return KeptFiles.objects.filter(Q(upgrade__in=upgrades) | Q(upgrade__undoes__in=upgrades))


def forget_kept(kept: QuerySet[KeptFiles]) -> None:
    """The rows are gone, and once the transaction is committed their files."""
    names = [str(row.file.name) for row in kept]
    kept.delete()
    for name in names:
        transaction.on_commit(partial(default_storage.delete, name), robust=True)


def note_version(instance: Instance, reports: Sequence[NodeReport]) -> None:
    """The instance's version is what all of its nodes report; another one than before eliminates what was patched.

    Nothing where a node gave no answer, none can tell, or they disagree. In the caller's transaction, while all is quiet.
    """
    said = {report.version for report in reports if report.version}
    if not reports or len(said) != 1 or not all(report.is_reachable for report in reports):
        return
    instance.refresh_from_db(fields=["version"])
    if (version := said.pop()[:100]) != instance.version:
        before, instance.version = instance.version, version
        instance.save(update_fields=["version"])
        eliminate(instance, why=f"Its nodes report version {version}; it was {before} before.")


def is_quiet(instance: Instance, *, since: datetime) -> bool:
    """Whether nothing has been changed there since: no upgrade is under way, and none ended meanwhile."""
    upgrades = Upgrade.objects.filter(device=instance.device_id)
    return not upgrades.filter(Q(state__in=ACTIVE) | Q(finished_at__gte=since)).exists()


def record_installation(*, instance: Instance, version: str, actor: Actor, reason: str) -> Instance:
    """The instance was upgraded or installed anew by other means: its version is `version`, and no patch is left of before."""
    actor.require("updates.change_instance")
    if not version.strip():
        raise Refused("Say which version is installed now.")
    with transaction.atomic():
        locked_idle(instance.device)
        before, instance.version = instance.version, version.strip()
        instance.full_clean(exclude=["module", "device"])
        instance.save(update_fields=["version"])
        count = eliminate(
            instance, why=f"{actor.name} recorded that {version.strip()} was installed."
        )
        audit.record(
            actor=actor, action="instance.installed", subject=instance, reason=given_reason(reason),
            data={"before": before, "version": instance.version, "eliminated": count},
        )  # fmt: skip
    return instance
