"""Which instances may get a module image, and why the others may not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from devices.drivers.references import Reference, parse_reference
from devices.errors import BadReference
from portal.core.errors import Refused
from updates.machine import State
from updates.models import Installation, Instance, Upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A module image for instances, in this order.

    `force` pulls what is there already and runs the scripts of the version that is there already. `overrides` passes over what
    the names and the check say. With `canary` the first has to succeed before the others start; with `stops_at_failure`
    those that have not begun are cancelled when one fails.
    """

    image: str
    instances: Sequence[Instance]
    force: bool = False
    overrides: bool = False
    canary: bool = False
    stops_at_failure: bool = False


@dataclass(slots=True)
class Choice:
    """Who would get it: `notes` says what is special about one, by its name; `left_out` is (instance, reason)."""

    takes: list[Instance] = field(default_factory=list)
    left_out: list[tuple[Instance, str]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    busy: Upgrade | None = None


def choose_instances(wanted: Wanted) -> Choice:
    """As everything is now. No effect. Refused when the image's name is none.

    One that is named alone is not held back by a hold or by a version that is skipped there: whoever names it means it.
    """
    image, choice = image_of(wanted.image), Choice()
    alone = len(wanted.instances) == 1
    installations = _installations(wanted.instances)
    unfinished = unfinished_upgrades(wanted.instances)
    for instance in wanted.instances:
        made, busy = installations.get(instance.pk), unfinished.get(instance.pk)
        reluctant = _why_not_offered(made, image) if made else ""
        why_not = why_not_updatable(instance, made) or (
            "" if wanted.overrides else _why_other_image(instance, made, image)
        )
        if not why_not and busy is not None:
            why_not = f"It is busy: {busy} is {_word(busy)}."
            choice.busy = busy
        if not why_not and not alone:
            why_not = reluctant
        if why_not:
            choice.left_out.append((instance, why_not))
            continue
        choice.takes.append(instance)
        if reluctant:
            choice.notes[instance.name] = f"{reluctant} It gets it all the same, for it is named."
    return choice


def image_of(text: str) -> Reference:
    """The image that is meant. Refused with what is wrong when `text` is no name of one."""
    if why_not := why_not_image(text):
        raise Refused(why_not)
    return parse_reference(text.strip()).tagged()


def why_not_image(text: str) -> str:
    """Empty when `text` names an image, else the sentence why not."""
    try:
        parse_reference(text.strip())
    except BadReference as error:
        return str(error)
    return ""


def name_of(image: Reference) -> str:
    """What a module is called by its image: the last part of its path."""
    return image.path.rpartition("/")[2]


def version_of(image: Reference) -> str:
    """What the image's name says of its version: the tag, or the digest where there is none."""
    return image.tag or image.digest


def why_not_updatable(instance: Instance, made: Installation | None) -> str:
    """Empty when the instance stands there as a module image has installed it, else the sentence why not."""
    if made is None:
        return "It was not installed from a module image; take it under control first."
    if made.uninstalled_at is not None:
        return "It is uninstalled."
    if not made.image:
        return "Its installation has not succeeded yet: retry that."
    return ""


def unfinished_upgrades(instances: Iterable[Instance]) -> Mapping[int, Upgrade]:
    """What runs on each of these instances or waits for it, by the instance's id; the oldest of several."""
    rows = (
        Upgrade.objects.filter(instance__in=list(instances))
        .exclude(state=State.FINISHED)
        .select_related("device", "instance")
        .order_by("-created_at")
    )
    return {row.instance_id: row for row in rows if row.instance_id is not None}


def why_held(made: Installation) -> str:
    """What somebody reads who wants to update it, or wanted to."""
    return f"It is held: {made.held_why}"


def _installations(instances: Iterable[Instance]) -> dict[int, Installation]:
    rows = Installation.objects.filter(instance__in=list(instances))
    return {row.instance_id: row for row in rows}


def _why_not_offered(made: Installation, image: Reference) -> str:
    if made.is_held:
        return why_held(made)
    if version_of(image) in made.skipped:
        return f"Version {version_of(image)} is skipped there."
    return ""


def _why_other_image(instance: Instance, made: Installation | None, image: Reference) -> str:
    source = instance.module.source or (made.image if made else "")
    known = name_of(image_of(source)) if source else instance.module.name
    if known == name_of(image):
        return ""
    return f"It is an instance of {known}, and the image is one of {name_of(image)}."


def _word(upgrade: Upgrade) -> str:
    return upgrade.state.replace("_", " ")
