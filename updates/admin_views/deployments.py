"""Pages about deployments: order one after a preview, follow it, cancel it."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseClientRefresh

from portal.core.errors import Refused
from portal.core.pages import (
    Button,
    VerbPage,
    fragment,
    framed,
    mark_of,
    page,
    require,
    why_not_permitted,
)
from updates.admin_views.artifacts import artifact_asked_for
from updates.admin_views.panel import Panel
from updates.forms import DeployForm
from updates.machine import ACTIVE, CANCELLABLE, Outcome, State
from updates.models import Deployment, Upgrade
from updates.queries import Counts, counts
from updates.services.deployments import (
    Preview,
    cancel_deployment,
    deploy_artifact,
    preview_deployment,
)

PAGE = 50
NAMES = 20


class DeployArtifact(VerbPage):
    """First the form, then a preview of who gets it, then the order itself: for the devices that the preview counted."""

    form_class = DeployForm
    model = Deployment
    permission = "updates.deploy_artifact"
    button = "Preview"

    def title(self) -> str:
        return "Deploy artifact"

    def back(self) -> str:
        return reverse("admin:updates_deployment_changelist")

    def says(self) -> list[str]:
        return ["Nothing happens yet: the next page shows who would get it and who would not."]

    def get_initial(self) -> dict[str, Any]:
        return artifact_asked_for(self.request)

    def form_valid(self, form: forms.Form) -> HttpResponse:
        order = cast(DeployForm, form)
        try:
            preview = _preview(order)
        except Refused as error:
            self.refusal = error
            return self.form_invalid(form)
        is_same = form.cleaned_data["expected"] == len(preview.takes)
        if "confirm" in self.request.POST and is_same:
            return super().form_valid(form)
        return self._show(order, preview, has_changed="confirm" in self.request.POST)

    def act(self, form: forms.Form) -> str:
        order = cast(DeployForm, form)
        given = order.cleaned_data
        deployment = deploy_artifact(
            artifact=given["artifact"],
            devices=order.chosen(),
            actor=self.actor,
            reason=given["reason"],
            name=given["name"],
            selection=order.selection(),
            force=given["force"],
        )
        messages.success(self.request, f"{deployment} is ordered.")
        return reverse("admin:updates_deployment_change", args=[deployment.pk])

    def _show(self, form: DeployForm, preview: Preview, *, has_changed: bool) -> HttpResponse:
        data = self.request.POST.copy()
        data["expected"] = str(len(preview.takes))
        context = framed(self.request, title="Deploy artifact: preview", model=Deployment) | {
            "form": DeployForm(data),
            "artifact": form.cleaned_data["artifact"],
            "reason": form.cleaned_data["reason"],
            "has_changed": has_changed,
            "takes": preview.takes[:NAMES],
            "takes_count": len(preview.takes),
            "unchanged": preview.unchanged[:NAMES],
            "unchanged_count": len(preview.unchanged),
            "left_out": preview.left_out[:NAMES],
            "left_out_count": len(preview.left_out),
        }
        self.template_name = "updates/deploy_preview.html"
        return self.render_to_response(context)


class CancelDeployment(VerbPage):
    model = Deployment
    permission = "updates.cancel_upgrade"
    button = "Cancel all"
    is_danger = True

    def find(self) -> None:
        self.deployment = get_object_or_404(Deployment, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Cancel {self.deployment}"

    def back(self) -> str:
        return reverse("admin:updates_deployment_change", args=[self.deployment.pk])

    def says(self) -> list[str]:
        count = self.deployment.upgrades.filter(state__in=CANCELLABLE).count()
        return [
            f"{count} of its upgrades can still be cancelled.",
            "Those that wait are over at once; those that run stop at their next safe point, or go back.",
        ]

    def act(self, form: forms.Form) -> str:
        cancelled = cancel_deployment(
            deployment=self.deployment, actor=self.actor, reason=form.cleaned_data["reason"]
        )
        messages.success(self.request, f"A cancel is on its way to {cancelled} upgrades.")
        return self.back()


def deployment_page(request: HttpRequest, deployment: Deployment) -> HttpResponse:
    """How far the deployment is, and a page of its upgrades."""
    require(request, "updates.view_deployment")
    show = request.GET.get("show", "")
    found = _shown(deployment, show).select_related("device", "artifact").order_by("device__name")
    upgrades: Page[Upgrade] = Paginator(found, PAGE).get_page(request.GET.get("page", "1"))
    return page(
        request,
        "updates/deployment.html",
        title=deployment.name,
        model=Deployment,
        context={
            "deployment": deployment,
            "panel": _counts_panel(deployment),
            "upgrades": upgrades,
            "show": show,
            "left_out": deployment.left_out[:PAGE],
            "left_out_count": len(deployment.left_out),
            "buttons": [_cancel_button(request, deployment)],
        },
    )


@require_GET
def counts_fragment(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What the deployment's page polls: its counts when they changed; 286 once it is over."""
    if not admin.site.has_permission(request):
        return HttpResponseClientRefresh()
    require(request, "updates.view_deployment")
    panel = _counts_panel(get_object_or_404(Deployment, pk=pk))
    html = render_to_string("components/live.html", {"panel": panel})
    return fragment(html, is_new=panel.mark != request.GET.get("mark"), is_end=not panel.is_waiting)


def _preview(form: DeployForm) -> Preview:
    return preview_deployment(
        artifact=form.cleaned_data["artifact"],
        devices=form.chosen().order_by("name"),
        force=form.cleaned_data["force"],
    )


def _counts_panel(deployment: Deployment) -> Panel:
    found = counts(deployment)
    html = render_to_string(
        "updates/counts.html",
        {
            "counts": _segments(found),
            "total": found.total,
            "is_over": found.is_over,
            "url": reverse("admin:updates_deployment_change", args=[deployment.pk]),
        },
    )
    return Panel(
        html,
        mark_of(html),
        is_waiting=not found.is_over,
        url=reverse("admin:updates_deployment_counts", args=[deployment.pk]) + "?",
        seconds=2,
    )


def _segments(found: Counts) -> list[dict[str, Any]]:
    """One part of the bar for each word that counts anything, with where it begins."""
    words = {"waiting": found.waiting, "running": found.running, **found.outcomes}
    segments, start = [], 0
    for word, count in words.items():
        segments.append({"word": word, "count": count, "start": start})
        start += count
    return segments


def _shown(deployment: Deployment, show: str) -> QuerySet[Upgrade]:
    wanted = {
        "waiting": Q(state=State.PENDING),
        "running": Q(state__in=ACTIVE),
        **{word.value: Q(state=State.FINISHED, outcome=word) for word in Outcome},
    }
    return deployment.upgrades.filter(wanted.get(show, Q()))


def _cancel_button(request: HttpRequest, deployment: Deployment) -> Button:
    can_be = deployment.upgrades.filter(state__in=CANCELLABLE).exists()
    return Button(
        "Cancel all",
        reverse("admin:updates_deployment_cancel", args=[deployment.pk]),
        why_not=why_not_permitted(request, "updates.cancel_upgrade")
        or ("" if can_be else "Nothing of it can be cancelled any more."),
        is_danger=True,
    )
