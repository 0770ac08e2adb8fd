"""One patch on one instance: what every node answered, file by file, and applying it there."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET

from patches.admin_views.results import rows_of, shown
from patches.admin_views.spread import OVERRIDE, standpoints, why_no_check
from patches.errors import NotApplicable
from patches.forms import ApplyPatchForm
from patches.models import NodeResult, Patch
from patches.queries import nodes_of
from patches.services.applicable import facts_of, why_not_applicable
from patches.services.patch_orders import apply_patch
from portal.core.pages import VerbPage, mark_of, page, require
from updates.admin_views.panel import Panel, polled
from updates.models import Instance

PAGE: Final = 10
SHOWN_NAMES: Final = 10


def _of(pk: UUID, instance: int) -> tuple[Patch, Instance]:
    patch = get_object_or_404(Patch.objects.select_related("module"), pk=pk)
    instances = Instance.objects.select_related("module", "device")
    return patch, get_object_or_404(instances, pk=instance, module=patch.module)


@require_GET
def on_instance_page(request: HttpRequest, pk: UUID, instance: int) -> HttpResponse:
    """The stored check of the patch on this instance, node by node; what it allows."""
    require(request, "patches.view_patch")
    patch, found = _of(pk, instance)
    return page(
        request,
        "patches/on_instance.html",
        title=f"{patch} on {found}",
        model=Patch,
        context={
            "patch": patch,
            "instance": found,
            "answers": answers_panel(request, patch, found),
        },
    )


@polled("patches.view_patch")
def answers_fragment(request: HttpRequest, pk: UUID, instance: int) -> Panel:
    """What a waiting page polls: news, or nothing. 286 once every node has answered and nothing is on its way."""
    return answers_panel(request, *_of(pk, instance))


def answers_panel(request: HttpRequest, patch: Patch, instance: Instance) -> Panel:
    """The nodes' answers, the worst first, a page of them; over them how all of it stands."""
    (stands,) = standpoints(request, patch, [instance])
    found = NodeResult.objects.filter(check_of=stands.facts.check).order_by("status", "node_name")
    pages = Paginator(found if stands.facts.check else NodeResult.objects.none(), PAGE)
    vars(pages)["count"] = stands.answered  # known by now
    part: Page[NodeResult] = pages.get_page(request.GET.get("page", "1"))
    html = render_to_string(
        "patches/answers.html",
        {
            "patch": patch,
            "row": stands,
            "rows": rows_of(part),
            "shown": part,
            "why_no_check": why_no_check(request, patch),
        },
    )
    url = reverse("admin:patches_patch_answers", args=[patch.pk, instance.pk])
    return Panel(
        html,
        mark_of(html),
        is_waiting=not stands.is_over,
        url=f"{url}?page={part.number}",
        seconds=1,
    )


class ApplyPatch(VerbPage):
    """What will happen, on how many nodes, and who says which version they run; then the order itself."""

    template_name = "patches/apply.html"
    model = Patch
    form_class = ApplyPatchForm
    permission = "patches.apply_patch"
    button = "Apply"

    def find(self) -> None:
        self.patch, self.instance = _of(self.kwargs["pk"], self.kwargs["instance"])
        (self.facts,) = facts_of(self.patch, [self.instance])
        self.may_override = self.actor.may(OVERRIDE)

    def title(self) -> str:
        return f"Apply {self.patch} to {self.instance}"

    def back(self) -> str:
        return reverse("admin:patches_patch_on", args=[self.patch.pk, self.instance.pk])

    def get_form(self, form_class: type[forms.Form] | None = None) -> forms.Form:
        """The override is offered where it helps, to those who may."""
        form = super().get_form(form_class)
        if not (self.facts.refused and self.may_override):
            del form.fields["override"]
        return form

    def says(self) -> list[str]:
        names = list(nodes_of(self.instance).values_list("name", flat=True)[: SHOWN_NAMES + 1])
        shown_names = ", ".join(names[:SHOWN_NAMES])
        more = " and others" if len(names) > SHOWN_NAMES else ""
        count, check = len(self.facts.nodes), self.facts.check
        version = check.version if check and check.version else self.instance.version
        who = check.version_says if check and check.version else "by the portal's record"
        nodes = "node gets" if count == 1 else "nodes get"
        return [
            f"{count} {nodes} it, at the same time and without a restart: {shown_names}{more}.",
            f"The patch is for version {self.patch.version}; {self.instance} runs version {version}, {who}.",
            "What the new files replace is kept first. If any node says error, not code or wrong path, all of them go back.",
            "A module that cannot be loaded while its code is busy waits for a restart by hand; the page says on which nodes.",
        ]

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        why_not = why_not_applicable(self.patch, self.facts, override=self.may_override)
        check = self.facts.check
        refusal = self.refusal or (NotApplicable(why_not) if why_not else None)
        return context | {
            "patch": self.patch,
            "instance": self.instance,
            "check": check,
            "integral": shown(check.integral) if check else None,
            "refused": self.facts.refused,
            "refusal": refusal,
            "lacks_override": "" if self.may_override else OVERRIDE,
        }

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        upgrade = apply_patch(
            patch=self.patch, instance=self.instance, actor=self.actor,
            reason=given["reason"], override=given.get("override", False),
        )  # fmt: skip
        return reverse("admin:updates_upgrade_change", args=[upgrade.pk])
