"""The list of watched containers, the page of each, and what an engine has that could be watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from devices.admin_views.engines import access_of, ask_button, engine_url
from devices.models import Device, EngineLook
from portal.core.admin import ReadOnlyAdmin, component
from portal.core.pages import Button, number_or_404, page, require, why_not_permitted
from portal.core.queries import edits_of
from updates.admin_views import watched_verbs as verbs
from updates.admin_views.backups import VIEW as VIEW_BACKUPS
from updates.admin_views.backups import backups_url
from updates.admin_views.columns import OutdatedFilter, WatchedFilter
from updates.admin_views.portal import portal_page
from updates.admin_views.preflight import preflight_fragment, preflight_panel, request_preflight_now
from updates.admin_views.watched_links import page_of
from updates.models import Upgrade, WatchedContainer
from updates.news import outdated
from updates.queries import history
from updates.recipes.container.data_places import all_called
from updates.services.container_desk import why_not_upgradable
from updates.services.version_checks import ASK, OFF, is_being_asked
from updates.services.watching import ADD, CHANGE, Standing, not_backed_up, standing_on

SHOWN: Final = 10
VIEW: Final = "updates.view_watchedcontainer"


class WatchedContainerAdmin(ReadOnlyAdmin):
    list_display = ("name", "device", "version", "shown_newest", "asked", "last_upgrade")
    search_fields = ("instance__name", "instance__device__name", "image", "digest")
    list_filter = (OutdatedFilter, WatchedFilter, "track")
    list_filter_submit = True
    list_select_related = ("instance__device",)
    list_before_template = "updates/watched_list_head.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[WatchedContainer]:
        found: QuerySet[WatchedContainer] = super().get_queryset(request)
        newest = Upgrade.objects.filter(instance=OuterRef("instance_id")).order_by("-created_at")
        return found.annotate(
            newer=Subquery(
                outdated(WatchedContainer.objects.filter(pk=OuterRef("pk"))).values("pk")
            ),
            last_state=Subquery(newest.values("state")[:1]),
            last_outcome=Subquery(newest.values("outcome")[:1]),
        )

    @admin.display(description="Container", ordering="instance__name")
    def name(self, watched: WatchedContainer) -> str:
        return watched.instance.name

    @admin.display(description="Device", ordering="instance__device__name")
    def device(self, watched: WatchedContainer) -> str:
        return watched.instance.device.name

    @admin.display(description="Version", ordering="instance__version")
    def version(self, watched: WatchedContainer) -> str:
        return watched.instance.version

    @admin.display(description="Newest", ordering="newest")
    def shown_newest(self, watched: WatchedContainer) -> SafeString:
        is_newer = getattr(watched, "newer", None) is not None
        return component("newest", newest=watched.newest, is_newer=is_newer)

    @admin.display(description="Registry", ordering="answered_at")
    def asked(self, watched: WatchedContainer) -> SafeString:
        return component("asked", watched=watched, is_off=settings.VERSION_CHECK_DISABLED)

    @admin.display(description="Last upgrade")
    def last_upgrade(self, watched: WatchedContainer) -> SafeString:
        state, outcome = getattr(watched, "last_state", None), getattr(watched, "last_outcome", "")
        if state is None:
            return component("empty", text="none")
        upgrade = Upgrade(state=state, outcome=outcome or "")
        return component("outcome", upgrade=upgrade)

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        rows = WatchedContainer.objects.select_related(
            "instance__device", "instance__module", "preflight"
        )
        return watched_page(request, get_object_or_404(rows, pk=number_or_404(object_id)))

    def get_urls(self) -> list[URLPattern]:
        own: Callable[..., Any] = self.admin_site.admin_view
        pages = {
            "upgrade": verbs.UpgradeWatched.as_view(), "settings": verbs.EditWatched.as_view(),
            "unwatch": verbs.Unwatch.as_view(), "skip": verbs.SkipWatched.as_view(),
            "snooze": verbs.SnoozeWatched.as_view(), "offer": verbs.offer_again,
            "ask": verbs.ask_registry, "check": request_preflight_now,
        }  # fmt: skip
        return [
            path("portal/", own(portal_page), name="updates_watchedcontainer_portal"),
            path("on/<int:device>/", own(standing_page), name="updates_watchedcontainer_on"),
            path(
                "on/<int:device>/watch/",
                own(verbs.WatchContainers.as_view()),
                name="updates_watchedcontainer_watch",
            ),
            path(
                "<int:pk>/preflight/", preflight_fragment, name="updates_watchedcontainer_preflight"
            ),
            *(
                path(f"<int:pk>/{word}/", own(view), name=f"updates_watchedcontainer_{word}")
                for word, view in pages.items()
            ),
            *super().get_urls(),
        ]


@require_GET
def watched_page(request: HttpRequest, watched: WatchedContainer) -> HttpResponse:
    """What runs, what is newest, what a preflight found, what can be done, and what happened to it."""
    require(request, VIEW)
    may_see = not why_not_permitted(request, "updates.view_upgrade")
    may_see_edits = not why_not_permitted(request, "core.view_auditevent")
    return page(
        request,
        "updates/watched.html",
        title=str(watched),
        model=WatchedContainer,
        context={
            "watched": watched,
            "instance": watched.instance,
            "data": all_called(watched.volumes),
            "not_backed_up": all_called(not_backed_up(watched)),
            "is_newer": outdated(WatchedContainer.objects.filter(pk=watched.pk)).exists(),
            "is_asked": is_being_asked(watched),
            "is_off": OFF if settings.VERSION_CHECK_DISABLED else "",
            "preflight": preflight_panel(request, watched),
            "upgrades": history().filter(instance=watched.instance)[:SHOWN] if may_see else None,
            "edits": edits_of(watched.instance) if may_see_edits else None,
            "buttons": _buttons(request, watched),
            "portal_url": reverse("admin:updates_watchedcontainer_portal"),
            "may_change": not why_not_permitted(request, CHANGE),
        },
    )


def _buttons(request: HttpRequest, watched: WatchedContainer) -> list[Button]:
    def url(verb: str) -> str:
        return reverse(f"admin:updates_watchedcontainer_{verb}", args=[watched.pk])

    gone = f"{watched} is watched no longer." if watched.unwatched_at else ""
    may_not = why_not_permitted(request, verbs.permission_to_upgrade(watched))
    why_not = may_not or why_not_upgradable(watched)
    may_not_change = why_not_permitted(request, CHANGE) or gone
    newer = f"{url('upgrade')}?version=latest"
    why_not_asked = OFF if settings.VERSION_CHECK_DISABLED else gone
    return [
        Button("Upgrade…", newer, why_not=why_not, is_main=True),
        Button("Downgrade, or another version…", url("upgrade"), why_not=why_not),
        Button(
            "Look for newer versions", url("ask"), posts=True,
            why_not=why_not_permitted(request, ASK) or why_not_asked,
        ),
        Button("Skip a version", url("skip"), why_not=may_not_change),
        Button("Snooze", url("snooze"), why_not=may_not_change),
        Button("Backups", backups_url(watched.pk), why_not=why_not_permitted(request, VIEW_BACKUPS)),
        Button("Settings", url("settings"), why_not=may_not_change),
        Button(
            "Stop watching", url("unwatch"), is_danger=True,
            why_not=may_not_change or ("The portal looks after itself." if watched.is_portal else ""),
        ),
    ]  # fmt: skip


@require_GET
def standing_page(request: HttpRequest, device: int) -> HttpResponse:
    """What the engine had when it was asked last, with what is watched of it. No engine is asked for this page."""
    require(request, VIEW)
    require(request, "devices.view_engineaccess")
    rows = Device.objects.select_related("engine_access", "engine_look")
    found = get_object_or_404(rows, pk=device)
    look: EngineLook | None = getattr(found, "engine_look", None)
    sets = standing_on(look) if look and look.answered_at else []
    may_not = why_not_permitted(request, ADD)
    return page(
        request,
        "updates/standing.html",
        title=f"Containers of {found}",
        model=WatchedContainer,
        context={
            "device": found,
            "look": look,
            "is_reached": access_of(found) is not None,
            "rows": [(one, _watch_buttons(found, one, may_not)) for one in sets],
            "buttons": [ask_button(request, found), Button("Engine", engine_url(found))],
        },
    )


def _watch_buttons(device: Device, one: Standing, may_not: str) -> Sequence[Button]:
    """One for all of them; and, where they are several, one for each."""
    if one.watched:
        return [Button(f"Watched: {one.watched}", page_of(one.watched))]
    where = reverse("admin:updates_watchedcontainer_watch", args=[device.pk])

    def button(label: str, names: Sequence[str]) -> Button:
        return Button(
            label, f"{where}?{urlencode({'container': names}, doseq=True)}", why_not=may_not
        )

    if len(one.containers) == 1 or may_not:
        return [button("Watch", one.containers)]
    all_of_them = button(f"Watch all {len(one.containers)}", one.containers)
    return [all_of_them, *(button(f"Watch {name} alone", [name]) for name in one.containers)]
