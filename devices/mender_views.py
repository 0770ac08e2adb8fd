"""What devices that pull ask for: who they are, and what they report. Mender's device API, with its paths and its codes.

Plain views: a handful of queries each, no session, no form, and no redirect, since a client would not follow one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import structlog
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from devices import auth_request, inventory
from devices.errors import NotLetIn
from devices.mender_auth import asking_device
from devices.models import Device, DeviceIdentity
from devices.services.asking import let_in
from devices.services.pulled import note_refused, note_taken, report_inventory
from portal.core.errors import (
    Conflict,
    FleetwrightError,
    PortalBusy,
    StorageUnavailable,
    TooLarge,
)
from portal.core.request_body import read_body
from portal.core.transfers import RETRY_SECONDS

View = Callable[..., HttpResponseBase]
Asked = DeviceIdentity.Asked

log = structlog.get_logger(__name__)
NOT_SERVED_SECONDS: Final = 60
"""What the portal itself cannot do is in the log once in this time: a whole fleet asks again and again."""

STATUSES: Final[tuple[tuple[type[FleetwrightError], HTTPStatus], ...]] = (
    (NotLetIn, HTTPStatus.UNAUTHORIZED),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (Conflict, HTTPStatus.CONFLICT),
    (PortalBusy, HTTPStatus.SERVICE_UNAVAILABLE),
    (StorageUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (FleetwrightError, HTTPStatus.BAD_REQUEST),
)
"""What an error of ours is for a device: the first row that fits."""


def refusal(status: HTTPStatus, sentence: str) -> JsonResponse:
    """An error in the words of the protocol."""
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    answer = JsonResponse({"error": sentence, "request_id": request_id}, status=status)
    # Django would log a line for each: whoever is not let in asks every few seconds, and strangers would fill the disk.
    # What matters to an operator is logged in `answering` and in `for_devices`.
    answer._has_been_logged = True  # type: ignore[attr-defined]
    return answer


def log_not_served(error: FleetwrightError) -> None:
    """That the portal itself cannot serve devices is in the log, for each reason once in a while."""
    if cache.add(f"devices-not-served-{error.code}", value=True, timeout=NOT_SERVED_SECONDS):
        log.error("devices_not_served", code=error.code, why=str(error))


def answering(*methods: str) -> Callable[[View], View]:
    """The view takes these methods only, and its errors are answers: 405, and 4xx as in STATUSES."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @functools.wraps(view)
        def answering_view(request: HttpRequest, **path: object) -> HttpResponseBase:
            if request.method not in methods:
                answer = refusal(HTTPStatus.METHOD_NOT_ALLOWED, "This is not asked in this way.")
                answer["Allow"] = ", ".join(methods)
                return answer
            try:
                return view(request, **path)
            except FleetwrightError as error:
                status = next(status for kind, status in STATUSES if isinstance(error, kind))
                answer = refusal(status, str(error))
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    log_not_served(error)
                    answer["Retry-After"] = str(RETRY_SECONDS)
                return answer

        return answering_view

    return decorate


def for_devices(*methods: str, limit_bytes: int, what: Asked) -> Callable[[View], View]:
    """As `answering`, of devices that are let in: the view is called with (request, device, body, …); others hear 401.

    Nothing of the body is read before it is known who asks; one longer than the limit is answered with 413. That the device
    was refused is noted, unless it may well be taken if it asks again.
    """

    def decorate(view: View) -> View:
        @answering(*methods)
        @functools.wraps(view)
        def for_device(request: HttpRequest, **path: object) -> HttpResponseBase:
            device = asking_device(request)
            try:
                body = read_body(request, limit_bytes=limit_bytes)
                answer = view(request, device, body, **path)
            except FleetwrightError as error:
                if not error.retryable:
                    note_refused(device, what=what, why=str(error))
                raise
            note_taken(device, what=what)
            return answer

        return for_device

    return decorate


@answering("POST")
def auth_requests(request: HttpRequest) -> HttpResponse:
    """200 with a token and nothing else, or 401."""
    body = read_body(request, limit_bytes=auth_request.BODY_LIMIT_BYTES)
    signature = request.headers.get("X-MEN-Signature", "")
    asked = auth_request.read_auth_request(body, signature=signature)
    if asked is None:
        raise NotLetIn
    return HttpResponse(let_in(asked), content_type="application/jwt")


@for_devices("PUT", "PATCH", limit_bytes=inventory.BODY_LIMIT_BYTES, what=Asked.INVENTORY)
def attributes(request: HttpRequest, device: Device, body: bytes) -> HttpResponse:
    """Exactly 200 and nothing else, or the client never asks for updates."""
    said = inventory.read_inventory(body)
    report_inventory(device, said=said, replaces=request.method == "PUT")
    return HttpResponse(status=HTTPStatus.OK)


@csrf_exempt
def nowhere(request: HttpRequest) -> HttpResponse:
    """What there is not, there is not in the protocol's own words: never a login page, never a redirect."""
    return refusal(HTTPStatus.NOT_FOUND, "There is no such address.")
