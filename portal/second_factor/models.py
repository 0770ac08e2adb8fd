"""What somebody has besides a password: an app that shows a new code every 30 seconds, and recovery codes on paper."""

from __future__ import annotations

import hashlib
import time
from typing import Final

from django.db import models
from django_otp.models import Device, ThrottlingMixin, TimestampMixin
from django_otp.oath import TOTP

from portal.core.fields import EncryptedTextField

STEP_SECONDS: Final = 30
DIGITS: Final = 6
TOLERANCE_STEPS: Final = 1
"""A code of the step before or after counts too: clocks differ, people are slow."""


class Authenticator(TimestampMixin, ThrottlingMixin, Device):  # type: ignore[misc] # django-otp carries no types
    """A user's authenticator app (TOTP, RFC 6238). Asked for at login once it is `confirmed`; a user has at most one.

    `key` is encrypted at rest. Of the recovery codes only SHA-256 digests are kept; each works once.
    """

    key = EncryptedTextField(help_text="160 random bits, in hex.")
    last_step = models.BigIntegerField(
        default=-1, help_text="A code of this step or before was used."
    )
    recovery_digests = models.JSONField(default=list)

    class Meta:
        default_permissions = ("view", "delete")
        constraints = [
            models.UniqueConstraint(fields=["user"], name="one_authenticator_per_user"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"

    def get_throttle_factor(self) -> int:
        """Seconds to wait after the first wrong code; each further one doubles them."""
        return 1

    def verify_token(self, token: str) -> bool:
        """True, once, for a code of the app or a recovery code. False, and a longer wait, for anything else."""
        is_allowed, _ = self.verify_is_allowed()
        if not is_allowed:
            return False
        said = "".join(token.split()).replace("-", "").lower()
        if not (self._is_shown_now(said) or self._is_recovery_code(said)):
            self.throttle_increment()
            return False
        self.throttle_reset(commit=False)
        self.set_last_used_timestamp(commit=False)
        self.save()
        return True

    def _is_shown_now(self, said: str) -> bool:
        if not (len(said) == DIGITS and said.isascii() and said.isdigit()):
            return False
        totp = TOTP(bytes.fromhex(self.key), step=STEP_SECONDS, digits=DIGITS)
        totp.time = time.time()
        if not totp.verify(int(said), tolerance=TOLERANCE_STEPS, min_t=self.last_step + 1):
            return False
        self.last_step = totp.t()
        return True

    def _is_recovery_code(self, said: str) -> bool:
        if digest_of(said) not in self.recovery_digests:
            return False
        self.recovery_digests.remove(digest_of(said))
        return True


def digest_of(code: str) -> str:
    """SHA-256 is enough: a recovery code is 80 random bits, nobody can guess it from its digest."""
    return hashlib.sha256(code.encode()).hexdigest()
