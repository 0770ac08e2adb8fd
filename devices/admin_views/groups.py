"""The page of a group: who is in it now, what they run, what was done to it. And the live preview of a filter."""

from __future__ import annotations

import re
from typing import Final, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Count, QuerySet
from django.db.models.fields.json import KT
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseClientRefresh

from devices.forms import MembersForm
from devices.models import Device, DeviceGroup
from devices.queries import GROUP_WORDS, devices_in, devices_matching, devices_open_to
from devices.services.csv_table import MOST_BYTES
from devices.services.device_files import read_devices
from devices.services.groups import GUARD, Change, delete_group, name_members
from portal.core.errors import Refused
from portal.core.keyset import counted, slice_by_name
from portal.core.pages import Button, VerbPage, page, require, why_not_permitted
from portal.core.queries import edits_of

VERSIONS: Final = 12
NAMES: Final = 20
SEPARATORS: Final = re.compile(r"[\s,;]+")


def group_page(request: HttpRequest, group: DeviceGroup) -> HttpResponse:
    """The group as it is right now."""
    require(request, "devices.view_devicegroup")
    refusal, devices = None, Device.objects.none()
    try:
        devices = devices_open_to(cast(User, request.user)).filter(
            pk__in=devices_in(group).values("pk")
        )
    except Refused as error:
        refusal = error
    shown = slice_by_name(
        devices, name="name", older=request.GET.get("older", ""), newer=request.GET.get("newer", "")
    )
    sees_audit = not why_not_permitted(request, "core.view_auditevent")
    return page(
        request,
        "devices/group.html",
        title=group.name,
        model=DeviceGroup,
        context={
            "group": group,
            "refusal": refusal,
            "shown": shown,
            "count": counted(devices),
            "versions": _versions(group, versions_in(devices)),
            "words": _words(group).urlencode(),
            "may_see_deployments": not why_not_permitted(request, "updates.view_deployment"),
            "edits": edits_of(group) if sees_audit else None,
            "buttons": _buttons(request, group),
        },
    )


def versions_in(devices: QuerySet[Device]) -> list[tuple[str, int]]:
    """What the devices have installed and how many of them, the most frequent first; the seldom ones together."""
    found = (
        devices.order_by()
        .values_list(KT("provides__artifact_name"))
        .annotate(count=Count("pk"))
        .order_by("-count")
    )
    rows = [(name or "", count) for name, count in found]
    if len(rows) <= VERSIONS:
        return rows
    return [*rows[:VERSIONS], ("others", sum(count for _, count in rows[VERSIONS:]))]


@require_GET
def preview_fragment(request: HttpRequest) -> HttpResponse:
    """Who would be in a dynamic group with the filter that is being typed, or why it makes no sense."""
    if not admin.site.has_permission(request):
        return HttpResponseClientRefresh()
    require(request, "devices.view_device")
    if request.GET.get("kind") == DeviceGroup.Kind.STATIC:
        return render(request, "devices/group_preview.html", {"is_static": True})
    words = {
        word: request.GET[word].strip() for word in GROUP_WORDS if request.GET.get(word, "").strip()
    }
    shown: dict[str, object] = {"words": words}
    try:
        devices = devices_open_to(cast(User, request.user)).filter(
            pk__in=devices_matching(words).values("pk")
        )
        shown |= {
            "names": devices.order_by("name").values_list("name", flat=True)[:NAMES],
            "count": counted(devices),
            "is_more": devices[NAMES : NAMES + 1].exists(),
        }
    except Refused as error:
        shown["refusal"] = error
    return render(request, "devices/group_preview.html", shown)


