"""A device's whole life: its upgrades, and everything else that people did to it, in one line of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseClientRefresh

from devices.models import Device
from portal.core import clock
from portal.core.keyset import PAGE, Cursor, before
from portal.core.models import AuditEvent
from portal.core.pages import require, why_not_permitted
from updates.machine import Outcome, State
from updates.models import Upgrade
from updates.plan import Kind
from updates.queries import history, instances_on

ORDERS: Final = ("upgrade.apply", "upgrade.retry", "upgrade.roll_back")
"""Entries that say again what the upgrade itself says."""
STRIP: Final = 40
"""How many versions the strip goes back."""
NAMED: Final = 6
INSTANCES: Final = 50
WIDTH: Final = 1000
NARROWEST: Final = 3
TONES: Final = 6


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened to the device: an upgrade with what people did to it, or another act."""

    at: datetime
    id: UUID
    upgrade: Upgrade | None = None
    entry: AuditEvent | None = None
    acts: list[AuditEvent] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stretch:
    """How long the device had one version. `x` and `width` are thousandths of the strip."""

    version: str
    since: datetime
    until: datetime
    is_broken: bool
    tone: int
    x: int
    width: int


@require_GET
def life_fragment(request: HttpRequest, device: int) -> HttpResponse:
    """A page of the device's life, from `older` on; the first one has the strip of its versions above it."""
    if not admin.site.has_permission(request):
        return HttpResponseClientRefresh()
    require(request, "updates.view_upgrade")
    found = get_object_or_404(Device, pk=device)
    start = Cursor.read(request.GET.get("older", ""))
    sees_audit = not why_not_permitted(request, "core.view_auditevent")
    moments, older = moments_of(found, start=start, with_audit=sees_audit)
    context: dict[str, Any] = {
        "device": found,
        "moments": moments,
        "older": older,
        "sees_audit": sees_audit,
        "is_first": start is None,
    }
    if start is None:
        strip = versions_of(found)
        context |= {"strip": strip, "named": strip[::-1][:NAMED]}
        if not why_not_permitted(request, "updates.view_instance"):
            found_there = instances_on(found, limit=INSTANCES + 1)
            context |= {"instances": found_there[:INSTANCES], "is_more": found_there[INSTANCES:]}
    return render(request, "updates/life.html", context)


def moments_of(
    device: Device, *, start: Cursor | None, with_audit: bool
) -> tuple[list[Moment], str]:
    """Up to a page of moments before `start`, newest first, and the cursor of what is older; empty at the beginning."""
    upgrades = history().filter(device=device).defer("plan")
    entries = AuditEvent.objects.filter(
        subject_type=Device._meta.label_lower, subject_id=str(device.pk)
    )
    found = [
        Moment(row.created_at, row.pk, upgrade=row) for row in _page(upgrades, "created_at", start)
    ]
    if with_audit:
        found += [Moment(row.at, row.pk, entry=row) for row in _page(entries, "at", start)]
    found.sort(key=lambda moment: (moment.at, moment.id), reverse=True)
    shown = found[:PAGE]
    if with_audit:
        _add_acts(shown)
    last = shown[-1] if len(found) > PAGE else None
    return shown, str(Cursor(last.at, last.id)) if last else ""


def versions_of(device: Device) -> list[Stretch]:
    """What the device itself had when, oldest first: as its upgrades left it. What its instances got is their own version."""
    rows = list(
        Upgrade.objects.filter(
            device=device,
            kind=Kind.ARTIFACT,
            state=State.FINISHED,
            outcome__in=[Outcome.SUCCEEDED, Outcome.BROKEN],
            unchanged=False,
        )
        .order_by("-finished_at")
        .annotate(ended=Coalesce("finished_at", "created_at"))
        .values_list("ended", "to_version", "outcome")[:STRIP]
    )[::-1]
    if not rows:
        return []
    first, now = rows[0][0], clock.now()
    whole = max((now - first).total_seconds(), 1)
    places = [round((at - first).total_seconds() / whole * WIDTH) for at, *_ in rows] + [WIDTH]
    ends = [at for at, *_ in rows[1:]] + [now]
    tones: dict[str, int] = {}
    return [
        Stretch(
            version or "what was there before",
            since,
            ends[index],
            is_broken=outcome == Outcome.BROKEN,
            tone=tones.setdefault(version, len(tones)) % TONES,
            x=places[index],
            width=max(places[index + 1] - places[index], NARROWEST),
        )
        for index, (since, version, outcome) in enumerate(rows)
    ]


def _page(rows: QuerySet[Any], time: str, start: Cursor | None) -> QuerySet[Any]:
    found = rows.filter(before(start, time=time)) if start else rows
    return found.order_by(f"-{time}", "-id")[: PAGE + 1]


def _add_acts(moments: list[Moment]) -> None:
    """What people did to these upgrades after they had ordered them, oldest first."""
    by_id = {str(moment.id): moment for moment in moments if moment.upgrade}
    acts = AuditEvent.objects.filter(
        subject_type=Upgrade._meta.label_lower, subject_id__in=by_id
    ).exclude(action__in=ORDERS)
    for act in acts.order_by("at", "id"):
        by_id[act.subject_id].acts.append(act)
