"""Where the pages of watched containers are."""

from __future__ import annotations

from django.urls import reverse

from updates.models import WatchedContainer


def page_of(watched: WatchedContainer) -> str:
    """Its own page."""
    return reverse("admin:updates_watchedcontainer_change", args=[watched.pk])
