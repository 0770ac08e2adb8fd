"""The page on which one upgrade is watched, and afterwards read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Prefetch, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseClientRefresh

from portal.core.pages import fragment, mark_of, page, require
from updates.admin_views.timeline import lines_of, output_of
from updates.admin_views.upgrade_now import upgrade_now
from updates.models import Upgrade, UpgradeEvent, WatchedContainer
from updates.plan import Kind
from updates.queries import EventPage, events_after, history


def upgrade_page(request: HttpRequest, upgrade: Upgrade) -> HttpResponse:
    """All about one upgrade, as it is now; the page then asks for what comes."""
    require(request, "updates.view_upgrade")
    events = events_after(upgrade, 0)
    named = Upgrade.objects.select_related("device", "instance")
    prefetch_related_objects([upgrade], Prefetch("undone_by", named))
    now = upgrade_now(request, upgrade)
    return page(
        request,
        "updates/upgrade.html",
        title=str(upgrade),
        model=Upgrade,
        context={
            "upgrade": upgrade,
            "now": now,
            "watched": WatchedContainer.objects.filter(instance=upgrade.instance_id).first()
            if upgrade.kind == Kind.CONTAINER
            else None,
            "undone_by": upgrade.undone_by.all(),
            "retried_by": upgrade.retried_by.select_related("device", "instance"),
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
    cursor = int(after) if after.isascii() and after.isdigit() and len(after) < 10 else 0
    events = events_after(upgrade, cursor)
    now = upgrade_now(request, upgrade)
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


def _news(upgrade: Upgrade, events: EventPage, *, call: str) -> dict[str, Any]:
    """Events parted into the timeline and the output, one stream with a heading where another than `call` begins."""
    return {
        "lines": lines_of(events.events),
        "output": output_of(events.events, call=call),
        "cursor": events.cursor,
        "is_end": events.is_end,
        "has_more": not events.is_end and events.cursor < upgrade.last_seq,
        "live_url": reverse("admin:updates_upgrade_live", args=[upgrade.pk]),
    }


def _call_before(upgrade: Upgrade, cursor: int) -> str:
    before = upgrade.events.filter(kind=UpgradeEvent.Kind.OUTPUT, seq__lte=cursor)
    return before.order_by("-seq").values_list("call", flat=True).first() or ""
