"""What devices are opened with."""

from __future__ import annotations

from django.db import transaction
from django.db.models import ProtectedError

from devices.drivers.ssh_login import KeyLogin, PasswordLogin
from devices.errors import LoginRefused
from devices.models import Credential
from portal.core import audit
from portal.core.actors import Actor
from portal.core.edits import changes_of, require_save
from portal.core.errors import Refused

FIELDS = ("name", "kind", "username", "secret", "passphrase")
IN_USE = "Devices are opened with it: give them another credential first."


def save_credential(*, credential: Credential, actor: Actor) -> Credential:
    """The credential, new or replaced, is what its devices are opened with from now on. Refused: a key nobody can read."""
    require_save(credential, actor=actor)
    credential.full_clean()
    refuse_unreadable_key(credential)
    with transaction.atomic():
        action = "credential.add" if credential._state.adding else "credential.replace"
        changes = changes_of(credential, fields=FIELDS)
        credential.save()
        audit.record(actor=actor, action=action, subject=credential, data={"changes": changes})
    return credential


def delete_credential(*, credential: Credential, actor: Actor, reason: str) -> None:
    """The credential is gone, its secrets too. Refused while a device is opened with it."""
    actor.require("devices.delete_credential")
    if credential.devices.exists():  # asked first: Django would fetch each of them
        raise Refused(IN_USE)
    try:
        with transaction.atomic():
            audit.record(actor=actor, action="credential.delete", subject=credential, reason=reason)
            credential.delete()
    except ProtectedError:
        raise Refused(IN_USE) from None


def refuse_unreadable_key(credential: Credential) -> None:
    """Nothing, or Refused with the reason why the credential's key cannot be read."""
    login = login_of(credential)
    if isinstance(login, KeyLogin):
        try:
            login.key()
        except LoginRefused as error:
            raise Refused(str(error)) from None


def login_of(credential: Credential) -> KeyLogin | PasswordLogin:
    """How a driver logs in with the credential."""
    if credential.kind == Credential.Kind.PASSWORD:
        return PasswordLogin(credential.secret)
    return KeyLogin(credential.secret, passphrase=credential.passphrase or None)
