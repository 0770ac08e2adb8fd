"""Pages about deployments: order one after a preview, follow it, cancel it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from devices.queries import stored_selection
from devices.services.bulk import MEANT_ABOVE, mark_of_these, require_meant
from portal.core.errors import Refused
from portal.core.pages import (
    VerbPage,
    framed,
)
from updates.admin_views.order_page import CancelOrder, counts_panel, order_page
from updates.admin_views.panel import Panel, polled
from updates.admin_views.plan_preview import plan_preview
from updates.admin_views.releases import asked_for
from updates.forms import DeployForm
from updates.models import Artifact, Deployment
from updates.services.deployments import (
    Preview,
    cancel_deployment,
    deploy_artifact,
    deploy_release,
    preview_deployment,
    preview_release,
)

NAMES = 12
PARTS = 20


@dataclass(frozen=True, slots=True)
class Part:
    """Devices that have something in common: what, how many, and the names of some."""

    what: str
    count: int
    names: list[str]


class DeployArtifact(VerbPage):
    """First the form, then a preview of who gets it, then the order itself: for the devices that the preview counted."""

    template_name = "updates/deploy.html"
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
        asked = self.request.GET
        words = {f"where_{word}": asked[word] for word in DeployForm.words if word in asked}
        picked = {"selection": asked["selection"]} if "selection" in asked else {}
        groups = {"groups": asked.getlist("group")} if "group" in asked else {}
        return asked_for(self.request) | words | picked | groups

    def form_valid(self, form: forms.Form) -> HttpResponse:
        order = cast(DeployForm, form)
        if "again" in self.request.POST:
            return self.render_to_response(self.get_context_data(form=form))
        try:
            preview = self._preview(order)
        except Refused as error:
            self.refusal = error
            return self.form_invalid(form)
        if "confirm" not in self.request.POST:
            return self._show(order, preview)
        if form.cleaned_data["expected"] != _mark_of(preview):
            return self._show(
                order,
                preview,
                why="The fleet has changed since you looked: this is who would get it now.",
            )
        try:
            typed = form.cleaned_data["typed"]
            require_meant(count=len(preview.takes), said=typed, how="type the number")
        except Refused as error:
            return self._show(order, preview, why=str(error))
        return super().form_valid(form)

    def act(self, form: forms.Form) -> str:
        order = cast(DeployForm, form)
        given = order.cleaned_data
        words: dict[str, Any] = {
            "devices": order.chosen(cast(User, self.request.user)),
            "actor": self.actor,
            "reason": given["reason"],
            "name": given["name"],
            "selection": order.chosen_words(),
            "force": given["force"],
            "seen": given["expected"],
        }
        what = order.what()
        if isinstance(what, Artifact):
            deployment = deploy_artifact(artifact=what, **words)
        else:
            deployment = deploy_release(release=what, **words)
        messages.success(self.request, f"{deployment} is ordered.")
        return reverse("admin:updates_deployment_change", args=[deployment.pk])

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        form = context["form"]
        return context | {
            "picked": self._picked(form),
            "filter_fields": [form[f"where_{word}"] for word in DeployForm.words],
            "has_filter": any(form[f"where_{word}"].value() for word in DeployForm.words),
        }

    def _picked(self, form: forms.Form) -> int | None:
        """How many devices were picked in the list before; None when the choice is made here."""
        selection = form["selection"].value()
        if not selection:
            return None
        try:
            return stored_selection(str(selection), cast(User, self.request.user)).count()
        except Refused as error:
            self.refusal = error
            return 0

    def _preview(self, form: DeployForm) -> Preview:
        devices = form.chosen(cast(User, self.request.user)).order_by("name")
        what, force = form.what(), form.cleaned_data["force"]
        if isinstance(what, Artifact):
            return preview_deployment(artifact=what, devices=devices, force=force)
        return preview_release(release=what, devices=devices, force=force)

    def _show(self, form: DeployForm, preview: Preview, *, why: str = "") -> HttpResponse:
        data = self.request.POST.copy()
        data["expected"] = _mark_of(preview)
        data["typed"] = ""
        what, takes = form.what(), preview.takes
        context = framed(self.request, title="Deploy artifact: preview", model=Deployment) | {
            "form": DeployForm(data),
            "what": what,
            "force": form.cleaned_data["force"],
            "reason": form.cleaned_data["reason"],
            "why": why,
            "must_type": len(takes) > MEANT_ABOVE,
            "plan": plan_preview(preview.artifacts[takes[0].pk], takes[0]) if takes else [],
            "artifacts": _by_artifact(preview),
            **_parts(preview),
        }
        return TemplateResponse(self.request, "updates/deploy_preview.html", context)


class CancelDeployment(CancelOrder):
    model = Deployment

    def cancel(self, *, reason: str) -> int:
        deployment = cast(Deployment, self.order)
        return cancel_deployment(deployment=deployment, actor=self.actor, reason=reason)


def deployment_page(request: HttpRequest, deployment: Deployment) -> HttpResponse:
    """How far the deployment is, and a page of its upgrades."""
    return order_page(
        request,
        deployment,
        template="updates/deployment.html",
        title=deployment.name,
        left_out_count=deployment.left_out_count,
    )


@polled("updates.view_deployment")
def counts_fragment(_request: HttpRequest, pk: UUID) -> Panel:
    """What the deployment's page polls: its counts when they changed; 286 once it is over."""
    return counts_panel(get_object_or_404(Deployment, pk=pk))


def _parts(preview: Preview) -> dict[str, Any]:
    """Who gets it, by what they have now; who has it; who is left out, by the reason. Each with some names."""
    by_version: dict[str, list[str]] = defaultdict(list)
    for device in preview.takes:
        by_version[device.artifact_name].append(device.name)
    by_reason: dict[str, list[str]] = defaultdict(list)
    for device, reason in preview.left_out:
        by_reason[reason].append(device.name)
    return {
        "takes_count": len(preview.takes),
        "takes": _biggest(by_version),
        "unchanged": [device.name for device in preview.unchanged[:NAMES]],
        "unchanged_count": len(preview.unchanged),
        "left_out": _biggest(by_reason),
        "left_out_count": len(preview.left_out),
    }


def _mark_of(preview: Preview) -> str:
    return mark_of_these(device.pk for device in preview.takes)


def _by_artifact(preview: Preview) -> list[tuple[Artifact, int]]:
    """Of a release with several artifacts: how many devices would get which."""
    counted = Counter(preview.artifacts.values())
    return counted.most_common() if len(counted) > 1 else []


def _biggest(groups: dict[str, list[str]]) -> list[Part]:
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    return [Part(what, len(names), names[:NAMES]) for what, names in ranked[:PARTS]]
