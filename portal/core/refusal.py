"""The answer of a middleware that lets a request go no further: a page for people, problem details for programs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from portal.core.rest.problem import MEDIA_TYPE

API: Final = "/api/"


def refusal(
    request: HttpRequest, status: HTTPStatus, sentence: str, code: str, *, title: str = "Not now"
) -> HttpResponse:
    """A sentence and a stable code, in the shape that whoever asks can read."""
    if request.path_info.startswith(API):
        return _problem(status, sentence, code)
    if request.accepts("text/html"):
        context = {"sentence": sentence, "code": code, "title": title}
        return HttpResponse(render_to_string("refused.html", context), status=status)
    return JsonResponse({"sentence": sentence, "code": code}, status=status)


def _problem(status: HTTPStatus, sentence: str, code: str) -> HttpResponse:
    is_busy = status == HTTPStatus.SERVICE_UNAVAILABLE
    problem = {
        "type": f"urn:fleetwright:problem:{code.lower()}",
        "title": "Portal busy" if is_busy else status.phrase,
        "status": status.value,
        "detail": sentence,
        "code": code,
        "retryable": is_busy,
    }
    return JsonResponse(problem, status=status, content_type=MEDIA_TYPE)
