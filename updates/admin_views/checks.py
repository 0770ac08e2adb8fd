"""The Check panel of an artifact's page."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from django.contrib import admin, messages
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRefresh

from devices.models import Device
from portal.core.errors import Refused
from portal.core.pages import fragment, mark_of, require, why_not_permitted
from updates.admin_views.panel import Panel
from updates.forms import SelectionForm
from updates.models import Artifact, Check
from updates.services.checks import is_stale, request_checks

PAGE = 25


def checks_panel(request: HttpRequest, artifact: Artifact) -> Panel:
    """The stored checks of `artifact`, a page of them, with counts over all."""
    checks = artifact.checks.select_related("device").order_by("device__name")
    counts = Counter(checks.values_list("verdict", flat=True).order_by())
    shown: Page[Check] = Paginator(checks, PAGE).get_page(request.GET.get("checks", "1"))
    html = render_to_string(
        "updates/checks.html",
        {
            "artifact": artifact,
            "checks": [(check, is_stale(check)) for check in shown],
            "shown": shown,
            "counts": [
                (verdict.value, verdict.label, counts[verdict])
                for verdict in Check.Verdict
                if counts[verdict]
            ],
            "why_not": why_not_permitted(request, "updates.check_artifact"),
        },
    )
    url = reverse("admin:updates_artifact_checks", args=[artifact.pk])
    return Panel(
        html,
        mark_of(html),
        is_waiting=bool(counts[Check.Verdict.WAITING]),
        url=f"{url}?checks={shown.number}",
        seconds=2,
    )


@require_GET
def checks_fragment(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What a waiting panel polls: news, or nothing. 286 once every check is in."""
    if not admin.site.has_permission(request):
        return HttpResponseClientRefresh()
    require(request, "updates.view_artifact")
    panel = checks_panel(request, get_object_or_404(Artifact, pk=pk))
    html = render_to_string("components/live.html", {"panel": panel})
    return fragment(
        html,
        is_new=panel.mark != request.GET.get("mark"),
        is_end=not panel.is_waiting,
    )


@require_POST
def order_checks(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The chosen devices are being checked: one device "again", or a selection."""
    actor = require(request, "updates.check_artifact")
    artifact = get_object_or_404(Artifact, pk=pk)
    back = reverse("admin:updates_artifact_change", args=[pk]) + "#checks"
    if "again" in request.POST:
        chosen = Device.objects.filter(checks__artifact=artifact, name=request.POST["again"])
    else:
        form = SelectionForm(request.POST)
        if not form.is_valid():
            for problem in (text for texts in form.errors.values() for text in texts):
                messages.error(request, str(problem))
            return redirect(back)
        try:
            chosen = form.chosen()
        except Refused as error:
            messages.error(request, str(error))
            return redirect(back)
    checks = request_checks(artifact=artifact, devices=chosen, actor=actor)
    if not checks:
        messages.warning(request, "Nobody is in that selection, so nothing is checked.")
    return redirect(back)
