"""Links by which devices fetch artifacts: their clients send no token there, so the link itself is the credential."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core import signing

from devices.models import Device
from portal.core import clock
from portal.core.stored import gives_addresses, require_not_failed, signed_address
from portal.core.transfers import transfers
from updates.errors import LinkExpired
from updates.models import Artifact

SALT: Final = "updates.pulled.link"


@dataclass(frozen=True, slots=True)
class Link:
    """`word` is what the portal's own address ends with; `straight` the storage's own, where devices reach that, else empty."""

    word: str
    straight: str
    until: datetime


def link_to(artifact: Artifact) -> Link:
    """A link that is good for `settings.DOWNLOAD_LINK_SECONDS`."""
    seconds = settings.DOWNLOAD_LINK_SECONDS
    return Link(
        word=signing.dumps(str(artifact.pk), salt=SALT),
        straight=signed_address(str(artifact.file.name), seconds=seconds)
        if settings.DEVICES_REACH_STORAGE
        else "",
        until=clock.now() + timedelta(seconds=seconds),
    )


def keep_place_for(device: Device, artifact: Artifact) -> None:
    """The device that is told a link to the artifact now will be sent it, by all we know; else PortalBusy or StorageUnavailable.

    Nothing is known of a storage that the device reaches itself.
    """
    if settings.DEVICES_REACH_STORAGE and gives_addresses():
        return
    require_not_failed(str(artifact.file.name))
    transfers.promise(device.pk)


def linked_artifact(word: str) -> Artifact:
    """The artifact that the link is for. LinkExpired when it is too old, or not one of ours."""
    try:
        pk = UUID(signing.loads(word, salt=SALT, max_age=settings.DOWNLOAD_LINK_SECONDS))
        return Artifact.objects.get(pk=pk)
    except (signing.BadSignature, ValueError, Artifact.DoesNotExist):
        raise LinkExpired("This link is not good any more.") from None
