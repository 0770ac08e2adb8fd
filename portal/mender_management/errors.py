"""What can go wrong here besides what services refuse, and which status stands for what.

Refused
 |- NoToken      nobody is known by what the request shows
 |- NotRead      the request cannot be read
 |- NotThere     there is no such thing
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import structlog
from django.http import JsonResponse

from portal.core.errors import (
    FleetwrightError,
    NotPermitted,
    PortalBusy,
    Refused,
    StorageUnavailable,
    TooLarge,
)
from portal.core.transfers import RETRY_SECONDS
from portal.sign_in.programs import LoginFailed
from updates.errors import ArtifactRefused, ReleaseOverlap


class NoToken(Refused):
    code = "MGT-100"


class NotRead(Refused):
    code = "MGT-101"


class NotThere(Refused):
    code = "MGT-102"


STATUSES: Final[tuple[tuple[type[FleetwrightError], HTTPStatus], ...]] = (
    (NoToken, HTTPStatus.UNAUTHORIZED),
    (LoginFailed, HTTPStatus.UNAUTHORIZED),
    (NotRead, HTTPStatus.BAD_REQUEST),
    (NotThere, HTTPStatus.NOT_FOUND),
    (NotPermitted, HTTPStatus.FORBIDDEN),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (StorageUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (PortalBusy, HTTPStatus.SERVICE_UNAVAILABLE),
    (ReleaseOverlap, HTTPStatus.CONFLICT),
    (ArtifactRefused, HTTPStatus.BAD_REQUEST),
    (Refused, HTTPStatus.CONFLICT),
    (FleetwrightError, HTTPStatus.INTERNAL_SERVER_ERROR),
)
"""The first that fits is the status."""
BY_RULE: Final = {
    "uploaded-before": HTTPStatus.CONFLICT,
    "too-big": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
"""Rules of artifacts that are no fault of the file."""
SCHEMES: Final[dict[type[FleetwrightError], str]] = {
    NoToken: "Bearer",
    LoginFailed: 'Basic realm="Fleetwright"',
}


def refusal(error: FleetwrightError) -> JsonResponse:
    """The answer that says so, in the shape that scripts know from Mender's server."""
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    if isinstance(error, ArtifactRefused):
        status = BY_RULE.get(error.rule, status)
    answer = said(str(error), status=status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer["Retry-After"] = str(RETRY_SECONDS)
    if scheme := SCHEMES.get(type(error)):
        answer["WWW-Authenticate"] = scheme
    return answer


def said(sentence: str, *, status: HTTPStatus) -> JsonResponse:
    """`sentence`, and the id under which the portal's log has more."""
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    return JsonResponse({"error": sentence, "request_id": request_id}, status=status)
