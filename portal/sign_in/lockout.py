"""What somebody sees whose logins failed too often."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

STATUS = 429


def locked_out(
    request: HttpRequest, _response: HttpResponse | None, _credentials: dict[str, Any] | None
) -> HttpResponse:
    """The page for a user name and address that are locked out; it says nothing about whether there is such a user."""
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    response = TemplateResponse(
        request,
        "sign_in/locked_out.html",
        admin.site.each_context(request)
        | {
            "title": "Locked out",
            "site_url": None,
            "tries": settings.AXES_FAILURE_LIMIT,
            "minutes": seconds // 60,
        },
        status=STATUS,
        headers={"Retry-After": str(seconds), "Cache-Control": "no-store"},
    )
    return response.render()
