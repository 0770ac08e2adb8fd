"""The API's OpenAPI description: every operation also says which problems it answers with."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, OpenApiParameter

from portal.core.authentication import TokenAuthentication
from portal.core.rest.once import HEADER, REPLAYED
from portal.core.rest.problem import MEDIA_TYPE, Problem

READING: Final = ("GET", "HEAD")
KEY: Final = OpenApiParameter(
    name=HEADER,
    location=OpenApiParameter.HEADER,
    description=(
        "A word of your own for this order, 1 to 200 visible ASCII characters. The same order under the same key is carried "
        f"out once: for a day it gets the first answer again, with `{REPLAYED}: true`. Refusals are not kept. Another order "
        "under the key is refused with 422 API-IDEMPOTENCY-MISMATCH, and one that is still being carried out answers 409 "
        "with Retry-After."
    ),
)


class ProblemSchema(AutoSchema):
    """Adds the problems to the answers that a view declares, and Idempotency-Key where it is heeded."""

    def get_override_parameters(self) -> list[Any]:
        declared = list(super().get_override_parameters())
        method = getattr(self.view, getattr(self.view, "action", None) or "", None)
        return [*declared, KEY] if getattr(method, "takes_key", False) else declared

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        problem = self.resolve_serializer(Problem, direction).ref
        for status, description in self._problems().items():
            bodies.setdefault(
                status,
                {"description": description, "content": {MEDIA_TYPE: {"schema": problem}}},
            )
        return bodies

    def _problems(self) -> dict[str, str]:
        problems = {
            "400": "The request itself is wrong.",
            "401": "No token, or one that is unknown, expired or revoked.",
            "403": "A permission is missing.",
        }
        if "{" in self.path:
            problems["404"] = "There is no such thing."
        if self.method not in READING:
            problems["409"] = "It collides with what is going on now."
            problems["422"] = "The order cannot be taken as it is."
        return problems


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the description names `TokenAuthentication`."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
