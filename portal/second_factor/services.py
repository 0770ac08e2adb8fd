"""Verbs for somebody's second factor: begin, confirm, verify, new recovery codes, remove."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

import django_otp
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from portal.core import audit
from portal.core.actors import Actor
from portal.core.errors import Refused
from portal.second_factor.errors import TooManyCodes, WrongCode
from portal.second_factor.models import DIGITS, STEP_SECONDS, Authenticator, digest_of

KEY_BYTES: Final = 20
RECOVERY_CODES: Final = 10
RECOVERY_BYTES: Final = 10
ISSUER: Final = "Fleetwright"
ADMINISTRATOR: Final = "administrator"


def authenticator_of(user: User) -> Authenticator | None:
    """The user's confirmed authenticator, which is asked for at login; None: the password is enough."""
    found: Authenticator | None = Authenticator.objects.filter(user=user, confirmed=True).first()
    return found


def is_required_for(user: User) -> bool:
    """Whether one of the user's roles is in `settings.REQUIRE_SECOND_FACTOR`. A superuser counts as an administrator."""
    roles = settings.REQUIRE_SECOND_FACTOR
    if not roles:
        return False
    if user.is_superuser and ADMINISTRATOR in roles:
        return True
    return user.groups.filter(name__in=roles).exists()


def begin(*, user: User) -> Authenticator:
    """A fresh key waits to be confirmed by a first code; one that waited before is gone. Refused when one is confirmed."""
    with transaction.atomic():
        if Authenticator.objects.select_for_update().filter(user=user, confirmed=True).exists():
            raise Refused("There is a second factor already: remove it first.")
        Authenticator.objects.filter(user=user).delete()
        fresh = Authenticator(
            user=user,
            name="Authenticator app",
            key=secrets.token_hex(KEY_BYTES),
            confirmed=False,
        )
        fresh.save()
    return fresh


def confirm(*, user: User, code: str, actor: Actor) -> list[str]:
    """The authenticator is asked for at every login from now on. Its recovery codes, told this once.

    WrongCode or TooManyCodes, and it goes on waiting.
    """
    waiting = Authenticator.objects.filter(user=user, confirmed=False).first()
    if waiting is None:
        raise Refused("Nothing waits to be confirmed: begin again.")
    _take(waiting, code)
    codes = _new_codes()
    with transaction.atomic():
        fresh = Authenticator.objects.select_for_update().get(pk=waiting.pk)
        fresh.confirmed = True
        fresh.recovery_digests = _digests(codes)
        fresh.save()
        audit.record(actor=actor, action="second_factor.confirm", subject=fresh)
    return codes


def verify(*, user: User, code: str) -> Authenticator:
    """The user's authenticator, which took `code`. WrongCode or TooManyCodes otherwise."""
    authenticator = authenticator_of(user)
    if authenticator is None:
        raise Refused("There is no second factor to verify.")
    return _take(authenticator, code)


def renew_recovery_codes(*, user: User, code: str, actor: Actor) -> list[str]:
    """New recovery codes, told this once; the old ones are worth nothing any more. `code` proves who asks."""
    authenticator = verify(user=user, code=code)
    codes = _new_codes()
    with transaction.atomic():
        fresh = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
        fresh.recovery_digests = _digests(codes)
        fresh.save()
        audit.record(actor=actor, action="second_factor.new_recovery_codes", subject=fresh)
    return codes


def remove(*, authenticator: Authenticator, actor: Actor) -> None:
    """The password alone is enough at the next login, unless a role of the user asks for more."""
    with transaction.atomic():
        audit.record(actor=actor, action="second_factor.remove", subject=authenticator)
        authenticator.delete()


def address_of(authenticator: Authenticator) -> str:
    """What the app reads from the QR code (the otpauth scheme of Google Authenticator's key URI format)."""
    label = quote(f"{ISSUER}:{authenticator.user.get_username()}")
    words = {
        "secret": secret_of(authenticator),
        "issuer": ISSUER,
        "digits": DIGITS,
        "period": STEP_SECONDS,
    }
    return f"otpauth://totp/{label}?{urlencode(words)}"


def secret_of(authenticator: Authenticator) -> str:
    """The key as apps take it when it is typed in."""
    return base64.b32encode(bytes.fromhex(authenticator.key)).decode()


def _take(authenticator: Authenticator, code: str) -> Authenticator:
    is_allowed, why = authenticator.verify_is_allowed()
    if not is_allowed:
        seconds = _seconds_until(why["locked_until"])
        raise TooManyCodes(f"Too many wrong codes: wait {seconds} seconds, then try again.")
    taken: Authenticator | None = django_otp.verify_token(
        authenticator.user, authenticator.persistent_id, code
    )
    if taken is None:
        raise WrongCode("This code is not right, or was used before.")
    return taken


def _seconds_until(moment: datetime) -> int:
    return max(1, round((moment - timezone.now()).total_seconds()))


def _new_codes() -> list[str]:
    def code() -> str:
        text = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
        return "-".join(text[start : start + 4] for start in range(0, len(text), 4))

    return [code() for _ in range(RECOVERY_CODES)]


def _digests(codes: list[str]) -> list[str]:
    return [digest_of(code.replace("-", "")) for code in codes]
