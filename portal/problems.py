"""What the API answers when something went wrong: the one place that turns our errors into HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

import structlog
from django.core.exceptions import NON_FIELD_ERRORS, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.fields import get_error_detail
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from devices.errors import DeviceError
from patches.errors import PatchRefused
from portal.core.errors import (
    Conflict,
    FleetwrightError,
    NotPermitted,
    PortalBusy,
    Refused,
    StorageUnavailable,
)
from portal.core.idempotency import OrderUnderWay
from portal.core.rest.parsers import TooLarge
from portal.core.rest.problem import MEDIA_TYPE
from portal.core.transfers import RETRY_SECONDS
from updates.errors import (
    ArtifactRefused,
    KeyRefused,
    ModuleRefused,
    NotUndoable,
    OrderInvalid,
    ReleaseOverlap,
    RepositoryRefused,
    TargetBusy,
    TooLate,
)

log = structlog.get_logger(__name__)

STATUSES: Final[tuple[tuple[type[FleetwrightError], HTTPStatus], ...]] = (
    (NotPermitted, HTTPStatus.FORBIDDEN),
    (StorageUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (PortalBusy, HTTPStatus.SERVICE_UNAVAILABLE),
    (Conflict, HTTPStatus.CONFLICT),
    (TooLate, HTTPStatus.CONFLICT),
    (NotUndoable, HTTPStatus.CONFLICT),
    (OrderInvalid, HTTPStatus.BAD_REQUEST),
    (ReleaseOverlap, HTTPStatus.CONFLICT),
    (Refused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DeviceError, HTTPStatus.BAD_GATEWAY),
    (FleetwrightError, HTTPStatus.INTERNAL_SERVER_ERROR),
)
"""The first that fits is the status."""


def problem_response(error: Exception, context: dict[str, Any]) -> Response:
    """The answer to a request that ended in `error`: problem details, whatever it was. A bug is logged, and not shown."""
    if isinstance(error, FleetwrightError):
        return _ours(error)
    known = _known(error)
    response = exception_handler(known, context)
    return _bug(error) if response is None else _theirs(known, response)


def _ours(error: FleetwrightError) -> Response:
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    more: dict[str, object] = {}
    if isinstance(
        error, ArtifactRefused | KeyRefused | ModuleRefused | PatchRefused | RepositoryRefused
    ):
        more["rule"] = error.rule
    if isinstance(error, TargetBusy):
        more["holder"] = error.holder
    if isinstance(error, OrderInvalid):
        more["invalid"] = error.invalid
    answer = _answer(
        status,
        code=error.code,
        title=_words(type(error).__name__),
        detail=str(error),
        retryable=error.retryable,
        more=more,
    )
    if isinstance(error, OrderUnderWay):
        answer["Retry-After"] = str(error.retry_after_seconds)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer["Retry-After"] = str(RETRY_SECONDS)
    return answer


def _known(error: Exception) -> Exception:
    """Django's own refusals as DRF's, so that there is one kind of them."""
    if isinstance(error, DjangoValidationError):
        return ValidationError(get_error_detail(error))
    if isinstance(error, RequestDataTooBig):
        return TooLarge("The request's fields are too large.")
    if isinstance(error, SuspiciousOperation):
        return ParseError("The request cannot be read.")
    return error


def _theirs(error: Exception, response: Response) -> Response:
    status = HTTPStatus(response.status_code)
    more: dict[str, object] = {}
    if isinstance(error, ValidationError):
        errors: dict[str, list[str]] = {}
        for field, sentence in _sentences(response.data):
            errors.setdefault(field, []).append(sentence)
        field, (first, *_) = next(iter(errors.items()))
        detail = first if field == "" else f"{field}: {first}"
        more["errors"] = errors
    else:
        detail = str(response.data["detail"])
    answer = _answer(
        status,
        code=f"API-{status.value}",
        title=status.phrase,
        detail=detail,
        retryable=status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE),
        more=more,
    )
    for header in ("WWW-Authenticate", "Retry-After"):
        if header in response.headers:
            answer[header] = response.headers[header]
    return answer


def _bug(error: Exception) -> Response:
    log.error("the API failed", exc_info=error)
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _answer(
        status,
        code=f"API-{status.value}",
        title=status.phrase,
        detail=f"The portal failed. Its log says more, under request id {request_id}.",
        retryable=False,
        more={},
    )


def _answer(
    status: HTTPStatus,
    *,
    code: str,
    title: str,
    detail: str,
    retryable: bool,
    more: dict[str, object],
) -> Response:
    problem = {
        "type": f"urn:fleetwright:problem:{code.lower()}",
        "title": title,
        "status": status.value,
        "detail": detail,
        "code": code,
        "retryable": retryable,
    }
    return Response(problem | more, status=status.value, content_type=MEDIA_TYPE)


def _sentences(detail: Any, name: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - DRF's nested detail
    """Each sentence of DRF's nested error detail, with the dotted name of its field; "" for the whole request."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from _sentences(value, _dotted(name, str(key)))
    elif isinstance(detail, list):
        for value in detail:
            yield from _sentences(value, name)
    else:
        yield name, str(detail)


def _dotted(name: str, key: str) -> str:
    if key in (NON_FIELD_ERRORS, api_settings.NON_FIELD_ERRORS_KEY):
        return name
    return f"{name}.{key}" if name else key


def _words(name: str) -> str:
    """`TargetBusy` as "Target busy"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()
