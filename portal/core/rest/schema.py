"""The API's OpenAPI description: every operation also says which problems it answers with."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction

from portal.core.authentication import TokenAuthentication
from portal.core.rest.problem import MEDIA_TYPE, Problem

READING: Final = ("GET", "HEAD")


class ProblemSchema(AutoSchema):
    """Adds the problems to the answers that a view declares."""

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
