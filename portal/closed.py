"""While the portal's own upgrade may still be rolled back, nothing is taken in: it would be forgotten."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from portal.core.rest.problem import MEDIA_TYPE
from updates.services.portal_state import closed_by
from updates.watchdog.record import Record

API: Final = "/api/"
OPEN: Final = ("/livez", "/readyz", "/api/upgrade/status")
"""Who asks whether the portal lives or how the upgrade goes changes nothing."""
RETRY_SECONDS: Final = 10
CODE: Final = "RUN-503"


class ClosedMiddleware:
    """Answers everybody else with 503, a page that says why and comes again by itself, and when to ask again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path.startswith((*OPEN, f"/{settings.STATIC_URL.strip('/')}/")):
            return self._get_response(request)
        upgrade = closed_by()
        return _refusal(request, upgrade) if upgrade else self._get_response(request)


def _refusal(request: HttpRequest, upgrade: Record) -> HttpResponse:
    version = upgrade.to_version.rpartition(":")[2]
    sentence = (
        f"The portal is being upgraded to {version}, {upgrade.progress} % are done. "
        "It is back within a few minutes, and what was being done goes on."
    )
    answer: HttpResponse
    if request.path_info.startswith(API) or not request.accepts("text/html"):
        problem = {
            "type": f"urn:fleetwright:problem:{CODE.lower()}",
            "title": "Portal busy",
            "status": HTTPStatus.SERVICE_UNAVAILABLE.value,
            "detail": sentence,
            "code": CODE,
            "retryable": True,
        }
        answer = JsonResponse(
            problem, status=HTTPStatus.SERVICE_UNAVAILABLE, content_type=MEDIA_TYPE
        )
    else:
        context = {"sentence": sentence, "percent": upgrade.progress}
        page = render_to_string("503.html", context)
        answer = HttpResponse(page, status=HTTPStatus.SERVICE_UNAVAILABLE)
        answer["Refresh"] = str(RETRY_SECONDS)
    answer["Retry-After"] = str(RETRY_SECONDS)
    answer["Cache-Control"] = "no-store"
    return answer
