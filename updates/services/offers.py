"""What the repositories offer: which instances could have something newer, and what it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from django.conf import settings

from devices.drivers.references import Reference, parse_reference
from devices.errors import BadReference
from updates.formats.available import Available, Published, updates_for
from updates.machine import State
from updates.models import Installation, Upgrade


@dataclass(frozen=True, slots=True)
class Offer:
    """One instance that could have a newer version. One that is held has it offered all the same, with the reason.

    `busy` is the state of an upgrade of it that is not over, in words; empty when there is none.
    """

    installation: int
    instance: int
    name: str
    module: int
    source: str
    installed: str
    version: str
    held_why: str
    busy: str

    @property
    def image(self) -> str:
        return f"{self.source}:{self.version}"


def offers(
    packages: Mapping[str, Published],
    *,
    instances: Collection[str] | None = None,
    modules: Collection[str] | None = None,
) -> Iterator[Offer]:
    """For each installed instance that can be updated in one step, by name. Where both filters are given, both hold."""
    found = Installation.objects.filter(uninstalled_at=None).exclude(image="")
    if instances is not None:
        found = found.filter(instance__name__in=instances)
    if modules is not None:
        found = found.filter(instance__module__name__in=modules)
    rows = found.order_by("instance__name").values_list(
        "pk", "instance_id", "instance__name", "instance__module_id", "image", "skipped", "held_why"
    )
    busy = _busy()
    # Thousands are alike, and those that are get the same answer.
    known: dict[tuple[str, tuple[str, ...]], Available] = {}
    for pk, instance, name, module, image, skipped, held_why in rows.iterator():
        reference = _reference(image)
        if reference is None:
            continue
        alike = (image, tuple(skipped))
        if alike not in known:
            known[alike] = available(reference, packages, skipped=skipped)
        if version := known[alike].update:
            yield Offer(
                installation=pk, instance=instance, name=name, module=module,
                source=reference.repository, installed=reference.tag, version=version,
                held_why=held_why, busy=busy.get(instance, ""),
            )  # fmt: skip


def available(
    reference: Reference, packages: Mapping[str, Published], *, skipped: Collection[str] = ()
) -> Available:
    """What an instance of this image could have, but for the versions that are skipped there."""
    source = reference.repository
    if (entry := packages.get(source)) is not None and skipped:
        versions = tuple(row for row in entry.package.versions if row.tag not in skipped)
        package = replace(entry.package, versions=versions)
        packages = {source: replace(entry, package=package)}
    return updates_for(source, reference.tag, packages, core_version=settings.MODULE_CORE_VERSION)


def _busy() -> dict[int, str]:
    rows = Upgrade.objects.exclude(state=State.FINISHED).exclude(instance=None)
    return {
        pk: state.replace("_", " ") for pk, state in rows.values_list("instance_id", "state") if pk
    }


def _reference(image: str) -> Reference | None:
    try:
        return parse_reference(image).tagged()
    except BadReference:
        return None
