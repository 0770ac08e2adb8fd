"""Checking a patch on the nodes of an instance, without touching live code."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.timesince import timesince

from devices.drivers.nodes import NodeReport, PatchFile, Status, integral
from devices.models import Device
from patches.asking import ask_all
from patches.fit import version_in_force, why_not_a_part, why_not_version
from patches.formats.patch_archive import PackedFile
from patches.models import Patch, PatchCheck
from patches.queries import nodes_of
from patches.services.elimination import is_quiet, note_version
from patches.services.memory import record_answer
from patches.services.patches import files_of
from patches.services.reach import members_of
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates import dispatch
from updates.models import Instance

log = structlog.get_logger(__name__)

JOB: Final = "patches.jobs.run_patch_check"
AT_ONCE: Final = 1000
PLAIN_MODE: Final = 0o644
FOUND: Final = ("version", "version_says", "refusal", "integral", "checked_at")
FAULT: Final = "A fault in the portal itself; its log has more."


def request_patch_checks(
    *, patch: Patch, instances: Iterable[Instance], actor: Actor
) -> list[PatchCheck]:
    """The nodes of each instance are being asked; their answers appear as they come. Refused when there is nothing to ask."""
    actor.require("patches.check_patch")
    if patch.deleted_at is not None:
        raise Refused(f"The archive was deleted by {patch.deleted_by_name}.")
    with transaction.atomic():
        checks = [_asked_anew(patch, instance, actor) for instance in instances]
        if not checks:
            raise Refused(f"There is no instance of {patch.module} that could be checked.")
        audit.record(
            actor=actor, action="patch.check", subject=patch,
            data={"instances": [check.instance.name for check in checks][:50]},
        )  # fmt: skip
        for check in checks:
            _start(check)
    return checks


def _asked_anew(patch: Patch, instance: Instance, actor: Actor) -> PatchCheck:
    if instance.module_id != patch.module_id:
        raise Refused(f"{instance} is no instance of {patch.module}.")
    check, _ = PatchCheck.objects.select_for_update().get_or_create(
        patch=patch, instance=instance, defaults={"requested_at": clock.now()}
    )
    check.results.all().delete()
    check.nodes = sorted(nodes_of(instance).values_list("pk", flat=True))
    if not check.nodes:
        raise Refused(f"{instance} has no nodes that a patch could be loaded into.")
    check.requested_by_name, check.requested_at = actor.name, clock.now()
    check.checked_at = check.integral = None
    check.refusal = check.version = check.version_says = ""
    check.save()
    return check


def carry_out_patch_check(check: PatchCheck) -> PatchCheck:
    """Every node has answered, or not within its limit; the integral of all is in, and why the patch cannot be applied at all.

    Where it was asked for anew meanwhile, that one is the check, and nothing is written over it.
    """
    began = clock.now()
    reports: list[NodeReport] = []
    try:
        reports, check.refusal = _ask(check)
        found = integral(report.status for report in reports)
        check.integral = found.value if found else None
    except Refused as refusal:
        check.refusal, check.integral = str(refusal)[:300], Status.ERROR
    except Exception:
        # A bug of ours. The check is over all the same, or it would be taken up again for ever.
        check.refusal, check.integral = FAULT, Status.ERROR
        raise
    finally:
        _keep(check, reports, began=began)
    return check


def _ask(check: PatchCheck) -> tuple[list[NodeReport], str]:
    """What the nodes say, and the refusal that follows from it, if any."""
    files = patch_files(files_of(check.patch))
    nodes = {node.pk: node for node in nodes_of(check.instance)}
    reports, wholes = [], []
    with members_of(nodes.values()) as members:
        for member, report in ask_all(members, lambda one: one.runtime.check(files), tick=_idle):
            reports.append(report)
            record_answer(check, nodes[member.id], report)
            wholes.append(why_not_a_part(report, inspect=member.runtime.inspect))
    check.version, check.version_says = version_in_force(reports, recorded=check.instance.version)
    wrong = why_not_version(
        wanted=check.patch.version, found=check.version, says=check.version_says
    )
    return reports, (wrong or next((says for says in wholes if says), ""))[:300]


def _keep(check: PatchCheck, reports: list[NodeReport], *, began: datetime) -> None:
    check.checked_at = clock.now()
    with transaction.atomic():
        Device.objects.select_for_update().get(pk=check.instance.device_id)
        if is_quiet(check.instance, since=began):
            note_version(check.instance, reports)
        PatchCheck.objects.filter(pk=check.pk, requested_at=check.requested_at).update(
            **{name: getattr(check, name) for name in FOUND}
        )


def patch_files(packed: Iterable[PackedFile]) -> list[PatchFile]:
    """The archive's files as nodes take them."""
    return [PatchFile(file.path, file.data, file.mode or PLAIN_MODE) for file in packed]


def why_stale(check: PatchCheck, *, nodes: list[int] | None = None) -> str:
    """The reason why the check is not to be relied on any more, as a sentence; empty while it is, or while nodes answer.

    `nodes` are the ids of the instance's nodes, in order, where the caller knows them already.
    """
    if check.checked_at is None:
        return ""
    if nodes is None:
        nodes = sorted(nodes_of(check.instance).values_list("pk", flat=True))
    if check.nodes != nodes:
        return "The instance has other nodes by now."
    if "record" in check.version_says and check.version != check.instance.version:
        return f"The portal's record of the version was {check.version} then."
    age, limit = (
        clock.now() - check.checked_at,
        timedelta(seconds=settings.PATCH_CHECK_STALE_SECONDS),
    )
    if age > limit:
        return f"It is older than {timesince(clock.now() - limit, clock.now())}."
    return ""


def recover_checks(known: set[str]) -> None:
    """Every check that waits for answers has a job, unless its id is among `known`."""
    for check in PatchCheck.objects.filter(checked_at=None)[:AT_ONCE]:
        if _job_id(check) not in known:
            log.info("recovered", check=check.pk)
            _start(check)


def _start(check: PatchCheck) -> None:
    dispatch.start_job(JOB, argument=str(check.pk), job=_job_id(check))


def _job_id(check: PatchCheck) -> str:
    return f"patch-check-{check.pk}-{check.requested_at.timestamp():.0f}"


def _idle() -> None:
    """Nobody can ask a check to stop; each answer has its own time limit."""
