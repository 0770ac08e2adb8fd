"""The page that says what is outdated where, and the one that updates all of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from devices.services.bulk import MEANT_ABOVE
from portal.core.pages import Button, VerbPage, page, require, why_not_permitted
from updates.formats.available import Published
from updates.models import Installation, ModuleOrder
from updates.module_forms import UpdateAllForm
from updates.services.module_bulk import Bulk, require_all_meant, update_modules
from updates.services.module_updates import ORDER
from updates.services.offers import Offer, offers
from updates.services.repositories import catalogue

SHOWN: Final = 12
AT_ONCE: Final = 100
"""Instances that one link can name."""


@dataclass(slots=True)
class Group:
    """Instances that are offered the same version: how many, some of them, and what to read about it."""

    source: str
    version: str
    title: str
    notes: str
    repository: str
    count: int = 0
    held: int = 0
    busy: int = 0
    ready: int = 0
    some: list[Offer] = field(default_factory=list)
    named: list[int] = field(default_factory=list)

    @property
    def image(self) -> str:
        return f"{self.source}:{self.version}"


@require_GET
def offers_page(request: HttpRequest) -> HttpResponse:
    """What could be newer, by image; each with what can be done about it."""
    require(request, "updates.view_installation")
    groups = groups_of(catalogue())
    may_not = why_not_permitted(request, ORDER)
    return page(
        request,
        "updates/offers.html",
        title="Updates",
        model=Installation,
        context={
            "groups": [(group, _update_button(group, may_not)) for group in groups],
            "buttons": [_update_all_button(groups, may_not)],
            "may_change": not why_not_permitted(request, "updates.change_installation"),
            "may_order": not may_not,
            "has_instances": bool(groups) or Installation.objects.exists(),
        },
    )


def groups_of(packages: dict[str, Published]) -> list[Group]:
    """Those with the most instances first."""
    found: dict[str, Group] = {}
    for offer in offers(packages):
        group = found.get(offer.image)
        if group is None:
            entry = packages[offer.source]
            group = found[offer.image] = Group(
                offer.source, offer.version, entry.package.name,
                entry.package.docs.get("relnotes_url", ""), entry.repository,
            )  # fmt: skip
        group.count += 1
        group.held += bool(offer.held_why)
        if len(group.some) < SHOWN:
            group.some.append(offer)
        group.busy += bool(offer.busy)
        if not offer.held_why and not offer.busy:
            group.ready += 1
            if len(group.named) < AT_ONCE:
                group.named.append(offer.instance)
    return sorted(found.values(), key=lambda group: (-group.count, group.image))


class UpdateAll(VerbPage):
    """All that is offered, but for what is held."""

    model = ModuleOrder
    form_class = UpdateAllForm
    permission = ORDER
    button = "Update all"

    def title(self) -> str:
        return "Update all instances"

    def back(self) -> str:
        return reverse("admin:updates_installation_available")

    def get_form(self, form_class: type[forms.Form] | None = None) -> forms.Form:
        form = super().get_form(form_class)
        count = sum(group.ready for group in groups_of(catalogue()))
        if count > MEANT_ABOVE:
            form.fields["number"].help_text = f"Type {count} if you mean all of them."
        else:
            del form.fields["number"]
        return form

    def says(self) -> list[str]:
        groups = groups_of(catalogue())
        lines = [f"{group.ready} get {group.image}." for group in groups[:SHOWN] if group.ready]
        more = [f"And {len(groups) - SHOWN} images more."] if len(groups) > SHOWN else []
        return [
            *(lines or ["Nothing newer is offered."]),
            *more,
            "Who is held or busy is left out. Each that fails goes back by itself to what it had.",
        ]

    def act(self, form: forms.Form) -> str:
        given: dict[str, Any] = form.cleaned_data
        bulk = Bulk(canary=given["canary"], stops_at_failure=given["stops_at_failure"])
        packages, number = catalogue(), given.get("number")
        require_all_meant(bulk, packages, said=number, how="type the number")
        orders = update_modules(bulk, packages, actor=self.actor, reason=given["reason"])
        messages.success(self.request, f"{len(orders)} orders were made.")
        return reverse("admin:updates_moduleorder_changelist")


def _update_button(group: Group, may_not: str) -> Button:
    words = urlencode({"image": group.image, "instance": group.named}, doseq=True)
    count = len(group.named)
    label = f"Update {'it' if count == 1 else f'these {count}'}"
    return Button(
        label if count else "Update",
        f"{reverse('admin:updates_moduleorder_update')}?{words}",
        why_not=may_not or ("" if count else "All of them are held or busy."),
    )


def _update_all_button(groups: list[Group], may_not: str) -> Button:
    nothing = "" if any(group.named for group in groups) else "Nothing can be updated now."
    url = reverse("admin:updates_installation_update_all")
    return Button("Update all", url, why_not=may_not or nothing, is_main=True)
