"""Orders to remove images: their list, and the page that says what became of each image on each device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.core.paginator import Page
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse

from portal.core.admin import DaysFilter, ReadOnlyAdmin
from portal.core.bounded import BoundedPaginator
from portal.core.pages import mark_of, page, require, uuid_or_404
from updates.admin_views.images import RemoveImages, images_page
from updates.admin_views.panel import Panel, polled
from updates.models import ImageRemoval, ImageRemovalPart

PAGE: Final = 20
"""Devices, of which each has a line for every image."""
SECONDS: Final = 2
BADGES: Final = {
    "removed": ("succeeded", "Removed"),
    "absent": ("cancelled", "Was not there"),
    "in_use": ("held", "In use"),
    "failed": ("failed", ""),
}
"""The badge's word and its text for each outcome."""


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one image on one device."""

    reference: str
    word: str
    text: str
    says: str


class ImageRemovalAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "reason", "requested_by_name", "created_at")
    search_fields = ("reason", "requested_by_name")
    list_filter = (("created_at", DaysFilter),)
    list_filter_submit = True

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        removal = get_object_or_404(ImageRemoval, pk=uuid_or_404(object_id))
        return removal_page(request, removal)

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("on/<int:device>/", own(images_page), name="updates_imageremoval_of_device"),
            path(
                "on/<int:device>/remove/",
                own(RemoveImages.as_view()),
                name="updates_imageremoval_remove",
            ),
            path("<uuid:pk>/live/", removal_fragment, name="updates_imageremoval_live"),
            *super().get_urls(),
        ]


def removal_page(request: HttpRequest, removal: ImageRemoval) -> HttpResponse:
    """What became of each image on each device, in the order of the devices."""
    require(request, "updates.view_imageremoval")
    shown = _parts(request, removal)
    return page(
        request,
        "updates/image_removal.html",
        title="Removal of images",
        model=ImageRemoval,
        context={"removal": removal, "shown": shown, "panel": _panel(removal, shown)},
    )


@polled("updates.view_imageremoval")
def removal_fragment(request: HttpRequest, pk: UUID) -> Panel:
    """What the removal's page polls: what became of it when that changed; 286 once it is over."""
    removal = get_object_or_404(ImageRemoval, pk=pk)
    return _panel(removal, _parts(request, removal))


def _parts(request: HttpRequest, removal: ImageRemoval) -> Page[ImageRemovalPart]:
    found = removal.parts.select_related("device").order_by("pk")
    return BoundedPaginator(found, PAGE).get_page(request.GET.get("page", "1"))


def _panel(removal: ImageRemoval, shown: Page[ImageRemovalPart]) -> Panel:
    done = removal.parts.aggregate(
        total=Count("pk"),
        over=Count("pk", filter=Q(finished_at__isnull=False)),
        away=Count("pk", filter=~Q(error="")),
    )
    is_waiting = done["over"] < done["total"]
    parts = [(part.device, list(_lines(removal, part))) for part in shown]
    html = render_to_string(
        "updates/image_removal_now.html", {**done, "is_waiting": is_waiting, "parts": parts}
    )
    url = reverse("admin:updates_imageremoval_live", args=[removal.pk]) + f"?page={shown.number}"
    return Panel(html, mark_of(html), is_waiting=is_waiting, url=url, seconds=SECONDS)


def _lines(removal: ImageRemoval, part: ImageRemovalPart) -> Iterator[Line]:
    for reference, outcome, says in part.outcomes:
        word, text = BADGES[outcome]
        yield Line(reference, word, text, says)
    word, text = ("failed", "Not done") if part.finished_at else ("waiting", "")
    for reference in removal.references[len(part.outcomes) :]:
        yield Line(reference, word, text, part.error)
