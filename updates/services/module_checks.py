"""Looking at Update Modules on devices: which they have of their own, and whether one of the portal's would work there."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from devices.drivers.shell import Shell
from devices.models import Device
from devices.services import why_no_way_in
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from portal.core.stored import open_stored
from updates import dispatch
from updates.models import CarriedModule, ModuleCheck, UpdateModule
from updates.recipes.finding import Finding
from updates.recipes.module_check import carried, look_at_module
from updates.services.looking import over_in_any_case, seen_on

BATCH: Final = 500
JOB: Final = "updates.jobs.run_module_check"
ASKED_ANEW: Final = ("verdict", "findings", "requested_by_name", "requested_at", "checked_at")


def request_module_checks(
    *, module: UpdateModule, devices: Iterable[Device], actor: Actor
) -> list[ModuleCheck]:
    """A look at each device is on its way; until it is done its verdict is `waiting`. Refused when no device is chosen.

    Devices that pull are left out, since nothing connects to them.
    """
    actor.require("updates.check_artifact")
    now = clock.now()
    reached, why = [], "No device is chosen."
    for device in devices:
        if no_way := why_no_way_in(device):
            why = no_way
        else:
            reached.append(device)
    with transaction.atomic():
        checks = ModuleCheck.objects.bulk_create(
            (
                ModuleCheck(
                    module=module, device=device, requested_by_name=actor.name, requested_at=now
                )
                for device in reached
            ),
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["module", "device"],
            update_fields=ASKED_ANEW,
        )
        if not checks:
            raise Refused(why)
        data = {"devices": len(checks)}
        audit.record(actor=actor, action="update_module.check", subject=module, data=data)
        for check in ModuleCheck.objects.filter(module=module, requested_at=now):
            start(check)
    return checks


def start(check: ModuleCheck) -> None:
    """Once the transaction is committed, a worker will take the look."""
    dispatch.start_job(JOB, argument=str(check.pk), job=job_id(check))


def job_id(check: ModuleCheck) -> str:
    """The id of the job that takes this look; another one for each time it is asked for."""
    return f"module-check-{check.pk}-{check.requested_at.timestamp():.0f}"


def unfinished_module_checks() -> QuerySet[ModuleCheck]:
    """What was asked for and has no answer yet, the oldest first."""
    return ModuleCheck.objects.filter(verdict=ModuleCheck.Verdict.WAITING).order_by("requested_at")


def carry_out_module_check(check: ModuleCheck) -> ModuleCheck:
    """The verdict is in, with a finding for each thing looked at; and which Update Modules the device has is on record."""
    with over_in_any_case(lambda bug: _keep(check, ModuleCheck.Verdict.REFUSED, bug)):
        seen = seen_on(check.device, lambda shell: _findings(check, shell))
        found = ModuleCheck.Verdict.COMPATIBLE if seen.is_good else ModuleCheck.Verdict.REFUSED
        verdict = found if seen.is_reached else ModuleCheck.Verdict.UNREACHABLE
    return _keep(check, verdict, seen.findings)


def _findings(check: ModuleCheck, shell: Shell) -> Iterator[Finding]:
    device = check.device
    with open_stored(str(check.module.file.name)) as file:
        content = file.read()
    _keep_carried(device, carried(shell, device.modules_dir))
    folder = f"{device.work_root}/module-check-{uuid.uuid4()}"
    yield from look_at_module(shell, content=content, folder=folder, root=device.root)


def _keep(check: ModuleCheck, verdict: ModuleCheck.Verdict, findings: list[Finding]) -> ModuleCheck:
    check.verdict = verdict
    check.findings = [finding.as_json() for finding in findings]
    check.checked_at = clock.now()
    check.save()
    return check


def _keep_carried(device: Device, found: dict[str, str]) -> None:
    now = clock.now()
    with transaction.atomic():
        CarriedModule.objects.filter(device=device).exclude(name__in=found).delete()
        CarriedModule.objects.bulk_create(
            (
                CarriedModule(device=device, name=name, sha256=sha256, seen_at=now)
                for name, sha256 in found.items()
            ),
            update_conflicts=True,
            unique_fields=["device", "name"],
            update_fields=["sha256", "seen_at"],
        )
