"""The page about the portal's own upgrade: what it needs, and what people do by hand where it cannot upgrade itself."""

from __future__ import annotations

import os
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from portal.core.pages import Button, page, require, why_not_permitted
from updates.admin_views.watched_links import page_of
from updates.models import WatchedContainer
from updates.services.container_desk import why_not_upgradable
from updates.services.deployment_method import detect_method, how_to_upgrade
from updates.services.portal_container import the_portal
from updates.services.setup_report import setup_report, why_not_set_up
from updates.services.version_checks import OFF

UNKNOWN: Final = "NEW_VERSION"
"""Stands in commands for a version that nobody knows."""


@require_GET
def portal_page(request: HttpRequest) -> HttpResponse:
    """How the portal runs, whether it can be told to upgrade itself, and the commands where it cannot."""
    require(request, "updates.view_watchedcontainer")
    watched, method = the_portal(), detect_method(os.environ)
    newest = (watched.newest if watched else "") or UNKNOWN
    return page(
        request,
        "updates/portal.html",
        title="The portal itself",
        model=WatchedContainer,
        context={
            "watched": watched,
            "page": page_of(watched) if watched else "",
            "version": settings.VERSION,
            "newest": watched.newest if watched else "",
            "why_no_newest": _why_no_newest(watched),
            "unknown": UNKNOWN,
            "method": method.value,
            "items": setup_report(),
            "how_to": how_to_upgrade(method, image=settings.IMAGE_NAME, version=newest),
            "buttons": [_upgrade_button(request, watched)],
        },
    )


def _why_no_newest(watched: WatchedContainer | None) -> str:
    """Why no newer version is named, as a sentence."""
    if settings.VERSION_CHECK_DISABLED:
        return OFF
    if settings.IMAGE_NAME == settings.UNPUBLISHED:
        return "Set IMAGE_NAME to where the portal's images are published, and newer versions are looked for."
    if watched is None or watched.asked_at is None:
        return "Its registry was not asked yet: the scheduler sees to it."
    return watched.error or "Its registry has none that is newer."


def _upgrade_button(request: HttpRequest, watched: WatchedContainer | None) -> Button:
    may_not = why_not_permitted(request, "updates.upgrade_portal")
    if watched is None:
        says = (
            why_not_set_up() or "The portal is not known to itself yet: its scheduler sees to it."
        )
        return Button("Upgrade…", "", why_not=may_not or says)
    url = reverse("admin:updates_watchedcontainer_upgrade", args=[watched.pk])
    why_not = may_not or why_not_upgradable(watched)
    return Button("Upgrade…", f"{url}?version=latest", why_not=why_not, is_main=True)
