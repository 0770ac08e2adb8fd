"""Links by which devices fetch artifacts: their clients send no token there, so the link itself is the credential."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core import signing

from portal.core import clock
from portal.core.stored import gives_addresses, require_not_failed, signed_address
from portal.core.transfers import Promised, transfers
from updates.errors import LinkExpired
from updates.models import Artifact, Upgrade

SALT: Final = "updates.pulled.link"


@dataclass(frozen=True, slots=True)
class Link:
    """`word` is what the portal's own address ends with; `straight` the storage's own, where devices reach that, else empty."""

    word: str
    straight: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Linked:
    """What a link leads to, and the place that may be promised for it."""

    artifact: Artifact
    promised: Promised


def link_to(artifact: Artifact, *, upgrade: Upgrade | None = None) -> Link:
    """A link that is good for `settings.DOWNLOAD_LINK_SECONDS`; for the device of this upgrade, if it is for one."""
    seconds = settings.DOWNLOAD_LINK_SECONDS
    return Link(
        word=signing.dumps(f"{_said(artifact, upgrade)} {transfers.name}", salt=SALT),
        straight=signed_address(str(artifact.file.name), seconds=seconds)
        if settings.DEVICES_REACH_STORAGE
        else "",
        until=clock.now() + timedelta(seconds=seconds),
    )


def keep_place_for(upgrade: Upgrade, artifact: Artifact) -> None:
    """The device that is told a link to the artifact now will be sent it, by all we know; else PortalBusy or StorageUnavailable.

    Nothing is known of a storage that the device reaches itself.
    """
    if settings.DEVICES_REACH_STORAGE and gives_addresses():
        return
    require_not_failed(str(artifact.file.name))
    transfers.promise(_said(artifact, upgrade))


def linked(word: str) -> Linked:
    """What the link is for. LinkExpired when it is too old, or not one of ours."""
    try:
        said: str = signing.loads(word, salt=SALT, max_age=settings.DOWNLOAD_LINK_SECONDS)
        to, _, by = said.rpartition(" ")
        to = to or said  # of a version that said no more than the artifact
        artifact = Artifact.objects.get(pk=UUID(to.partition(" ")[0]))
    except (signing.BadSignature, ValueError, Artifact.DoesNotExist):
        raise LinkExpired("This link is not good any more.") from None
    return Linked(artifact, Promised(to=to, by=by))


def _said(artifact: Artifact, upgrade: Upgrade | None) -> str:
    """What a link is for, which is also to whom its place is promised."""
    return f"{artifact.pk} {upgrade.pk}" if upgrade else str(artifact.pk)
