"""Model fields for secrets at rest."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.expressions import Expression

    TextField = models.TextField[str, str]
else:
    TextField = models.TextField


@cache
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


class EncryptedTextField(TextField):
    """Text that is encrypted in the database (Fernet: AES-128-CBC with HMAC-SHA256) and plain in Python.

    Cannot be searched or ordered by. A value that none of `settings.FIELD_KEYS` can read raises ValueError: better no
    secret than a wrong one.
    """

    def get_prep_value(self, value: str | None) -> str | None:
        if value is None or value == "":
            return value
        return _cipher(tuple(settings.FIELD_KEYS)).encrypt(value.encode()).decode()

    def from_db_value(
        self, value: str | None, _expression: Expression, _connection: BaseDatabaseWrapper
    ) -> str | None:
        if value is None or value == "":
            return value
        try:
            return _cipher(tuple(settings.FIELD_KEYS)).decrypt(value.encode()).decode()
        except InvalidToken:
            raise ValueError(
                f"{self.model.__name__}.{self.name} was encrypted with a key that FIELD_KEYS does not hold."
            ) from None
