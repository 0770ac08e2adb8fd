"""What all addresses of this API have in common: a token opens them, and refusals look like those of Mender's server."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from portal.core.actors import Actor, actor_of
from portal.core.errors import FleetwrightError
from portal.core.tokens import find_token
from portal.mender_management.errors import NoToken, refusal, said


@method_decorator(csrf_exempt, name="dispatch")
class Address(View):
    """Whoever shows a live token, and holds `permission`, gets an answer. What has an effect asks for more, in its service.

    A session opens nothing here, so a browser cannot be made to ask for anything.
    """

    permission: ClassVar[str]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401 - Django's
        try:
            self.actor = _actor_in(request)
            self.actor.require(self.permission)
            return super().dispatch(request, *args, **kwargs)
        except FleetwrightError as error:
            return refusal(error)

    def http_method_not_allowed(
        self, request: HttpRequest, *_args: object, **_kwargs: object
    ) -> HttpResponse:
        answer = said(
            f"This address takes no {request.method}.", status=HTTPStatus.METHOD_NOT_ALLOWED
        )
        answer["Allow"] = ", ".join(self._allowed_methods())  # type: ignore[attr-defined]
        return answer


def _actor_in(request: HttpRequest) -> Actor:
    scheme, _, plain = request.headers.get("Authorization", "").partition(" ")
    token = find_token(plain.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        raise NoToken("Log in first: this token is missing, unknown, expired or revoked.")
    return actor_of(token.user)
