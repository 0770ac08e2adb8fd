"""Making, finding and revoking API tokens."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from portal.core import audit
from portal.core.actors import Actor
from portal.core.models import ApiToken

USED_AT_STEP = timedelta(minutes=5)
"""`last_used_at` is not written more often than this: a poll should not cost a write."""


def create_token(*, user: User, name: str, actor: Actor, days: int | None = None) -> str:
    """A new token of `user`, shown this once: only its digest is kept. `days` until it expires; None: never."""
    plain = f"fwt_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        user=user,
        name=name,
        digest=digest(plain),
        expires_at=timezone.now() + timedelta(days=days) if days else None,
    )
    audit.record(actor=actor, action="token.create", subject=token)
    return plain


def revoke_token(*, token: ApiToken, actor: Actor) -> None:
    """The token opens nothing any more; its row stays for the record."""
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    audit.record(actor=actor, action="token.revoke", subject=token)


def find_token(plain: str) -> ApiToken | None:
    """The live token behind `plain`, its use noted; None for an unknown, expired or revoked one, or an inactive user."""
    now = timezone.now()
    token = (
        ApiToken.objects.select_related("user")
        .filter(Q(expires_at=None) | Q(expires_at__gt=now), digest=digest(plain))
        .filter(revoked_at=None, user__is_active=True)
        .first()
    )
    if token and (token.last_used_at is None or now - token.last_used_at > USED_AT_STEP):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def digest(plain: str) -> str:
    """SHA-256 is enough here: a token is 256 random bits, nobody can guess it from its digest."""
    return hashlib.sha256(plain.encode()).hexdigest()
