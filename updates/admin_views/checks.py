"""The Check panel of an artifact's page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Page, Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_POST

from devices.models import Device
from portal.core.errors import Refused
from portal.core.pages import mark_of, require, why_not_permitted
from updates.admin_views.panel import Panel, polled
from updates.forms import SelectionForm
from updates.models import Artifact, Check
from updates.services.checks import request_checks, why_stale

PAGE = 10
BAD = (Check.Verdict.REFUSED, Check.Verdict.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Report:
    """One check, with the reason why it is not to be relied on any more (empty: it is)."""

    check: Check
    stale: str


def verdicts(artifact: Artifact) -> Counter[str]:
    """How many checks of `artifact` have each verdict."""
    rows = artifact.checks.order_by().values_list("verdict").annotate(Count("pk"))
    return Counter(dict(rows))


def checks_panel(request: HttpRequest, artifact: Artifact) -> Panel:
    """The stored checks of `artifact`, a page of them, of one verdict or of all; with counts over all."""
    checks = artifact.checks.select_related("device").order_by("device__name")
    counts = verdicts(artifact)
    verdict = request.GET.get("verdict", "")
    verdict = verdict if verdict in Check.Verdict else ""
    wanted = checks.filter(verdict=verdict) if verdict else checks
    pages = Paginator(wanted, PAGE)
    vars(pages)["count"] = counts[verdict] if verdict else sum(counts.values())  # known by now
    shown: Page[Check] = pages.get_page(request.GET.get("checks", "1"))
    html = render_to_string(
        "updates/checks.html",
        {
            "artifact": artifact,
            "reports": [Report(check, why_stale(check)) for check in shown],
            "shown": shown,
            "verdict": verdict,
            "total": sum(counts.values()),
            "counts": [
                (word.value, word.label, counts[word]) for word in Check.Verdict if counts[word]
            ],
            "bad": sum(counts[word] for word in BAD),
            "why_not": why_not_permitted(request, "updates.check_artifact"),
        },
    )
    url = reverse("admin:updates_artifact_checks", args=[artifact.pk])
    return Panel(
        html,
        mark_of(html),
        is_waiting=bool(counts[Check.Verdict.WAITING]),
        url=f"{url}?verdict={verdict}&checks={shown.number}",
        seconds=2,
    )


@polled("updates.view_artifact")
def checks_fragment(request: HttpRequest, pk: UUID) -> Panel:
    """What a waiting panel polls: news, or nothing. 286 once every check is in."""
    return checks_panel(request, get_object_or_404(Artifact, pk=pk))


@require_POST
def order_checks(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The chosen devices are being checked: one, those that failed or all of before "again", or a new selection."""
    actor = require(request, "updates.check_artifact")
    artifact = get_object_or_404(Artifact, pk=pk)
    back = reverse("admin:updates_artifact_change", args=[pk]) + "#checks"
    try:
        request_checks(artifact=artifact, devices=_chosen(request, artifact), actor=actor)
    except Refused as error:
        messages.error(request, str(error))
    return redirect(back)


def _chosen(request: HttpRequest, artifact: Artifact) -> QuerySet[Device]:
    """The devices that the request means. Refused, with the reason, when it makes no sense."""
    before = Device.objects.filter(checks__artifact=artifact)
    if "again" in request.POST:
        return before.filter(name=request.POST["again"])
    if request.POST.get("again_all") == "bad":
        return Device.objects.filter(
            pk__in=artifact.checks.filter(verdict__in=BAD).values("device_id")
        )
    if "again_all" in request.POST:
        return before
    form = SelectionForm(request.POST)
    if not form.is_valid():
        problems = [str(text) for texts in form.errors.values() for text in texts]
        raise Refused(" ".join(problems))
    return form.chosen(cast(User, request.user))
