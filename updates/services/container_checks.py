"""Preflights of watched containers: what an upgrade would find, without any effect; stored with their age."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils.timesince import timesince

from devices.drivers.shell import Shell
from devices.errors import DeviceError
from portal.core import audit, clock
from portal.core.actors import PORTAL, Actor
from updates import dispatch
from updates.models import ContainerCheck, WatchedContainer
from updates.recipes.finding import Finding
from updates.services.container_desk import version_meant
from updates.services.container_orders import build_container_upgrade, plan_container
from updates.services.container_recipes import container_recipe
from updates.services.container_upgrades import UPGRADE, image_for
from updates.services.looking import Seen, over_in_any_case, seen_on
from updates.services.module_choice import unfinished_upgrades
from updates.services.portal_state import folder
from updates.services.setup_report import setup_report
from updates.services.version_checks import in_registry
from updates.services.watching import require_watched
from updates.watchdog.preflight import read_preflight

JOB: Final = "updates.jobs.run_container_check"
AT_ONCE: Final = 1000


def request_preflight(*, watched: WatchedContainer, version: str, actor: Actor) -> ContainerCheck:
    """A look at what an upgrade to that version would find is on its way; until then its verdict is `waiting`.

    Refused for what can be no image of theirs.
    """
    actor.require(UPGRADE)
    require_watched(watched)
    image = image_for(watched, version_meant(watched, version))
    with transaction.atomic():
        check, _ = ContainerCheck.objects.update_or_create(
            watched=watched,
            defaults={
                "image": image, "verdict": ContainerCheck.Verdict.WAITING, "findings": [],
                "installed": installed_now(watched), "requested_by_name": actor.name,
                "requested_at": clock.now(), "checked_at": None,
            },
        )  # fmt: skip
        data = {"image": image}
        audit.record(actor=actor, action="container.preflight", subject=watched.instance, data=data)
        _start(check)
    return check


def carry_out_preflight(check: ContainerCheck) -> ContainerCheck:
    """The verdict is in, with a finding for each thing looked at. What was looked at is as it was."""
    verdicts = ContainerCheck.Verdict
    device = check.watched.instance.device
    with over_in_any_case(lambda bug: _keep(check, verdicts.REFUSED, bug)), ExitStack() as ways:
        seen = (
            Seen([*_of_portal(check)])
            if check.watched.is_portal
            else seen_on(device, lambda shell: _findings(check, shell, ways))
        )
        found = verdicts.COMPATIBLE if seen.is_good else verdicts.REFUSED
        verdict = found if seen.is_reached else verdicts.UNREACHABLE
    return _keep(check, verdict, seen.findings)


def why_stale(check: ContainerCheck) -> str:
    """The reason why it is not to be relied on any more, as a sentence; empty while it is, or while it waits."""
    if check.checked_at is None:
        return ""
    if check.installed != installed_now(check.watched):
        return "Another image runs there by now."
    limit = timedelta(seconds=settings.CHECK_STALE_SECONDS)
    now = clock.now()
    if now - check.checked_at > limit:
        return f"It is older than {timesince(now - limit, now)}."
    return ""


def recover_preflights(known: set[str]) -> None:
    """What was asked for and has no answer has a job, unless its id is among `known`."""
    for check in ContainerCheck.objects.filter(verdict=ContainerCheck.Verdict.WAITING)[:AT_ONCE]:
        if job_id(check) not in known:
            _start(check)


def job_id(check: ContainerCheck) -> str:
    """The id of the job that looks; another one for each time it is asked for."""
    return f"preflight-{check.pk}-{check.requested_at.timestamp():.0f}"


def installed_now(watched: WatchedContainer) -> str:
    """What runs, by the portal's record."""
    return f"{watched.image}@{watched.digest or watched.image_id}"


def _of_portal(check: ContainerCheck) -> Iterator[Finding]:
    """What the portal sees of its own upgrade, and what its watchdog saw, which looks again before it does anything."""
    yield _is_free(check.watched)
    for item in setup_report():
        yield Finding(item.check.lower().replace(" ", "_"), ok=item.passed, says=item.message)
    yield from _by_watchdog()
    try:
        found = in_registry(check.image, check.watched)
        says = f"{check.image} is in its registry: {found.digest[:19]}."
        yield Finding("image", ok=True, says=says)
    except DeviceError as error:
        yield Finding("image", ok=False, says=str(error))


def _by_watchdog() -> Iterator[Finding]:
    seen = read_preflight(folder())
    if seen is None:
        says = "Compose files, pinned tags and room: the watchdog has not said yet, and looks before it starts."
        yield Finding("watchdog", ok=True, says=says)
        return
    for one in seen.findings:
        says = f"{one.says} (The watchdog, at {seen.at:%Y-%m-%d %H:%M} UTC.)"
        yield replace(one, says=says)


def _is_free(watched: WatchedContainer) -> Finding:
    busy = unfinished_upgrades([watched.instance]).get(watched.instance_id)
    says = f"{busy} is not over yet." if busy else "No other upgrade of it is in progress."
    return Finding("upgrade", ok=busy is None, says=says)


def _findings(check: ContainerCheck, shell: Shell, ways: ExitStack) -> Iterator[Finding]:
    watched = check.watched
    yield _is_free(watched)
    plan = plan_container(watched, image=check.image)
    upgrade = build_container_upgrade(plan, watched=watched, actor=PORTAL, reason="Preflight")
    yield from container_recipe(upgrade, shell, ways=ways).inspect()


def _keep(
    check: ContainerCheck, verdict: ContainerCheck.Verdict, findings: list[Finding]
) -> ContainerCheck:
    check.verdict = verdict
    check.findings = [finding.as_json() for finding in findings]
    check.checked_at = clock.now()
    check.save(update_fields=["verdict", "findings", "checked_at"])
    return check


def _start(check: ContainerCheck) -> None:
    dispatch.start_job(JOB, argument=str(check.pk), job=job_id(check))
