"""The preflight on the page of a watched container: each thing that was looked at, and how old the look is."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_POST

from portal.core.errors import Refused
from portal.core.pages import mark_of, require, why_not_permitted
from updates.admin_views.panel import Panel, polled
from updates.admin_views.watched_links import page_of
from updates.models import ContainerCheck, WatchedContainer
from updates.services.container_checks import request_preflight, why_stale
from updates.services.container_upgrades import UPGRADE
from updates.watch_forms import PreflightForm

VIEW = "updates.view_containercheck"


def preflight_panel(request: HttpRequest, watched: WatchedContainer) -> Panel | None:
    """The stored preflight, which asks for itself while it is being made. None for who may not see it."""
    return None if why_not_permitted(request, VIEW) else _panel(request, watched)


@polled(VIEW)
def preflight_fragment(request: HttpRequest, pk: int) -> Panel:
    """The panel alone."""
    return _panel(request, _found(pk))


def _panel(request: HttpRequest, watched: WatchedContainer) -> Panel:
    check: ContainerCheck | None = getattr(watched, "preflight", None)
    html = render_to_string(
        "updates/preflight.html",
        {
            "watched": watched,
            "check": check,
            "stale": why_stale(check) if check else "",
            "version": check.image.rpartition(":")[2] if check else "",
            "why_not": why_not_permitted(request, UPGRADE),
        },
        request,
    )
    url = reverse("admin:updates_watchedcontainer_preflight", args=[watched.pk])
    is_waiting = check is not None and check.verdict == ContainerCheck.Verdict.WAITING
    # A form has another token each time: that is nothing new to see.
    mark = mark_of(f"{check.verdict} {check.checked_at}" if check else "")
    return Panel(html, mark, is_waiting=is_waiting, url=f"{url}?", seconds=2)


@require_POST
def request_preflight_now(request: HttpRequest, pk: int) -> HttpResponse:
    """A worker is looking at what an upgrade would find."""
    actor = require(request, UPGRADE)
    watched = _found(pk)
    form = PreflightForm(request.POST)
    version = form.cleaned_data["version"] if form.is_valid() else ""
    try:
        request_preflight(watched=watched, version=version, actor=actor)
    except Refused as error:
        messages.error(request, str(error))
    return redirect(f"{page_of(watched)}#preflight")


def _found(pk: int) -> WatchedContainer:
    rows = WatchedContainer.objects.select_related("instance__device", "preflight")
    return get_object_or_404(rows, pk=pk)
