"""Checking a module image on instances, without any effect on them; results are stored with their age."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.timesince import timesince

from devices.drivers.shell import Shell
from devices.models import Device
from devices.services.engines import opened_engine
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates import dispatch
from updates.models import Check, ImageCheck, Installation, Instance, Module
from updates.plan import ModulePlan, ModuleVerb
from updates.recipes.finding import Finding
from updates.recipes.module.fit import ModuleFit
from updates.services.looking import Seen, over_in_any_case, seen_on
from updates.services.module_choice import image_of, why_not_updatable
from updates.services.module_orders import plan_module
from updates.services.module_recipes import images_of

JOB: Final = "updates.jobs.run_image_check"
CHECK: Final = "updates.check_image"
MOST: Final = 200
"""Instances of one request."""
ASKED_ANEW: Final = (
    "verdict", "findings", "digest", "is_local", "is_replaced", "installed", "installed_id",
    "requested_by_name", "requested_at", "checked_at",
)  # fmt: skip
"""What a check that is asked for again begins with anew."""


def request_image_checks(
    *, image: str, instances: Sequence[Instance], actor: Actor
) -> list[ImageCheck]:
    """A check of each instance is on its way; until it is done its verdict is `waiting`.

    Refused when the image's name is none, or one of the instances was not installed from an image; or there are none or too many.
    """
    actor.require(CHECK)
    name, now = str(image_of(image)), clock.now()
    made = _installations(instances)
    with transaction.atomic():
        checks = ImageCheck.objects.bulk_create(
            (
                ImageCheck(
                    image=name,
                    instance=instance,
                    installed=made[instance.pk].image,
                    installed_id=made[instance.pk].image_id,
                    requested_by_name=actor.name,
                    requested_at=now,
                )
                for instance in instances
            ),
            update_conflicts=True,
            unique_fields=["image", "instance"],
            update_fields=ASKED_ANEW,
        )
        audit.record_all(actor=actor, acts=_acts(name, instances))
        for check in checks:
            _start(check)
    return checks


def _installations(instances: Sequence[Instance]) -> dict[int, Installation]:
    if not 0 < len(instances) <= MOST:
        raise Refused(f"Name between 1 and {MOST} instances.")
    rows = Installation.objects.filter(instance__in=[instance.pk for instance in instances])
    made = {row.instance_id: row for row in rows}
    for instance in instances:
        if why_not := why_not_updatable(instance, made.get(instance.pk)):
            raise Refused(f"{instance}: {why_not}")
    return made


def _acts(
    image: str, instances: Sequence[Instance]
) -> Iterator[tuple[str, Module, dict[str, object]]]:
    """One for each module whose instances are checked."""
    names: dict[Module, list[str]] = defaultdict(list)
    for instance in instances:
        names[instance.module].append(instance.name)
    for module, named in names.items():
        yield "module.check", module, {"image": image, "instances": named[:50]}


def carry_out_image_check(check: ImageCheck) -> ImageCheck:
    """The check's verdict is in, with a finding for each thing looked at.

    Where it was asked for anew meanwhile, that one is the check, and nothing is written over it.
    """
    with over_in_any_case(lambda bug: _keep(check, Check.Verdict.REFUSED, bug)):
        plan = plan_module(check.instance, verb=ModuleVerb.UPDATE, image=check.image)
        looks: list[ModuleFit] = []
        seen = seen_on(check.instance.device, lambda shell: _look(plan, shell, check, looks))
        image = looks[0].image if looks else None
        if image is not None:
            check.digest, check.is_local = image.digest[:100], bool(image.id)
        verdict = _verdict(seen, is_there=bool(looks) and looks[0].is_there)
        _keep(check, verdict, seen.findings)
    if check.digest:
        note_image(
            check.image, digest=check.digest, device=check.instance.device, is_local=check.is_local
        )
    return check


def _look(
    plan: ModulePlan, shell: Shell, check: ImageCheck, looks: list[ModuleFit]
) -> Iterator[Finding]:
    with opened_engine(check.instance.device) as engine:
        fit = ModuleFit(plan, shell, engine, images_of(plan, engine))
        looks.append(fit)
        yield from fit.findings()


def _verdict(seen: Seen, *, is_there: bool) -> Check.Verdict:
    if not seen.is_reached:
        return Check.Verdict.UNREACHABLE
    if not seen.is_good:
        return Check.Verdict.REFUSED
    return Check.Verdict.UNCHANGED if is_there else Check.Verdict.COMPATIBLE


def _keep(check: ImageCheck, verdict: Check.Verdict, findings: list[Finding]) -> None:
    check.verdict = verdict
    check.findings = [finding.as_json() for finding in findings]
    check.checked_at = clock.now()
    found = ("verdict", "findings", "digest", "is_local", "checked_at")
    ImageCheck.objects.filter(pk=check.pk, requested_at=check.requested_at).update(
        **{field: getattr(check, field) for field in found}
    )


def note_image(image: str, *, digest: str, device: Device, is_local: bool) -> None:
    """Checks that found another image under that name where this one was found are not to be relied on any more."""
    same_place = Q(instance__device=device)
    if not is_local:
        same_place |= Q(is_local=False)
    known = ImageCheck.objects.filter(same_place, image=image).exclude(digest="")
    known.exclude(digest=digest).update(is_replaced=True)


def note_removed(image: str, *, device: Device) -> None:
    """Checks that found the image on the device's engine are not to be relied on: it is there no more."""
    found = ImageCheck.objects.filter(image=image, instance__device=device, is_local=True)
    found.update(is_replaced=True)


def why_stale(check: ImageCheck) -> str:
    """The reason why the check is not to be relied on any more, as a sentence; empty while it is, or while it waits."""
    if check.checked_at is None:
        return ""
    if changed := _why_changed(check, check.instance.installation):
        return changed
    if check.is_replaced:
        return "Its name stands for another image by now."
    limit = timedelta(seconds=settings.CHECK_STALE_SECONDS)
    if clock.now() - check.checked_at > limit:
        return f"It is older than {timesince(clock.now() - limit, clock.now())}."
    return ""


def _why_changed(check: ImageCheck, made: Installation) -> str:
    if made.uninstalled_at is not None:
        return "The instance is uninstalled by now."
    if check.installed != made.image:
        return f"In force was {check.installed} then, and is {made.image} now."
    if check.installed_id != made.image_id:
        return f"Another {made.image} is in force by now."
    return ""


def image_checks() -> QuerySet[ImageCheck]:
    """All checks, newest first, with what is said about one."""
    return ImageCheck.objects.select_related("instance__device", "instance__installation")


def recover_image_checks(known: set[str]) -> None:
    """Every check that waits has a job, unless its id is among `known`."""
    for check in ImageCheck.objects.filter(verdict=Check.Verdict.WAITING)[:1000]:
        if _job_id(check) not in known:
            _start(check)


def _start(check: ImageCheck) -> None:
    dispatch.start_job(JOB, argument=str(check.pk), job=_job_id(check))


def _job_id(check: ImageCheck) -> str:
    return f"image-check-{check.pk}-{check.requested_at.timestamp():.0f}"
