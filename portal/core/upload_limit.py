"""Uploads that are refused by what they announce, before a byte of them is read or stored."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat

from portal.core.errors import NotPermitted, PortalBusy
from portal.core.refusal import API, refusal
from portal.core.request_body import is_chunked
from portal.core.transfers import RETRY_SECONDS, transfers

MARGIN_BYTES: Final = 2**20
"""What a form may have besides its file. What has no more is no upload."""

CODE: Final = "too-big"


class UploadLimitMiddleware:
    """Answers with a sentence to a form that is over the limit (413), comes from nobody (403) or is one too many (503).

    It has to stand before whatever reads forms: the CSRF check does, whoever asks. The API has parsers with limits of their own,
    and reads nothing of whom it does not know; it only has to wait for its turn.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        announced = request.META.get("CONTENT_LENGTH") or ""
        size = int(announced[:19]) if announced.isdecimal() else 0
        if is_chunked(request):
            size = (
                MARGIN_BYTES + 1
            )  # nobody knows, and it takes its thread for as long as any other
        if request.content_type != "multipart/form-data" or size <= MARGIN_BYTES:
            return self._get_response(request)
        if not request.path_info.startswith(API):
            if SESSION_KEY not in request.session:
                return refusal(request, HTTPStatus.FORBIDDEN, "Log in first.", NotPermitted.code)
            if size > settings.UPLOAD_LIMIT_BYTES + MARGIN_BYTES:
                allowed = filesizeformat(settings.UPLOAD_LIMIT_BYTES)
                sentence = f"This file is too big: {allowed} are allowed. Nothing of it was stored."
                return refusal(
                    request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence, CODE, title="Too big"
                )
        try:
            transfer = transfers.begin()
        except PortalBusy as error:
            busy = HTTPStatus.SERVICE_UNAVAILABLE
            answer = refusal(request, busy, str(error), error.code)
            answer["Retry-After"] = str(RETRY_SECONDS)
            return answer
        try:
            return self._get_response(request)
        finally:
            transfer.end()
