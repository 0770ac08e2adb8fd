"""Addresses that hold the character NUL, which PostgreSQL takes in no text: refused before anybody looks for what they name."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse

from portal.core.refusal import refusal

NUL: Final = "\0"
QUOTED: Final = "%00"
CODE: Final = "API-400"
SENTENCE: Final = "The address holds the character NUL, which no name here has."
MENDER: Final = ("/api/devices/", "/api/management/")
"""Addresses of protocols that have refusals of their own: they look at what they are given themselves."""


class NoNulMiddleware:
    """Answers with 400 where a path or a query has a NUL in it. What stands in a body is for whoever reads that."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        has_nul = NUL in path or QUOTED in request.META.get("QUERY_STRING", "")
        if not has_nul or path.startswith(MENDER):
            return self._get_response(request)
        bad = HTTPStatus.BAD_REQUEST
        return refusal(request, bad, SENTENCE, CODE, title="Not an address")
