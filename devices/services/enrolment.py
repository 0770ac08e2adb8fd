"""Who may be a device of ours: accepting, rejecting, dismissing, preauthorising and decommissioning those that ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from devices.auth_request import DeviceKey, IdData, IdentityValue, id_hash_of
from devices.models import UNKNOWN_TYPE, AuthSet, Device, DeviceIdentity
from portal.core import audit, clock
from portal.core.actors import PORTAL, Actor
from portal.core.errors import Conflict, Refused

DECIDE: Final = "devices.decide_authset"
DECOMMISSION: Final = "devices.decommission_device"
NAMING: Final = ("name", "hostname", "serial", "serial_number", "serialnumber", "sn", "mac")
"""Parts of an identity that a device is named after, the first of them that it has; else after the first in order."""
LONGEST_NAME: Final = 80
BATCH: Final = 500

Status = AuthSet.Status


@dataclass(frozen=True, slots=True)
class Accepted:
    """The devices that are let in now, and those of the selection that were left as they were, each with the reason."""

    devices: list[Device]
    left: list[tuple[AuthSet, str]]


def accept(*, auth_set: AuthSet, actor: Actor, reason: str = "") -> Device:
    """The device with this key is let in: a new one, or the one that had this identity before. Its other key is rejected."""
    accepted = accept_many(
        auth_sets=AuthSet.objects.filter(pk=auth_set.pk), actor=actor, reason=reason
    )
    if not accepted.devices:
        raise Refused(
            accepted.left[0][1] if accepted.left else "This key is gone: look at the list again."
        )
    return accepted.devices[0]


def accept_many(*, auth_sets: QuerySet[AuthSet], actor: Actor, reason: str = "") -> Accepted:
    """All of these are let in, as by `accept`, in one transaction; nothing happens to those that are already.

    Left as they were: identities of which more than one key was picked, since only one can be let in.
    """
    actor.require(DECIDE)
    try:
        with transaction.atomic():
            return _admit(auth_sets, actor=actor, by=actor.name, reason=reason)
    except IntegrityError:
        raise Conflict("The fleet changed meanwhile: ask again.") from None


def admit_preauthorised(auth_set: AuthSet) -> AuthSet | None:
    """The set is accepted, as whoever preauthorised it wanted; as it is by now, or None, if somebody decided otherwise."""
    picked = AuthSet.objects.filter(pk=auth_set.pk, status=Status.PREAUTHORIZED)
    try:
        with transaction.atomic():
            _admit(picked, actor=PORTAL, by=None, reason="Preauthorised.")
    except IntegrityError:
        raise Conflict("The fleet changed meanwhile: ask again.") from None
    return AuthSet.objects.select_related("identity__device").filter(pk=auth_set.pk).first()


def reject(*, auth_set: AuthSet, actor: Actor, reason: str = "") -> AuthSet:
    """The key is not let in, or not any more: its token is worth nothing from now on. Refused when it is gone."""
    actor.require(DECIDE)
    with transaction.atomic():
        current = _locked(auth_set)
        _reject_rows([current], actor=actor, reason=reason)
    return current


def reject_many(*, auth_sets: QuerySet[AuthSet], actor: Actor, reason: str = "") -> list[AuthSet]:
    """None of these is let in, as by `reject`, in one transaction: those that were not rejected before.

    Nothing happens to those that are accepted: who is let in is shut out one by one.
    """
    actor.require(DECIDE)
    with transaction.atomic():
        keys = [key for key in _all_locked(auth_sets) if key.status != Status.ACCEPTED]
        return _reject_rows(keys, actor=actor, reason=reason)


def dismiss(*, auth_set: AuthSet, actor: Actor, reason: str = "") -> None:
    """The key is forgotten; whoever has it may ask again. Refused for one that is accepted: reject it, or decommission."""
    actor.require(DECIDE)
    with transaction.atomic():
        current = _locked(auth_set)
        if current.status == Status.ACCEPTED:
            raise Refused("This key is accepted: reject it, or decommission the device.")
        _dismiss_rows([current], actor=actor, reason=reason)


def dismiss_many(*, auth_sets: QuerySet[AuthSet], actor: Actor, reason: str = "") -> int:
    """These are forgotten, as by `dismiss`, in one transaction: how many. Nothing happens to those that are accepted."""
    actor.require(DECIDE)
    with transaction.atomic():
        keys = [key for key in _all_locked(auth_sets) if key.status != Status.ACCEPTED]
        _dismiss_rows(keys, actor=actor, reason=reason)
    return len(keys)


def preauthorise(
    *, id_data: Mapping[str, IdentityValue], key: DeviceKey, actor: Actor, reason: str = ""
) -> AuthSet:
    """Whoever asks with this identity and this key is let in at once. Conflict when the key of this identity is known."""
    actor.require(DECIDE)
    data: IdData = dict(id_data)
    try:
        with transaction.atomic():
            identity, _ = DeviceIdentity.objects.get_or_create(
                id_hash=id_hash_of(data), defaults={"id_data": data}
            )
            known = identity.auth_sets.filter(key_hash=key.hash).first()
            if known is not None:
                raise Conflict(f"This key of {identity} is known, and {known.status}.")
            made = AuthSet.objects.create(
                identity=identity, public_key=key.pem, key_hash=key.hash,
                status=Status.PREAUTHORIZED, decided_at=clock.now(), decided_by_name=actor.name,
            )  # fmt: skip
            _record(actor, "authset.preauthorise", made, reason=reason)
    except IntegrityError:
        raise Conflict("The device asks at this very moment: look at the list.") from None
    return made


def decommission(*, device: Device, actor: Actor, reason: str = "") -> None:
    """None of the device's keys is known any more, and what was ordered for it ends; device and history stay.

    If it asks again it waits for an operator, and is the same device once it is accepted. Refused for devices that do not pull.
    """
    actor.require(DECOMMISSION)
    if device.driver != Device.Driver.PULL:
        raise Refused(f"{device} does not pull: it has no keys here, and can be deleted.")
    with transaction.atomic():
        identity = DeviceIdentity.objects.select_for_update().filter(device=device).first()
        keys = AuthSet.objects.filter(identity=identity) if identity else AuthSet.objects.none()
        data = {"keys": sorted(keys.values_list("key_hash", flat=True))}
        keys.delete()
        for name in settings.DEVICE_DECOMMISSIONED:
            end: Callable[[Device], None] = import_string(name)
            end(device)
        audit.record(
            actor=actor, action="device.decommission", subject=device, reason=reason, data=data
        )


def _admit(picked: QuerySet[AuthSet], *, actor: Actor, by: str | None, reason: str) -> Accepted:
    """As `accept_many`; `by` is who decided, None leaves that as it is. In a transaction."""
    sets = _all_locked(picked)
    chosen: list[AuthSet] = []
    left: list[tuple[AuthSet, str]] = []
    counts: dict[int, int] = {}
    for auth_set in sets:
        counts[auth_set.identity_id] = counts.get(auth_set.identity_id, 0) + 1
    for auth_set in sets:
        if counts[auth_set.identity_id] > 1:
            left.append((auth_set, f"{auth_set.identity} asks with several keys: pick one."))
        else:
            chosen.append(auth_set)
    new = [auth_set for auth_set in chosen if auth_set.status != Status.ACCEPTED]
    _make_devices([auth_set.identity for auth_set in new if auth_set.identity.device is None])
    rivals = _accept_rows(new, by=by)
    acts = [("authset.reject", rival) for rival in rivals]
    acts += [("device.accept", auth_set) for auth_set in new]
    audit.record_all(
        actor=actor,
        reason=reason,
        acts=((action, _subject(row), _told(row)) for action, row in acts),
    )
    return Accepted([row.identity.device for row in chosen if row.identity.device], left)


def _make_devices(identities: list[DeviceIdentity]) -> None:
    """Each of them has a device of its own, named after it."""
    names = _names_for(identities)
    made = Device.objects.bulk_create(
        [
            Device(
                name=names[identity.pk],
                device_type=UNKNOWN_TYPE,
                driver=Device.Driver.PULL,
                reported=identity.id_data,
            )
            for identity in identities
        ],
        batch_size=BATCH,
    )
    for identity, device in zip(identities, made, strict=True):
        identity.device = device
    DeviceIdentity.objects.bulk_update(identities, ["device"], batch_size=BATCH)


def _names_for(identities: list[DeviceIdentity]) -> dict[int, str]:
    """A name for each, that no other device has: when it is taken, a piece of the identity's hash makes it another."""
    wanted = {identity.pk: name_from(identity.id_data) for identity in identities}
    taken = set(Device.objects.filter(name__in=set(wanted.values())).values_list("name", flat=True))
    names: dict[int, str] = {}
    for identity in identities:
        name = wanted[identity.pk]
        if not name or name in taken:
            name = f"{name or 'device'}-{identity.id_hash[:12]}"
        taken.add(name)
        names[identity.pk] = name
    return names


