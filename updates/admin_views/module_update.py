"""The page on which instances are updated: first the form, then who gets it, who does not and what waits, then the order."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final, cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from devices.services.bulk import MEANT_ABOVE, require_meant
from portal.core.errors import Refused
from portal.core.pages import VerbPage, framed, why_not_permitted
from updates.machine import State
from updates.models import Instance, ModuleOrder, Upgrade
from updates.module_forms import UpdateForm
from updates.services.module_choice import Choice
from updates.services.module_updates import ORDER, OVERRIDE, order_module, preview_module

SHOWN: Final = 50
NAMES: Final = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One instance that gets it: what it has, what is special about it, and what it waits for."""

    instance: Instance
    note: str
    waits: str


class UpdateInstances(VerbPage):
    """The confirmation is for the instances that the preview showed, and for no others."""

    template_name = "updates/module_update.html"
    form_class = UpdateForm
    model = ModuleOrder
    permission = ORDER
    button = "Preview"

    def title(self) -> str:
        return "Update instances"

    def back(self) -> str:
        asked = self.request.GET.get("instance", "")
        if asked.isascii() and asked.isdecimal() and len(asked) < 18:
            return reverse("admin:updates_instance_change", args=[int(asked)])
        return reverse("admin:updates_moduleorder_changelist")

    def says(self) -> list[str]:
        return ["Nothing happens yet: the next page shows who would get it and who would not."]

    def get_form(self, form_class: type[forms.Form] | None = None) -> forms.Form:
        """The override is offered to those who may."""
        form = super().get_form(form_class)
        if why_not_permitted(self.request, OVERRIDE):
            del form.fields["override"]
        return form

    def get_initial(self) -> dict[str, Any]:
        return asked_choice(self.request)

    def form_valid(self, form: forms.Form) -> HttpResponse:
        order = cast(UpdateForm, form)
        if "again" in self.request.POST:
            return self.render_to_response(self.get_context_data(form=form))
        try:
            choice = preview_module(order.wanted())
        except Refused as error:
            self.refusal = error
            return self.form_invalid(form)
        if "confirm" not in self.request.POST:
            return self._show(order, choice)
        if order.cleaned_data["expected"] != _names(choice):
            why = "Something has changed since you looked: this is who would get it now."
            return self._show(order, choice, why=why)
        try:
            require_meant(
                count=len(choice.takes), said=order.cleaned_data["typed"],
                how="type the number", what="instances",
            )  # fmt: skip
        except Refused as error:
            return self._show(order, choice, why=str(error))
        return super().form_valid(form)

    def act(self, form: forms.Form) -> str:
        wanted = cast(UpdateForm, form).wanted()
        order = order_module(wanted, actor=self.actor, reason=form.cleaned_data["reason"])
        messages.success(self.request, f"{order} is ordered.")
        upgrades = list(order.upgrades.values_list("pk", flat=True)[:2])
        if len(upgrades) == 1 and not order.left_out:
            return reverse("admin:updates_upgrade_change", args=upgrades)
        return reverse("admin:updates_moduleorder_change", args=[order.pk])

    def _show(self, form: UpdateForm, choice: Choice, *, why: str = "") -> HttpResponse:
        data = self.request.POST.copy()
        data["expected"] = _names(choice)
        data["typed"] = ""
        shown = UpdateForm(data)
        wanted = form.wanted()
        context = framed(self.request, title="Update instances: preview", model=ModuleOrder) | {
            "form": shown,
            "wanted": wanted,
            "why": why,
            "reason": form.cleaned_data["reason"],
            "takes": _lines(choice, canary=wanted.canary)[:SHOWN],
            "takes_count": len(choice.takes),
            "must_type": len(choice.takes) > MEANT_ABOVE,
            "left_out": _by_reason(choice),
            "left_out_count": len(choice.left_out),
        }
        return TemplateResponse(self.request, "updates/module_update_preview.html", context)


def asked_choice(request: HttpRequest) -> dict[str, Any]:
    """The image and the instances that the address names, for a form to begin with."""
    asked = request.GET
    words: dict[str, Any] = {word: asked[word] for word in ("image", "module") if word in asked}
    if "instance" in asked:
        words["instances"] = [pk for pk in asked.getlist("instance") if pk.isdecimal()]
    return words


def _names(choice: Choice) -> str:
    return " ".join(instance.name for instance in choice.takes)


def _lines(choice: Choice, *, canary: bool) -> list[Line]:
    devices = {instance.device_id for instance in choice.takes}
    busy: dict[int, Upgrade] = {}
    rows = Upgrade.objects.filter(device__in=devices).exclude(state=State.FINISHED)
    for row in rows.select_related("device", "instance").order_by("-created_at"):
        busy[row.device_id] = row
    lines = []
    for number, instance in enumerate(choice.takes):
        ahead = busy.get(instance.device_id)
        waits = f"Waits for {ahead}." if ahead else ""
        if canary and number:
            waits = f"{waits} Waits for the canary, {choice.takes[0]}.".strip()
        lines.append(Line(instance, choice.notes.get(instance.name, ""), waits))
    return lines


def _by_reason(choice: Choice) -> list[tuple[str, int, list[str]]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for instance, why in choice.left_out:
        groups[why].append(instance.name)
    return [(why, len(names), names[:NAMES]) for why, names in groups.items()][:SHOWN]
