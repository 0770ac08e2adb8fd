"""The part of an upgrade's page that changes as a whole: state, map, failure and advice, what it waits for, buttons."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.module_loading import import_string

from portal.core.errors import Refused
from portal.core.pages import Button, why_not_permitted
from updates.admin_views.state_map import label_of, map_of
from updates.admin_views.timeline import name_of
from updates.advice import advise
from updates.advised import Advice
from updates.container_advice import of_the_portal
from updates.errors import NotUndoable
from updates.limits import limit_ends
from updates.machine import CANCELLABLE, SENTENCES, Outcome, State
from updates.models import Upgrade, UpgradeEvent
from updates.queries import PRESSING, Stuck, explained, stuck_upgrades
from updates.recipes.hold import HELD
from updates.services.portal_state import watchdog_status
from updates.services.portal_upgrades import is_overdue
from updates.services.upgrades import refuse_not_repeatable, refuse_not_undoable


def upgrade_now(request: HttpRequest, upgrade: Upgrade) -> str:
    """The part as HTML, for the page and for its polls alike."""
    is_over = upgrade.state == State.FINISHED
    standstill = None if is_over else _standstill(upgrade)
    return render_to_string(
        "updates/upgrade_now.html",
        {
            "upgrade": upgrade,
            "map": map_of(upgrade),
            "is_over": is_over,
            "sentence": SENTENCES[Outcome(upgrade.outcome)] if is_over and upgrade.outcome else "",
            "failed_in": label_of(upgrade.error_state),
            "failure": _failure(upgrade),
            "advice": _advice(upgrade),
            "standstill": standstill,
            "is_held": upgrade.is_held,
            "until": None if is_over else limit_ends(upgrade),
            "buttons": _buttons(request, upgrade, standstill),
            "panel": _panel(request, upgrade),
        },
    )


def _panel(request: HttpRequest, upgrade: Upgrade) -> str:
    """What only this kind of change has to show, as HTML; empty for most."""
    name = settings.UPGRADE_PANELS.get(upgrade.kind)
    return import_string(name)(request, upgrade) if name else ""


def _standstill(upgrade: Upgrade) -> Stuck | None:
    return next(iter(explained(stuck_upgrades().filter(pk=upgrade.pk))), None)


def _failure(upgrade: Upgrade) -> dict[str, Any] | None:
    """The event in which the first failure is on record: when, in what call, and the last of its output."""
    if not upgrade.error:
        return None
    event = upgrade.events.filter(
        kind=UpgradeEvent.Kind.ARROW, from_state=upgrade.error_state, text=upgrade.error
    ).first()
    if event is None:
        return None
    return {
        "seq": event.seq,
        "at": event.at,
        "call": name_of(event.call),
        "output": event.data.get("output", ""),
    }


def _advice(upgrade: Upgrade) -> Advice | None:
    """What to do now: about the failure, as soon as there is one; about the outcome, once it is over."""
    is_over = upgrade.state == State.FINISHED
    device = upgrade.device
    name = settings.ADVICE.get(upgrade.kind)
    found: Advice | None = (import_string(name) if name else advise)(
        code=upgrade.error_code,
        state=upgrade.error_state,
        outcome=Outcome(upgrade.outcome) if is_over and upgrade.outcome else None,
        words={
            "device": device.name,
            "work": device.work_root,
            "modules": device.modules_dir,
            "module": upgrade.artifact.payload_type if upgrade.artifact else "",
            "instance": upgrade.instance.name if upgrade.instance else "",
            "version": upgrade.instance.version if upgrade.instance else "",
        },
    )
    if upgrade.executor == Upgrade.Executor.WATCHDOG and (found or _stands_alone(upgrade)):
        return of_the_portal(found, container=settings.CONTAINER_NAME)
    return found


def _buttons(request: HttpRequest, upgrade: Upgrade, standstill: Stuck | None) -> list[Button]:
    def button(verb: str, label: str, why_not: str = "", **looks: bool) -> Button:
        return Button(
            label,
            reverse(f"admin:updates_upgrade_{verb}", args=[upgrade.pk]),
            why_not=why_not_permitted(request, f"updates.{verb}_upgrade") or why_not,
            **looks,
        )

    if upgrade.state != State.FINISHED:
        buttons = [cancel_button(request, upgrade)]
        if upgrade.facts.get(HELD):
            buttons.insert(0, commit_button(request, upgrade))
        if standstill and standstill.can_recover:
            buttons.insert(0, button("recover", "Recover", is_main=True))
        is_stuck = (standstill and standstill.kind in PRESSING) or _is_left_alone(upgrade)
        by_device = upgrade.executor == Upgrade.Executor.DEVICE
        if is_stuck or (by_device and upgrade.cancel_requested_at is not None):
            buttons.append(button("force_cancel", "Force cancel", is_danger=True))
        return buttons
    is_failed = upgrade.outcome not in (Outcome.SUCCEEDED, Outcome.CANCELLED)
    buttons = [
        button("retry", "Retry", _why_no_retry(upgrade), is_main=is_failed),
        button("roll_back", "Roll back", _why_no_rollback(upgrade)),
    ]
    if is_failed and upgrade.artifact_id is not None:
        buttons.append(_apply_another(request, upgrade))
    return buttons


def _stands_alone(upgrade: Upgrade) -> bool:
    return upgrade.state != State.FINISHED and _is_left_alone(upgrade)


def _is_left_alone(upgrade: Upgrade) -> bool:
    """Whether the portal's own upgrade should be over by now, or its watchdog lives no more."""
    by_watchdog = upgrade.executor == Upgrade.Executor.WATCHDOG
    return by_watchdog and (is_overdue(upgrade) or not watchdog_status().is_alive)


def commit_button(request: HttpRequest, upgrade: Upgrade) -> Button:
    """For an upgrade that holds before its commit."""
    return Button(
        "Commit",
        reverse("admin:updates_upgrade_commit", args=[upgrade.pk]),
        why_not=why_not_permitted(request, "updates.apply_artifact"),
        is_main=True,
    )


def cancel_button(request: HttpRequest, upgrade: Upgrade) -> Button:
    """For an upgrade that is not over."""
    return Button(
        "Cancel upgrade",
        reverse("admin:updates_upgrade_cancel", args=[upgrade.pk]),
        why_not=why_not_permitted(request, "updates.cancel_upgrade") or _why_no_cancel(upgrade),
        is_danger=True,
    )


def _apply_another(request: HttpRequest, upgrade: Upgrade) -> Button:
    return Button(
        "Apply another artifact",
        reverse("admin:updates_upgrade_apply", args=[upgrade.device_id]),
        why_not=why_not_permitted(request, "updates.apply_artifact"),
    )


def _why_no_cancel(upgrade: Upgrade) -> str:
    if upgrade.cancel_requested_at is not None:
        return f"{upgrade.cancel_requested_by} has asked for a cancel already."
    if State(upgrade.state) not in CANCELLABLE:
        return "It is too late: the change is being made permanent or taken back."
    return ""


def _why_no_rollback(upgrade: Upgrade) -> str:
    try:
        refuse_not_undoable(upgrade)
    except NotUndoable as error:
        return str(error)
    return ""


def _why_no_retry(upgrade: Upgrade) -> str:
    try:
        refuse_not_repeatable(upgrade)
    except Refused as error:
        return str(error)
    return ""
