"""The end of what was patched: another version, or the same one installed anew, takes every patch of an instance away."""

from __future__ import annotations

from functools import partial

from django.core.files.storage import default_storage
from django.db import transaction

from patches.models import Application, KeptFiles, Node
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates.models import Instance
from updates.services.ordering import locked_idle
from updates.services.reasons import given_reason

GONE_WITH_THE_TREE = [
    Application.Standing.ORDERED,
    Application.Standing.ACTIVE,
    Application.Standing.BROKEN,
]


def eliminate(instance: Instance, *, why: str) -> int:
    """No patch is in force on the instance any more, and none of them can be applied to it again. How many they were.

    What was kept for the way back is gone with them. In the caller's transaction.
    """
    gone = Application.objects.filter(instance=instance, standing__in=GONE_WITH_THE_TREE)
    kept = KeptFiles.objects.filter(upgrade__application__in=gone)
    names = [str(row.file.name) for row in kept]
    kept.delete()
    count = gone.update(
        standing=Application.Standing.ELIMINATED, ended_at=clock.now(), ended_why=why[:300]
    )
    Node.objects.filter(instance=instance).update(restart_needed="", drift=[])
    for name in names:
        transaction.on_commit(partial(default_storage.delete, name))
    return count


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
