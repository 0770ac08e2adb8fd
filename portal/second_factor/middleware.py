"""The gate behind the login: a session with a password alone opens nothing, where a second factor is due."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import ResolverMatch, reverse
from django.utils.http import urlencode
from django_htmx.http import HttpResponseClientRefresh

from portal.core.rest.problem import MEDIA_TYPE
from portal.second_factor.errors import SecondFactorNeeded
from portal.second_factor.services import authenticator_of, is_required_for

FREE: Final = {
    "second_factor:ask": "it asks for the code",
    "admin:login": "somebody else may want to log in",
    "admin:logout": "whoever cannot give the code can leave",
    "livez": "it says nothing about anything",
    "readyz": "it says nothing about anything",
}
"""Views that a password alone opens, once there is a second factor, and why."""

FREE_TO_ENROL: Final = frozenset(
    {"second_factor:home", "second_factor:start", "second_factor:enrol"}
)
"""... and for somebody who must have one and has none yet."""


class SecondFactorMiddleware:
    """Every view is behind it, whoever wrote it. Programs with a token have no session, and pass."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, _view: object, _args: object, _kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        user = request.user
        if not user.is_authenticated or user.is_verified() or _name(request) in FREE:  # type: ignore[attr-defined]
            return None
        if authenticator_of(user) is not None:
            return _answer(request, "second_factor:ask")
        if is_required_for(user) and _name(request) not in FREE_TO_ENROL:
            return _answer(request, "second_factor:home")
        return None


def _name(request: HttpRequest) -> str:
    match = request.resolver_match
    return match.view_name if isinstance(match, ResolverMatch) else ""


def _answer(request: HttpRequest, page: str) -> HttpResponse:
    if request.path_info.startswith("/api/"):
        return _problem()
    if getattr(request, "htmx", False):
        return HttpResponseClientRefresh()
    wanted = request.get_full_path() if request.method == "GET" else reverse("admin:index")
    return redirect(f"{reverse(page)}?{urlencode({'next': wanted})}")


def _problem() -> HttpResponse:
    error = SecondFactorNeeded("This login lacks its second factor: give it on the portal's pages.")
    return JsonResponse(
        {
            "type": f"urn:fleetwright:problem:{error.code.lower()}",
            "title": "Second factor needed",
            "status": 403,
            "detail": str(error),
            "code": error.code,
            "retryable": error.retryable,
        },
        status=403,
        content_type=MEDIA_TYPE,
    )
