"""Releases: what their artifacts have in common, and whether they may be ordered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef

from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates.errors import ReleaseOverlap
from updates.models import Artifact, Deployment, Release, ReleaseTag, Upgrade
from updates.services.reasons import given_reason

TAG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
MOST_TAGS: Final = 20
LONGEST_NOTES: Final = 10_000


def release_for(artifact: Artifact, *, actor: Actor) -> Release:
    """The release of the artifact's name, made if there was none, and locked until the commit."""
    release, _ = Release.objects.get_or_create(
        name=artifact.name, defaults={"created_by": actor.user, "created_at": clock.now()}
    )
    return Release.objects.select_for_update().get(pk=release.pk)


def refuse_overlap(artifact: Artifact) -> None:
    """Nothing, or ReleaseOverlap when an artifact of this name could be for the same device."""
    for other in Artifact.objects.filter(name=artifact.name).exclude(pk=artifact.pk):
        if both := _both_for(artifact, other):
            raise ReleaseOverlap(
                f"The release {artifact.name} already has an artifact for {' and '.join(both)}: "
                "give this one another name, or other device types."
            )


def edit_release(
    *, release: Release, notes: str, tags: Iterable[str], actor: Actor, reason: str = ""
) -> Release:
    """The release has these notes and exactly these tags."""
    actor.require("updates.change_release")
    words = sorted({word.strip().lower() for word in tags if word.strip()})
    for word in words:
        if not TAG.fullmatch(word):
            raise Refused(
                "A tag is of letters, digits, dots, dashes and underscores, at most 40 of them."
            )
    if len(words) > MOST_TAGS:
        raise Refused(f"A release has at most {MOST_TAGS} tags.")
    if len(notes) > LONGEST_NOTES:
        raise Refused(f"Notes have at most {LONGEST_NOTES:,} characters.")
    with transaction.atomic():
        before = {"notes": release.notes, "tags": ", ".join(tags_of(release))}
        release.notes = notes.strip()
        after = {"notes": release.notes, "tags": ", ".join(words)}
        release.save(update_fields=["notes"])
        release.tags.set([ReleaseTag.objects.get_or_create(word=word)[0] for word in words])
        ReleaseTag.objects.filter(releases=None).delete()
        audit.record(
            actor=actor,
            action="release.change",
            subject=release,
            reason=reason.strip(),
            data={
                "changes": {
                    key: [before[key], after[key]] for key in after if before[key] != after[key]
                }
            },
        )
    return release


def tags_of(release: Release) -> list[str]:
    """Its tags, in order."""
    return [tag.word for tag in release.tags.all()]


def withdraw_release(*, release: Release, actor: Actor, reason: str) -> Release:
    """Nobody can order the release any more; what was ordered before goes on."""
    actor.require("updates.withdraw_release")
    why = given_reason(reason)
    with transaction.atomic():
        release = Release.objects.select_for_update().get(pk=release.pk)
        if release.withdrawn_at is not None:
            raise Refused(f"{release} is withdrawn already, by {release.withdrawn_by}.")
        release.withdrawn_at = clock.now()
        release.withdrawn_by, release.withdrawn_reason = actor.name, why
        release.save()
        audit.record(actor=actor, action="release.withdraw", subject=release, reason=why)
    return release


def restore_release(*, release: Release, actor: Actor, reason: str) -> Release:
    """A withdrawn release can be ordered again."""
    actor.require("updates.withdraw_release")
    why = given_reason(reason)
    with transaction.atomic():
        release = Release.objects.select_for_update().get(pk=release.pk)
        if release.withdrawn_at is None:
            raise Refused(f"{release} is not withdrawn.")
        release.withdrawn_at = None
        release.withdrawn_by = release.withdrawn_reason = ""
        release.save()
        audit.record(actor=actor, action="release.restore", subject=release, reason=why)
    return release


def delete_release(*, release: Release, actor: Actor, reason: str) -> None:
    """The release, its artifacts and their files are gone. Refused while the history needs one of them."""
    actor.require("updates.delete_artifact")
    why = given_reason(reason)
    with transaction.atomic():
        release = Release.objects.select_for_update().get(pk=release.pk)
        refuse_used(release)
        for artifact in release.artifacts.all():
            drop_artifact(artifact)
        audit.record(actor=actor, action="release.delete", subject=release, reason=why)
        release.delete()


def refuse_used(release: Release) -> None:
    """Nothing, or Refused when a deployment or an upgrade of it is in the history."""
    deployments = Deployment.objects.filter(release=OuterRef("pk"))
    upgrades = Upgrade.objects.filter(artifact__release=OuterRef("pk"))
    used = Release.objects.filter(Exists(deployments) | Exists(upgrades), pk=release.pk)
    if used.exists():
        raise Refused(why_it_stays(release))


def why_it_stays(release: Release) -> str:
    """The sentence for a release that the history needs."""
    return f"{release} is part of the history of devices, so it stays."


def drop_artifact(artifact: Artifact) -> None:
    """The row is gone, and once that is committed its file."""
    stored, storage = str(artifact.file.name), artifact.file.storage
    artifact.delete()
    transaction.on_commit(lambda: storage.delete(stored))


def _both_for(one: Artifact, other: Artifact) -> list[str]:
    """Device types for which both could be meant. A device has one value of each key, so that depends can tell them apart."""
    types = sorted(set(one.device_types) & set(other.device_types))
    ours, theirs = _selects(one), _selects(other)
    told_apart = any(not set(ours[key]) & set(theirs[key]) for key in ours.keys() & theirs.keys())
    return [] if told_apart else types


def _selects(artifact: Artifact) -> dict[str, list[str]]:
    """What a device must provide, but for its type: key and accepted values."""
    selects = {key: list(values) for key, values in artifact.depends.items()}
    if artifact.depends_names:
        selects["artifact_name"] = artifact.depends_names
    if artifact.depends_groups:
        selects["artifact_group"] = artifact.depends_groups
    return selects
