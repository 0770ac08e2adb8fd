"""How engines are reached, and who we are to registries: said by people, kept encrypted, on record."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from devices.drivers.dial import is_loopback
from devices.drivers.engine_ways import TlsIdentity
from devices.drivers.references import checked_host
from devices.errors import BadReference, LoginRefused
from devices.models import Device, EngineAccess, RegistryLogin
from devices.services.devices import USE_LOCAL_DRIVER
from devices.services.reach import require_way_in
from portal.core import audit
from portal.core.actors import Actor
from portal.core.edits import changes_of, require_save
from portal.core.errors import Refused

WAY_FIELDS: Final = {
    EngineAccess.Way.UNIX: ("socket_path",),
    EngineAccess.Way.SSH: ("socket_path",),
    EngineAccess.Way.TCP: ("host", "port", "authority", "certificate", "key"),
}
"""What each way needs to be told; the rest is emptied."""
ACCESS_FIELDS: Final = ("way", "socket_path", "host", "port", "authority", "certificate", "key")
LOGIN_FIELDS: Final = ("registry", "username", "secret")


def save_engine_access(*, access: EngineAccess, actor: Actor) -> EngineAccess:
    """The device's engine is reached so from now on. Refused, or ValidationError by field, for what could never work.

    Who may command the engine of the portal's own machine may command the machine: that asks for `devices.use_local_driver`.
    """
    require_save(access, actor=actor)
    if _is_own_machine(access) or _was_own_machine(access):
        actor.require(USE_LOCAL_DRIVER)
    _empty_what_is_not_used(access)
    access.full_clean()
    refuse_unusable(access)
    with transaction.atomic():
        action = "engine.add" if access._state.adding else "engine.change"
        changes = changes_of(access, fields=ACCESS_FIELDS)
        access.save()
        audit.record(
            actor=actor, action=action, subject=access.device, data={"changes": _short(changes)}
        )
    return access


def delete_engine_access(*, access: EngineAccess, actor: Actor, reason: str) -> None:
    """Nobody knows any more how the engine is reached; what it said last is forgotten, too."""
    actor.require("devices.delete_engineaccess")
    if _is_own_machine(access):
        actor.require(USE_LOCAL_DRIVER)
    with transaction.atomic():
        audit.record(actor=actor, action="engine.delete", subject=access.device, reason=reason)
        access.delete()
        look = getattr(access.device, "engine_look", None)
        if look is not None:
            look.delete()


def refuse_unusable(access: EngineAccess) -> None:
    """Nothing, or Refused with the reason why nobody could be reached so."""
    require_way_in(access.device)
    if access.way == EngineAccess.Way.SSH and access.device.driver != Device.Driver.SSH:
        raise Refused(f"{access.device} is not reached by SSH, so its engine cannot be either.")
    if access.way != EngineAccess.Way.TCP:
        return
    if not 0 < access.port < 65536:
        raise Refused("A port is between 1 and 65535.")
    texts = (access.authority, access.certificate, access.key)
    if not any(texts) and is_loopback(access.host):
        return
    if not all(texts):
        raise Refused(
            "TCP needs all three: the engine's authority, the portal's certificate for it, and its key."
        )
    try:
        TlsIdentity(*texts).context()
    except LoginRefused as error:
        raise Refused(str(error)) from None


def save_registry_login(*, login: RegistryLogin, actor: Actor) -> RegistryLogin:
    """The portal, and engines that pull for it, are this user to the registry from now on."""
    require_save(login, actor=actor)
    login.registry = checked_registry(login.registry)
    login.full_clean()
    with transaction.atomic():
        action = "registry_login.add" if login._state.adding else "registry_login.change"
        changes = changes_of(login, fields=LOGIN_FIELDS)
        login.save()
        audit.record(actor=actor, action=action, subject=login, data={"changes": changes})
    return login


def delete_registry_login(*, login: RegistryLogin, actor: Actor, reason: str) -> None:
    """The portal is nobody to that registry any more."""
    actor.require("devices.delete_registrylogin")
    with transaction.atomic():
        audit.record(actor=actor, action="registry_login.delete", subject=login, reason=reason)
        login.delete()


def checked_registry(name: str) -> str:
    """The registry as references name it, or Refused."""
    try:
        return checked_host(name.strip())
    except BadReference as error:
        raise Refused(str(error)) from None


def _is_own_machine(access: EngineAccess) -> bool:
    is_near = access.way == EngineAccess.Way.TCP and is_loopback(access.host)
    return access.way == EngineAccess.Way.UNIX or is_near


def _was_own_machine(access: EngineAccess) -> bool:
    stored = EngineAccess.objects.filter(pk=access.pk).defer("key").first()
    return stored is not None and _is_own_machine(stored)


def _empty_what_is_not_used(access: EngineAccess) -> None:
    used = (
        WAY_FIELDS.get(EngineAccess.Way(access.way), ()) if access.way in EngineAccess.Way else ()
    )
    for field in ("socket_path", "host", "authority", "certificate", "key"):
        if field not in used:
            setattr(access, field, "")


def _short(changes: dict[str, object]) -> dict[str, object]:
    """That certificates changed, without their texts."""
    return {
        field: "changed" if field in ("authority", "certificate") else change
        for field, change in changes.items()
    }
