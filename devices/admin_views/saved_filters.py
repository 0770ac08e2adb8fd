"""Keeping the filter of the list of devices under a name."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from portal.core.errors import NotPermitted, Refused
from portal.core.models import SavedFilter
from portal.core.pages import require
from portal.core.saved_filters import delete_filter, filters_for, save_filter


@require_POST
def keep_filter(request: HttpRequest) -> HttpResponse:
    """The filter that the list shows right now has a name."""
    actor = require(request, "devices.view_device")
    query = request.POST.get("query", "")[:1000]
    try:
        saved = save_filter(
            place=SavedFilter.Place.DEVICES,
            name=request.POST.get("name", "").strip()[:60],
            query=query,
            is_shared=request.POST.get("shared") == "on",
            actor=actor,
        )
    except NotPermitted as error:
        messages.error(request, str(error))
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The filter {saved} is saved.")
    return redirect(f"{reverse('admin:devices_device_changelist')}?{query}")


@require_POST
def drop_filter(request: HttpRequest, pk: int) -> HttpResponse:
    """The filter is gone: one's own, or with the permission to share a shared one."""
    actor = require(request, "devices.view_device")
    seen = (
        filters_for(actor.user, SavedFilter.Place.DEVICES)
        if actor.user
        else SavedFilter.objects.none()
    )
    saved = get_object_or_404(seen, pk=pk)
    try:
        delete_filter(saved=saved, actor=actor)
    except NotPermitted as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The filter {saved} is deleted.")
    return redirect("admin:devices_device_changelist")
