"""What devices that pull ask for of their updates: the next one, its file, and where they report how it goes.

Mender's device API, with its paths and its codes: see decision 0013. Who asks is for `devices.mender_views` to know.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

from devices.errors import Unreadable
from devices.mender_views import Asked, answering, for_devices, log_not_served, refusal
from devices.models import Device
from devices.services.pulled import heard_from
from portal.core.downloads import download
from portal.core.errors import PortalBusy, StorageUnavailable
from portal.core.strict_json import decode_json_text, parse_json
from updates.errors import LinkExpired, NotOffered
from updates.services.fetching import file_of
from updates.services.pulled import (
    Answer,
    Offer,
    control_map,
    keep_log,
    link_to,
    linked,
    next_offer,
    offered_map,
    report_status,
)

POLL_LIMIT_BYTES: Final = 64 * 1024
STATUS_LIMIT_BYTES: Final = 8 * 1024
LOG_LIMIT_BYTES: Final = 10 * 2**20
MOST_PROVIDES: Final = 200
LONGEST_KEY: Final = 300
LONGEST_VALUE: Final = 2000
NOT_FOUND: Final = (NotOffered, LinkExpired)

View = Callable[..., HttpResponseBase]


def found(view: View) -> View:
    """What there is none of is answered with 404."""

    @functools.wraps(view)
    def finding(request: HttpRequest, *args: Any, **path: object) -> HttpResponseBase:  # noqa: ANN401
        try:
            return view(request, *args, **path)
        except NOT_FOUND as error:
            return refusal(HTTPStatus.NOT_FOUND, str(error))

    return finding


@for_devices("POST", limit_bytes=POLL_LIMIT_BYTES, what=Asked.POLL)
def next_v2(request: HttpRequest, device: Device, body: bytes) -> HttpResponse:
    """200 with an offer, or 204."""
    asked = _object(body)
    takes_map = asked.get("update_control_map") is True
    return _next(request, device, asked.get("device_provides"), takes_control_map=takes_map)


@for_devices("GET", "POST", limit_bytes=POLL_LIMIT_BYTES, what=Asked.POLL)
def next_v1(request: HttpRequest, device: Device, body: bytes) -> HttpResponse:
    """The same; what the device provides is the whole body, or in the address."""
    if request.method == "POST":
        return _next(request, device, _object(body), takes_control_map=False)
    named = {
        key: request.GET[key] for key in ("artifact_name", "device_type") if key in request.GET
    }
    return _next(request, device, device.provides | named, takes_control_map=False)


@for_devices("PUT", limit_bytes=STATUS_LIMIT_BYTES, what=Asked.STATUS)
@found
def status(_request: HttpRequest, device: Device, body: bytes, pk: UUID) -> HttpResponse:
    """204: go on; 409: give it up. Any other code makes a client roll a good update back."""
    said = _object(body)
    word, substate = said.get("status"), said.get("substate", "")
    if not isinstance(word, str) or not isinstance(substate, str):
        raise Unreadable("A status is a text, and a substate too.")
    heard_from(device)
    answer = report_status(device=device, upgrade_id=pk, status=word, substate=substate)
    if answer is Answer.ABORTED:
        return refusal(HTTPStatus.CONFLICT, "This deployment was aborted.")
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@for_devices("PUT", limit_bytes=LOG_LIMIT_BYTES, what=Asked.LOG)
@found
def log(_request: HttpRequest, device: Device, body: bytes, pk: UUID) -> HttpResponse:
    """204, whatever is in it: a client whose log is refused sends it again and again."""
    heard_from(device)
    keep_log(device=device, upgrade_id=pk, body=body)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@for_devices("GET", limit_bytes=0, what=Asked.CONTROL_MAP)
@found
def update_control_map(
    _request: HttpRequest, device: Device, _body: bytes, pk: UUID
) -> HttpResponse:
    """200 with the map as it is now; 404: give it up."""
    heard_from(device)
    return JsonResponse({"update_control_map": control_map(device=device, upgrade_id=pk)})


@answering("GET", "HEAD")
@found
def artifact(request: HttpRequest, word: str) -> HttpResponseBase:
    """The artifact's bytes, or the part that is asked for. The link is the credential.

    A client from 5.0 fails its update on any first answer but 200, so it waits a while rather than hear that it comes too early.
    """
    meant = linked(word)
    return download(request, file_of(meant.artifact), promised=meant.promised)


def _next(
    request: HttpRequest, device: Device, provides: object, *, takes_control_map: bool
) -> HttpResponse:
    heard_from(device, provides=_provides(provides))
    try:
        offer = next_offer(device=device, takes_control_map=takes_control_map)
    except (PortalBusy, StorageUnavailable) as error:
        log_not_served(error)
        offer = None  # it asks again, and a client that is refused its download may not
    if offer is None:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return JsonResponse(_told(request, offer))


def _told(request: HttpRequest, offer: Offer) -> dict[str, Any]:
    """The offer as clients insist on it: without any of this they fail, or ask for ever without a word."""
    link = link_to(offer.artifact, upgrade=offer.upgrade)
    path = reverse("mender_download", args=[link.word])
    told: dict[str, Any] = {
        "id": str(offer.upgrade.pk),
        "artifact": {
            "id": str(offer.artifact.pk),
            "artifact_name": offer.artifact.name,
            "source": {
                "uri": link.straight or request.build_absolute_uri(path),
                "expire": link.until.isoformat(timespec="seconds").replace("+00:00", "Z"),
            },
            "device_types_compatible": offer.artifact.device_types,
        },
    }
    return told | ({"update_control_map": offered_map(offer)} if offer.holds else {})


def _object(body: bytes) -> dict[str, Any]:
    text = decode_json_text(body, where="the request", refused=_unreadable)
    said = parse_json(text, where="the request", depth=3, refused=_unreadable)
    if not isinstance(said, dict):
        raise Unreadable("The request is not a JSON object.")
    return said


def _provides(said: object) -> Mapping[str, str]:
    """What the device says that it provides. Unreadable when that is no set of words, or larger than any."""
    if not isinstance(said, dict) or len(said) > MOST_PROVIDES:
        raise Unreadable("What a device provides is an object of up to 200 texts.")
    for key, value in said.items():
        if not isinstance(value, str) or "\0" in value:
            raise Unreadable("What a device provides are texts.")
        if not 0 < len(key) <= LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise Unreadable("What this device provides is too long.")
    return said


def _unreadable(_rule: str, sentence: str) -> Unreadable:
    return Unreadable(sentence)
