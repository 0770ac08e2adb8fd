"""The page on which one upgrade is watched, and afterwards read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseClientRefresh

from portal.core.pages import Button, fragment, mark_of, page, require, why_not_permitted
from updates.admin_views.stepper import steps_of
from updates.errors import NotUndoable
from updates.machine import CANCELLABLE, SENTENCES, Outcome, State
from updates.models import Upgrade, UpgradeEvent
from updates.queries import EventPage, events_after, history
from updates.services.upgrades import refuse_not_undoable
from updates.services.waiting import waits_for

ADVICE = {
    Outcome.FAILED: "Mend what the error names, then retry. The device runs what it ran before.",
    Outcome.ROLLED_BACK: "The device runs what it ran before. Read the output, mend the artifact, deploy the mended one.",
    Outcome.BROKEN: "Look at the device itself: what is on it is neither the old nor the new. Then deploy a good artifact to it.",
    Outcome.CANCELLED: "Retry it when it is wanted after all.",
}
SHOWN_UPGRADES = 20


def upgrade_page(request: HttpRequest, upgrade: Upgrade) -> HttpResponse:
    """All about one upgrade, as it is now; the page then asks for what comes."""
    require(request, "updates.view_upgrade")
    events = events_after(upgrade, 0)
    now = _now(request, upgrade)
    return page(
        request,
        "updates/upgrade.html",
        title=str(upgrade),
        model=Upgrade,
        context={
            "upgrade": upgrade,
            "now": now,
            "undone_by": upgrade.undone_by.select_related("device"),
            "retried_by": upgrade.retried_by.select_related("device"),
            **_news(upgrade, events, call=""),
            "mark": mark_of(now),
        },
    )


@require_GET
def live_fragment(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What the page polls with the number of the last event it has: what came after, appended; 286 at the end."""
    if not admin.site.has_permission(request):
        return HttpResponseClientRefresh()
    require(request, "updates.view_upgrade")
    upgrade = get_object_or_404(history(), pk=pk)
    after = request.GET.get("after", "")
    cursor = int(after) if after.isascii() and after.isdigit() else 0
    events = events_after(upgrade, cursor)
    now = _now(request, upgrade)
    mark = mark_of(now)
    is_changed = mark != request.GET.get("mark")
    html = render_to_string(
        "updates/upgrade_live.html",
        {
            "upgrade": upgrade,
            "now": now if is_changed else "",
            "mark": mark,
            **_news(upgrade, events, call=_call_before(upgrade, cursor)),
        },
    )
    return fragment(html, is_new=is_changed or bool(events.events), is_end=events.is_end)


@require_GET
def device_fragment(request: HttpRequest, device: int) -> HttpResponse:
    """The newest upgrades of one device, for the device's own page."""
    if not admin.site.has_permission(request):
        return HttpResponseClientRefresh()
    require(request, "updates.view_upgrade")
    upgrades = history().filter(device=device)[:SHOWN_UPGRADES]
    return HttpResponse(
        render_to_string(
            "updates/upgrades_of_device.html", {"upgrades": upgrades, "device": device}
        )
    )


def _now(request: HttpRequest, upgrade: Upgrade) -> str:
    """The part of the page that changes as a whole: state, outcome, what it waits for, buttons."""
    outcome = Outcome(upgrade.outcome) if upgrade.outcome else None
    is_over = upgrade.state == State.FINISHED
    return render_to_string(
        "updates/upgrade_now.html",
        {
            "upgrade": upgrade,
            "steps": steps_of(upgrade),
            "is_over": is_over,
            "sentence": SENTENCES[outcome] if outcome and is_over else "",
            "advice": ADVICE.get(outcome, "") if outcome and is_over else "",
            "failure": _failure(upgrade),
            "ahead": waits_for(upgrade) if upgrade.state == State.PENDING else None,
            "buttons": _buttons(request, upgrade),
        },
    )


def _news(upgrade: Upgrade, events: EventPage, *, call: str) -> dict[str, Any]:
    """Events parted into the timeline and the output, one stream with a heading where another than `call` begins."""
    return {
        "events": [row for row in events.events if row.kind != UpgradeEvent.Kind.OUTPUT],
        "output": _output(events, call=call),
        "cursor": events.cursor,
        "is_end": events.is_end,
        "has_more": not events.is_end and events.cursor < upgrade.last_seq,
        "live_url": reverse("admin:updates_upgrade_live", args=[upgrade.pk]),
    }


def _output(events: EventPage, *, call: str) -> SafeString:
    """The pieces of output to the letter: a template would put line ends between them."""
    pieces: list[SafeString] = []
    for event in events.events:
        if event.kind == UpgradeEvent.Kind.OUTPUT:
            if event.call != call:
                pieces.append(format_html('<b class="fw-call">{}</b>', _name_of(event.call)))
            pieces.append(format_html("<span>{}</span>", event.text))
            call = event.call
    return SafeString("".join(pieces))


def _name_of(call: str) -> str:
    """A call without the number that tells repeats of it apart: 0006-ArtifactInstall is ArtifactInstall."""
    number, _, name = call.partition("-")
    return name if name and number.isdigit() else call


def _call_before(upgrade: Upgrade, cursor: int) -> str:
    before = upgrade.events.filter(kind=UpgradeEvent.Kind.OUTPUT, seq__lte=cursor)
    return before.order_by("-seq").values_list("call", flat=True).first() or ""


def _failure(upgrade: Upgrade) -> UpgradeEvent | None:
    """The event in which the first failure is on record, with the last of the output."""
    if not upgrade.error:
        return None
    return upgrade.events.filter(
        kind=UpgradeEvent.Kind.ARROW, from_state=upgrade.error_state, text=upgrade.error
    ).first()


def _buttons(request: HttpRequest, upgrade: Upgrade) -> list[Button]:
    def button(label: str, verb: str, why_not: str, *, is_danger: bool = False) -> Button:
        return Button(
            label,
            reverse(f"admin:updates_upgrade_{verb}", args=[upgrade.pk]),
            why_not=why_not_permitted(request, f"updates.{verb}_upgrade") or why_not,
            is_danger=is_danger,
        )

    return [
        button("Cancel upgrade", "cancel", _why_no_cancel(upgrade), is_danger=True),
        button("Roll back", "roll_back", _why_no_rollback(upgrade)),
        button("Retry", "retry", _why_no_retry(upgrade)),
    ]


def _why_no_cancel(upgrade: Upgrade) -> str:
    if upgrade.state == State.FINISHED:
        return "It is over."
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
    if upgrade.state != State.FINISHED:
        return "It is not over yet."
    if upgrade.outcome == Outcome.SUCCEEDED:
        return "It succeeded, so there is nothing to retry."
    return ""
