"""Logging in: name and password for a token."""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from portal.core.errors import FleetwrightError
from portal.mender_management.errors import refusal, said
from portal.sign_in.programs import LoginFailed, log_in_program


@csrf_exempt
@sensitive_variables()
def log_in(request: HttpRequest) -> HttpResponse:
    """The token, as bare text. 401 for whoever is not let in, 429 for whoever is locked out."""
    if request.method != "POST":
        answer: HttpResponse = said(
            "This address takes a POST.", status=HTTPStatus.METHOD_NOT_ALLOWED
        )
        answer["Allow"] = "POST"
        return answer
    try:
        username, password = _credentials_in(request)
        token = log_in_program(request=request, username=username, password=password)
    except FleetwrightError as error:
        return refusal(error)
    answer = HttpResponse(token, content_type="application/jwt")
    answer["Cache-Control"] = "no-store"
    return answer


@sensitive_variables()
def _credentials_in(request: HttpRequest) -> tuple[str, str]:
    """User name and password of HTTP Basic (RFC 7617), in UTF-8."""
    scheme, _, coded = request.headers.get("Authorization", "").partition(" ")
    try:
        plain = base64.b64decode(coded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        plain = ""
    username, separator, password = plain.partition(":")
    if scheme.lower() != "basic" or not separator:
        raise LoginFailed("Log in with HTTP Basic: a user name and a password.")
    return username, password
