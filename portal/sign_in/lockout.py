"""What somebody sees whose logins failed too often."""

from __future__ import annotations

from typing import Any, Final

import structlog
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse

STATUS = 429
API: Final = "/api/"
LONGEST_COUNTED: Final = 255
"""What axes has room for. No user has a name that long, and PostgreSQL refuses what it has no room for."""


def counted_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str | None:
    """Under which user name a failed login counts; as much of it as can be kept."""
    name = (credentials or request.POST).get("username")
    return None if name is None else str(name)[:LONGEST_COUNTED]


def locked_out(
    request: HttpRequest, _response: HttpResponse | None, _credentials: dict[str, Any] | None
) -> HttpResponse:
    """The answer for a user name and address that are locked out; it says nothing about whether there is such a user."""
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    headers = {"Retry-After": str(seconds), "Cache-Control": "no-store"}
    if request.path_info.startswith(API):
        request_id = structlog.contextvars.get_contextvars().get("request_id", "")
        sentence = f"Too many logins failed: wait {seconds // 60} minutes, then try again."
        said = {"error": sentence, "request_id": request_id}
        return JsonResponse(said, status=STATUS, headers=headers)
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
        headers=headers,
    )
    return response.render()