class GroupMembers(VerbPage):
    """Many members at once, by name."""

    form_class = MembersForm
    model = DeviceGroup
    permission = "devices.change_devicegroup"
    button = "Change members"

    def find(self) -> None:
        self.group = get_object_or_404(DeviceGroup, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Members of {self.group}"

    def back(self) -> str:
        return group_url(self.group)

    def says(self) -> list[str]:
        if self.group.kind != DeviceGroup.Kind.STATIC:
            return ["The members of a dynamic group are what its filter finds: change the filter."]
        return [
            f"{self.group.members.count()} devices are in it now. A name that there is not changes nothing."
        ]

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        names = [name for name in SEPARATORS.split(given["names"]) if name]
        if file := given["file"]:
            if file.size > MOST_BYTES:
                raise Refused(f"The file is larger than {MOST_BYTES // 2**20} MiB.")
            names += [line.cells["name"] for line in read_devices(file.read()).lines]
        came, went = name_members(
            group=self.group,
            names=names,
            change=Change(given["change"]),
            actor=self.actor,
            reason=given["reason"],
        )
        messages.success(self.request, f"{came} devices came into {self.group}, {went} left it.")
        return self.back()


class DeleteGroup(VerbPage):
    model = DeviceGroup
    permission = "devices.delete_devicegroup"
    button = "Delete group"
    is_danger = True

    def find(self) -> None:
        self.group = get_object_or_404(DeviceGroup, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Delete {self.group}"

    def back(self) -> str:
        return group_url(self.group)

    def says(self) -> list[str]:
        return ["Its devices stay, and so does what was deployed to it."]

    def act(self, form: forms.Form) -> str:
        name = str(self.group)
        delete_group(group=self.group, actor=self.actor, reason=form.cleaned_data["reason"])
        messages.success(self.request, f"{name} is deleted.")
        return reverse("admin:devices_devicegroup_changelist")


def group_url(group: DeviceGroup) -> str:
    """The group's own page."""
    return reverse("admin:devices_devicegroup_change", args=[group.pk])


def _words(group: DeviceGroup) -> QueryDict:
    """What the list of devices is asked for, to be the same as the group."""
    query = QueryDict(mutable=True)
    query.update(
        group.filter if group.kind == DeviceGroup.Kind.DYNAMIC else {"group": str(group.pk)}
    )
    return query


def _versions(group: DeviceGroup, rows: list[tuple[str, int]]) -> list[tuple[str, int, str]]:
    """The rows of `versions_in`, each with what the list of devices is asked for to find just them."""
    named = [version for version, _ in rows[:VERSIONS]]
    found = []
    for number, (version, count) in enumerate(rows):
        words = _words(group)
        if number == VERSIONS:
            words["other_than"] = "\n".join(filter(None, named))
            if "" in named:
                words["nothing_known"] = "false"
        elif version:
            words["installed"] = version
        else:
            words["nothing_known"] = "true"
        found.append((version, count, words.urlencode()))
    return found


def why_guarded(request: HttpRequest, group: DeviceGroup) -> str:
    """Why the user may not change a group that takes signed artifacts only; empty when they may, or when it takes all."""
    return why_not_permitted(request, GUARD) if group.signed_only else ""


def _buttons(request: HttpRequest, group: DeviceGroup) -> list[Button]:
    guarded = why_guarded(request, group)
    may_change = why_not_permitted(request, "devices.change_devicegroup") or guarded
    is_dynamic = group.kind == DeviceGroup.Kind.DYNAMIC
    return [
        Button(
            "Deploy to it",
            f"{reverse('admin:updates_deployment_deploy')}?group={group.pk}",
            why_not=why_not_permitted(request, "updates.deploy_artifact"),
            is_main=True,
        ),
        Button(
            "Change members",
            reverse("admin:devices_devicegroup_members", args=[group.pk]),
            why_not=may_change or ("Its filter finds them." if is_dynamic else ""),
        ),
        Button(
            "Edit",
            reverse("admin:devices_devicegroup_edit", args=[group.pk]),
            why_not=may_change,
        ),
        Button(
            "Delete",
            reverse("admin:devices_devicegroup_delete", args=[group.pk]),
            why_not=why_not_permitted(request, "devices.delete_devicegroup") or guarded,
            is_danger=True,
        ),
    ]
