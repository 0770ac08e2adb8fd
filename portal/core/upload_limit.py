"""Requests that are too big are refused by what they announce, before a byte of them is read or stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string

MARGIN_BYTES: Final = 2**20
"""What a form may have besides its file."""

API: Final = "/api/"
CODE: Final = "too-big"
STATUS: Final = 413


class UploadLimitMiddleware:
    """413 with a sentence for a form over the limit. It has to stand before whatever reads forms: the CSRF check does.

    The API is left alone: it has parsers with limits of their own.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        announced = request.META.get("CONTENT_LENGTH") or ""
        limit = settings.UPLOAD_LIMIT_BYTES + MARGIN_BYTES
        is_form = (
            request.content_type == "multipart/form-data" and not request.path_info.startswith(API)
        )
        if is_form and announced.isdecimal() and int(announced) > limit:
            return _refusal(request)
        return self._get_response(request)


def _refusal(request: HttpRequest) -> HttpResponse:
    allowed = filesizeformat(settings.UPLOAD_LIMIT_BYTES)
    sentence = f"This file is too big: {allowed} are allowed. Nothing of it was stored."
    if request.accepts("text/html"):
        page = render_to_string("413.html", {"sentence": sentence, "code": CODE})
        return HttpResponse(page, status=STATUS)
    return JsonResponse({"sentence": sentence, "code": CODE}, status=STATUS)