def name_from(id_data: Mapping[str, IdentityValue]) -> str:
    """What the identity suggests as a name, in letters that names have; empty if nothing is left of it."""
    keys = {key.lower(): key for key in sorted(id_data, reverse=True)}
    key = next((keys[word] for word in NAMING if word in keys), min(id_data))
    value = id_data[key]
    text = value if isinstance(value, str) else "-".join(value)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:LONGEST_NAME]


def _accept_rows(sets: list[AuthSet], *, by: str | None) -> list[AuthSet]:
    """These are accepted. What was so far of their identities is returned, and rejected."""
    now = clock.now()
    rivals = AuthSet.objects.filter(
        identity__in=[auth_set.identity_id for auth_set in sets], status=Status.ACCEPTED
    )
    rejected = list(rivals.select_related("identity__device"))
    rivals.update(status=Status.REJECTED, decided_at=now, decided_by_name=by or PORTAL.name)
    for auth_set in sets:
        auth_set.status, auth_set.decided_at = Status.ACCEPTED, now
        auth_set.decided_by_name = by or auth_set.decided_by_name
    AuthSet.objects.bulk_update(sets, ["status", "decided_at", "decided_by_name"], batch_size=BATCH)
    return rejected


def _subject(auth_set: AuthSet) -> Device | AuthSet:
    """What an audit entry about the set is about: the device, once there is one."""
    return auth_set.identity.device or auth_set


