"""The page of one instance: its nodes, the patches in force there, its history; and recording an installation."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from patches.admin_views.nodes import nodes_for_pages
from patches.forms import InstallationForm
from patches.models import Application, Patch
from patches.queries import standing_on
from patches.services.elimination import record_installation
from patches.services.nodes import request_look
from portal.core.pages import Button, VerbPage, page, require, why_not_permitted
from portal.core.queries import edits_of
from updates.admin_views.installations import installation_panel
from updates.models import Instance
from updates.queries import history

NODES: Final = 20
SHOWN: Final = 10
ROLL_BACK: Final = "updates.roll_back_upgrade"


def instance_page(request: HttpRequest, instance: Instance) -> HttpResponse:
    """What is installed, what was patched in, on which nodes, and what happened to it."""
    require(request, "updates.view_instance")
    pages = Paginator(nodes_for_pages().filter(instance=instance), NODES)
    may_see = not why_not_permitted(request, "updates.view_upgrade")
    may_see_edits = not why_not_permitted(request, "core.view_auditevent")
    takes_patches = bool(instance.module.runtime) or pages.count > 0
    fitting = Patch.objects.filter(
        module=instance.module_id, version=instance.version, deleted_at=None
    )
    return page(
        request,
        "patches/instance.html",
        title=instance.name,
        model=Instance,
        context={
            "instance": instance,
            "installation": installation_panel(request, instance),
            "nodes": pages.get_page(request.GET.get("nodes", "1")),
            "standing": [
                (row, row.standing == Application.Standing.ACTIVE) for row in standing_on(instance)
            ]
            if takes_patches
            else [],
            "why_no_rollback": why_not_permitted(request, ROLL_BACK),
            "fitting": fitting[:SHOWN] if instance.module.runtime else [],
            "upgrades": history().filter(instance=instance)[:SHOWN] if may_see else None,
            "edits": edits_of(instance) if may_see_edits else None,
            "buttons": _buttons(request, instance, has_nodes=pages.count > 0)
            if takes_patches
            else [_edit_button(request, instance)],
            "takes_patches": takes_patches,
        },
    )


@require_POST
def look_at_all(request: HttpRequest, pk: int) -> HttpResponse:
    """Every node of the instance is being asked how it is."""
    actor = require(request, "patches.look_at_node")
    instance = get_object_or_404(Instance, pk=pk)
    request_look(instance=instance, actor=actor)
    messages.success(request, "Its nodes are being asked: reload the page to see what they say.")
    return redirect(instance_url(instance))


class RecordInstallation(VerbPage):
    """The last resort was done by hand, or the instance was upgraded by other means."""

    model = Instance
    form_class = InstallationForm
    permission = "updates.change_instance"
    button = "Record the installation"
    is_danger = True

    def find(self) -> None:
        instances = Instance.objects.select_related("module", "device")
        self.instance = get_object_or_404(instances, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Record an installation of {self.instance}"

    def back(self) -> str:
        return instance_url(self.instance)

    def get_initial(self) -> dict[str, Any]:
        return {"version": self.instance.version}

    def says(self) -> list[str]:
        names = [row.patch.name for row in standing_on(self.instance)[: SHOWN + 1]]
        more = " and others" if len(names) > SHOWN else ""
        gone = f"{', '.join(names[:SHOWN])}{more}" if names else ""
        return [
            f"{self.instance} was installed or upgraded outside of the portal: the portal is told what is there now.",
            "An installation replaces the files that were patched. The data of the system is not touched by this page.",
            f"Eliminated is what was patched before: {gone}. It can't be applied to {self.instance} again."
            if gone
            else "No patch is in force there.",
        ]

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        record_installation(
            instance=self.instance, version=given["version"], actor=self.actor,
            reason=given["reason"],
        )  # fmt: skip
        messages.success(self.request, f"{self.instance} has version {self.instance.version} now.")
        return instance_url(self.instance)


def instance_url(instance: Instance) -> str:
    """The instance's own page."""
    return reverse("admin:updates_instance_change", args=[instance.pk])


def _buttons(request: HttpRequest, instance: Instance, *, has_nodes: bool) -> list[Button]:
    words = urlencode({"module": instance.module_id, "version": instance.version})
    return [
        Button(
            "Upload a patch for it",
            f"{reverse('admin:patches_patch_upload')}?{words}",
            why_not=why_not_permitted(request, "patches.upload_patch"),
            is_main=True,
        ),
        Button(
            "Look at its nodes",
            reverse("admin:updates_instance_look", args=[instance.pk]),
            why_not=why_not_permitted(request, "patches.look_at_node")
            or ("" if has_nodes else "It has no nodes that could be asked."),
            posts=True,
        ),
        Button(
            "Record an installation",
            reverse("admin:updates_instance_installed", args=[instance.pk]),
            why_not=why_not_permitted(request, "updates.change_instance"),
        ),
        _edit_button(request, instance),
        Button(
            "Add a node",
            f"{reverse('admin:patches_node_add')}?{urlencode({'instance': instance.pk, 'device': instance.device_id})}",
            why_not=why_not_permitted(request, "patches.add_node"),
        ),
    ]


def _edit_button(request: HttpRequest, instance: Instance) -> Button:
    return Button(
        "Edit",
        reverse("admin:updates_instance_edit", args=[instance.pk]),
        why_not=why_not_permitted(request, "updates.change_instance"),
    )
