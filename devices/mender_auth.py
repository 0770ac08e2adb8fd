"""Tokens of devices that pull, and the device behind one."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Final
from uuid import UUID

import jwt
from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from devices.errors import NotLetIn
from devices.models import AuthSet, Device
from portal.core import clock

ALGORITHM: Final = "HS256"
ISSUER: Final = "Mender"
SALT: Final = "fleetwright.devices.token"
CLAIMS: Final = ("jti", "sub", "iss", "iat", "exp", "mender.device")
LONGEST_TOKEN: Final = 2000


def token_of(auth_set: AuthSet) -> str:
    """A token that is good for `settings.DEVICE_TOKEN_SECONDS`, as long as the set stays accepted."""
    now = clock.now()
    claims = {
        "jti": str(auth_set.pk),
        "sub": str(auth_set.identity.device_id),
        "iss": ISSUER,
        "iat": now,
        "exp": now + timedelta(seconds=settings.DEVICE_TOKEN_SECONDS),
        "mender.device": True,
    }
    return jwt.encode(claims, _key(settings.SECRET_KEY), algorithm=ALGORITHM)


def asking_device(request: HttpRequest) -> Device:
    """The device whose token the request carries, with its `identity`: in one query.

    NotLetIn without a token of ours, after its time, and at once when its auth set is not accepted any more.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or len(token) > LONGEST_TOKEN:
        raise NotLetIn
    jti, device_id = _claimed(token.strip())
    found = Device.objects.select_related("identity").filter(
        identity__auth_sets=jti, identity__auth_sets__status=AuthSet.Status.ACCEPTED
    )
    try:
        device = found.get()
    except Device.DoesNotExist:
        raise NotLetIn from None
    if str(device.pk) != device_id:
        raise NotLetIn
    return device


def _claimed(token: str) -> tuple[UUID, str]:
    """The auth set and the device that a token of ours names, within its time."""
    try:
        claims = jwt.decode(
            token,
            _key(settings.SECRET_KEY),
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            # When it was made is no matter: web servers' clocks differ by a second or two.
            options={"require": list(CLAIMS), "verify_iat": False},
        )
        if claims["mender.device"] is not True:
            raise NotLetIn
        return UUID(claims["jti"]), str(claims["sub"])
    except (jwt.InvalidTokenError, ValueError):
        raise NotLetIn from None


@cache
def _key(secret: str) -> bytes:
    """A key of its own, so that nothing else that the portal signs can be made into a token, nor the other way round."""
    return salted_hmac(SALT, "", secret=secret, algorithm="sha256").digest()
