"""Things by the words that people have for them: names, or the beginning of an id."""

from __future__ import annotations

import re
import uuid
from typing import Final, TypeVar

from django.core.management.base import CommandError
from django.db.models import Model, QuerySet

from devices.models import Credential, Device, DeviceGroup, RegistryLogin
from patches.models import Node, Patch
from updates.models import (
    Artifact,
    Backup,
    Deployment,
    ImageRemoval,
    Instance,
    Module,
    ModuleOrder,
    Release,
    Repository,
    SigningKey,
    TrustedKey,
    UpdateModule,
    Upgrade,
    WatchedContainer,
)
from updates.queries import history

_Row = TypeVar("_Row", bound=Model)
_ID: Final = re.compile(r"[0-9a-f]{4,32}")
SHORT: Final = 8
"""Digits of an id that lists show."""


def device(name: str) -> Device:
    """The device of this name."""
    return _named(Device.objects.select_related("credential"), name, what="device")


def group(name: str) -> DeviceGroup:
    """The group of this name."""
    return _named(DeviceGroup.objects.all(), name, what="device group")


def artifact(word: str) -> Artifact:
    """The artifact whose id begins like this, or that has this name: of several, only an id names one."""
    found = _begins(Artifact.objects.all(), word) or list(Artifact.objects.filter(name=word)[:2])
    return _only(found, word, what="artifact")


def module(name: str) -> Module:
    """The module of this name."""
    return _named(Module.objects.all(), name, what="module")


def instance(name: str) -> Instance:
    """The instance of this name."""
    return _named(
        Instance.objects.select_related("module", "device", "installation"), name, what="instance"
    )


def watched(name: str) -> WatchedContainer:
    """The watched container of this name."""
    rows = WatchedContainer.objects.select_related("instance__module", "instance__device")
    row = rows.filter(instance__name=name).first()
    if row is None:
        raise CommandError(f"There is no watched container {name!r}.")
    return row


def node(name: str) -> Node:
    """The node of this name."""
    return _named(Node.objects.select_related("instance__module", "device"), name, what="node")


def patch(word: str) -> Patch:
    """The patch whose id begins like this, or that has this name: one with its archive rather than deleted ones."""
    rows = Patch.objects.select_related("module")
    named = rows.filter(name=word)
    found = _begins(rows, word) or list(named.filter(deleted_at=None)[:2]) or list(named[:2])
    return _only(found, word, what="patch")


def release(name: str) -> Release:
    """The release of this name."""
    return _named(Release.objects.all(), name, what="release")


def repository(name: str) -> Repository:
    """The repository of this name, its index left where it is."""
    rows = Repository.objects.select_related("added_by").defer("index")
    return _named(rows, name, what="repository")


def trusted_key(name: str) -> TrustedKey:
    """The trusted key of this name."""
    return _named(TrustedKey.objects.select_related("added_by"), name, what="trusted key")


def signing_key(name: str) -> SigningKey:
    """The signing key of this name, its private half left where it is."""
    rows = SigningKey.objects.select_related("added_by").defer("private_pem")
    return _named(rows, name, what="signing key")


def credential(name: str) -> Credential:
    """The credential of this name."""
    return _named(Credential.objects.all(), name, what="credential")


def backup(number: int) -> Backup:
    """The backup of this id."""
    rows = Backup.objects.select_related("watched__instance__device")
    row = rows.filter(pk=number).first()
    if row is None:
        raise CommandError(f"There is no backup {number}.")
    return row


def image_removal(word: str) -> ImageRemoval:
    """The removal of images whose id begins like this."""
    return _only(_begins(ImageRemoval.objects.all(), word), word, what="removal of images")


def registry_login(registry: str) -> RegistryLogin:
    """The login to this registry."""
    row = RegistryLogin.objects.filter(registry=registry).first()
    if row is None:
        raise CommandError(f"There is no login to {registry!r}.")
    return row


def update_module(name: str, *, version: int | None) -> UpdateModule:
    """The Update Module of this name: its newest version, unless another is asked for."""
    rows = UpdateModule.objects.order_by("-version")
    return _named(
        rows if version is None else rows.filter(version=version), name, what="Update Module"
    )


def orderable(word: str) -> Artifact | Release:
    """What can be ordered by this word: a release by its name, or one artifact by the beginning of its id."""
    found = Release.objects.filter(name=word).first()
    return artifact(word) if found is None else found


def upgrade(word: str) -> Upgrade:
    """The upgrade whose id begins like this."""
    return _only(_begins(history(), word), word, what="upgrade")


def deployment(word: str) -> Deployment:
    """The deployment whose id begins like this."""
    rows = Deployment.objects.select_related("artifact", "release")
    return _only(_begins(rows, word), word, what="deployment")


def module_order(word: str) -> ModuleOrder:
    """The order of a module image whose id begins like this."""
    return _only(_begins(ModuleOrder.objects.all(), word), word, what="module order")


def short(row: Artifact | Deployment | ModuleOrder | Patch | Upgrade) -> str:
    """The beginning of the row's id."""
    return row.pk.hex[:SHORT]


def _named(rows: QuerySet[_Row], name: str, *, what: str) -> _Row:
    row = rows.filter(name=name).first()
    if row is None:
        raise CommandError(f"There is no {what} {name!r}.")
    return row


def _begins(rows: QuerySet[_Row], word: str) -> list[_Row]:
    """At most two rows whose ids begin with `word`: as a range, so that an index finds them."""
    digits = word.lower().replace("-", "")
    if not _ID.fullmatch(digits):
        return []
    first, last = uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
    return list(rows.filter(pk__gte=first, pk__lte=last)[:2])


def _only(found: list[_Row], word: str, *, what: str) -> _Row:
    if not found:
        raise CommandError(f"There is no {what} {word!r}.")
    if len(found) > 1:
        raise CommandError(f"More than one {what} answers to {word!r}: give more of the id.")
    return found[0]
