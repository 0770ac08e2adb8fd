"""Rows for tests of module updates: instances as an installation leaves them, and upgrades that ended, without a device."""

from __future__ import annotations

from devices.models import Device
from portal.core import clock
from portal.core.actors import Actor
from tests.environment.index_server import package
from tests.journal.rows import brought_to, held, new_device
from tests.services.people import somebody
from updates.journal import DatabaseJournal
from updates.machine import Event, Outcome, State
from updates.models import (
    Check,
    ImageCheck,
    Installation,
    Instance,
    Module,
    ModuleOrder,
    Repository,
    Upgrade,
)
from updates.services.module_choice import Wanted
from updates.services.module_updates import order_module

SOURCE = "ghcr.io/nethserver/mymodule"
OLD, NEW = f"{SOURCE}:1.0.0", f"{SOURCE}:1.1.0"
OLD_DIGEST, NEW_DIGEST = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
IMAGES = [NEW, "redis:7"]
PERMISSIONS = ("order_module", "change_installation", "cancel_upgrade", "retry_upgrade")


def new_instance(
    name: str = "mymodule1", *, device: Device | None = None, source: str = SOURCE, **made: object
) -> Instance:
    """An instance with version 1.0.0 of the module of `source`."""
    module, _ = Module.objects.get_or_create(
        name=source.rpartition("/")[2], defaults={"source": source}
    )
    instance = Instance.objects.create(
        module=module, device=device or new_device(f"host-of-{name}"), name=name, version="1.0.0"
    )
    Installation.objects.create(
        **{
            "instance": instance, "image": f"{source}:1.0.0", "image_id": f"sha256:{'a' * 64}",
            "digest": OLD_DIGEST, "user": name, "install_dir": f"/home/{name}/.config",
        } | made
    )  # fmt: skip
    return instance


def operator(*more: str) -> Actor:
    """Somebody who may update modules, and `more`."""
    return somebody("olga", *PERMISSIONS, *more)


def order(
    *instances: Instance, actor: Actor | None = None, image: str = NEW, **words: bool
) -> ModuleOrder:
    """Version 1.1.0 for these instances."""
    wanted = Wanted(image=image, instances=instances, **words)
    return order_module(wanted, actor=actor or operator(), reason="It is time")


def image_checked(
    instance: Instance, verdict: Check.Verdict = Check.Verdict.REFUSED, **found: object
) -> ImageCheck:
    """A check of version 1.1.0 on the instance that is over; `found` are more of its fields."""
    says = "It wants core 4.0.0 or newer, and this is 3.0.0."
    findings = [
        {"what": "commands", "ok": True, "says": "It has what we need."},
        {"what": "min-core", "ok": verdict != Check.Verdict.REFUSED, "says": says},
    ]
    made = instance.installation
    return ImageCheck.objects.create(
        **{
            "image": NEW, "instance": instance, "verdict": verdict, "findings": findings,
            "digest": NEW_DIGEST, "installed": made.image, "installed_id": made.image_id,
            "requested_by_name": "olga", "requested_at": clock.now(), "checked_at": clock.now(),
        } | found
    )  # fmt: skip


def upgrade_of(instance: Instance) -> Upgrade:
    """The newest one."""
    return Upgrade.objects.filter(instance=instance).latest("created_at")


def succeeded(upgrade: Upgrade, *, image: str = NEW, version: str = "1.1.0") -> Upgrade:
    """The upgrade ended well, with this image in force; without one it was an uninstall."""
    journal = held(upgrade)
    brought_to(State.COMMITTED, journal)
    journal.remember(
        "installed",
        {
            "image": image, "image_id": f"sha256:{'b' * 64}" if image else "",
            "digest": NEW_DIGEST if image else "", "version": version,
            "images": IMAGES if image else [],
        },
    )  # fmt: skip
    return over(upgrade, journal, Outcome.SUCCEEDED)


def failed(upgrade: Upgrade) -> Upgrade:
    """The upgrade failed before it had changed anything."""
    journal = held(upgrade)
    brought_to(State.DOWNLOADING, journal).take(Event.FAILED)
    return over(upgrade, journal, Outcome.FAILED)


def rolled_back(upgrade: Upgrade) -> Upgrade:
    journal = held(upgrade)
    brought_to(State.ROLLING_BACK, journal)
    return over(upgrade, journal, Outcome.ROLLED_BACK)


def broke(upgrade: Upgrade) -> Upgrade:
    journal = held(upgrade)
    brought_to(State.ROLLING_BACK, journal).take(Event.FAILED)
    return over(upgrade, journal, Outcome.BROKEN)


def over(upgrade: Upgrade, journal: DatabaseJournal, outcome: Outcome) -> Upgrade:
    """The upgrade ends as it has to from where it is."""
    while journal.state is not State.FINISHED:
        journal.take(Event.DONE)
    upgrade.refresh_from_db()
    assert upgrade.outcome == outcome
    return upgrade


def publish(*tags: str, source: str = SOURCE, name: str = "own", **labels: str) -> Repository:
    """A repository whose index was fetched, with these versions of the module; `labels` are the newest one's."""
    entry = package(source.rpartition("/")[2], *tags) | {"source": source}
    entry["docs"]["relnotes_url"] = f"https://{source}/releases"
    entry["versions"][-1]["labels"] = labels
    return Repository.objects.create(
        name=name, url=f"https://{name}.example", index=[entry], packages=1, added_at=clock.now(),
        fetched_at=clock.now(),
    )  # fmt: skip