def _locked(auth_set: AuthSet) -> AuthSet:
    """The set as it is now, with nobody else deciding about its identity. Refused when it is gone. In a transaction."""
    DeviceIdentity.objects.select_for_update().filter(pk=auth_set.identity_id).first()
    current = AuthSet.objects.select_related("identity__device").filter(pk=auth_set.pk).first()
    if current is None:
        raise Refused("This key is gone: look at the list again.")
    return current


def _all_locked(picked: QuerySet[AuthSet]) -> list[AuthSet]:
    """The sets as they are now, with nobody else deciding about their identities. In a transaction."""
    identities = DeviceIdentity.objects.filter(auth_sets__in=picked).order_by("pk").values("pk")
    # Whoever decides about the same identity waits here.
    list(DeviceIdentity.objects.select_for_update().filter(pk__in=identities).order_by("pk"))
    return list(picked.select_related("identity__device").order_by("identity", "requested_at"))


def _reject_rows(keys: list[AuthSet], *, actor: Actor, reason: str) -> list[AuthSet]:
    """They are rejected, and those of them on record that were not before. In a transaction."""
    rejected = [key for key in keys if key.status != Status.REJECTED]
    _record_all(actor, "authset.reject", rejected, reason=reason)
    now = clock.now()
    for key in rejected:
        key.status, key.decided_at, key.decided_by_name = Status.REJECTED, now, actor.name
    AuthSet.objects.bulk_update(
        rejected, ["status", "decided_at", "decided_by_name"], batch_size=BATCH
    )
    return rejected


def _dismiss_rows(keys: list[AuthSet], *, actor: Actor, reason: str) -> None:
    """They are gone and on record, and so are identities that nothing is known of any more. In a transaction."""
    _record_all(actor, "authset.dismiss", keys, reason=reason)
    for start in range(0, len(keys), BATCH):
        batch = keys[start : start + BATCH]
        AuthSet.objects.filter(pk__in=[key.pk for key in batch]).delete()
        DeviceIdentity.objects.filter(
            pk__in=[key.identity_id for key in batch], device=None, auth_sets=None
        ).delete()


def _record_all(actor: Actor, action: str, keys: list[AuthSet], *, reason: str) -> None:
    acts = ((action, _subject(key), _told(key) | {"before": key.status}) for key in keys)
    audit.record_all(actor=actor, reason=reason, acts=acts)


def _record(actor: Actor, action: str, auth_set: AuthSet, *, reason: str) -> None:
    data = _told(auth_set)
    audit.record(actor=actor, action=action, subject=_subject(auth_set), reason=reason, data=data)


def _told(auth_set: AuthSet) -> dict[str, object]:
    return {"identity": auth_set.identity.id_data, "key": auth_set.key_hash}
