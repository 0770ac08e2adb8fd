"""What an address can be about: rows of each kind, the ones that are dear to show among them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from axes.models import AccessAttempt
from django.apps import apps
from django.contrib.auth.models import User
from django.db.models import Count, Model
from django_rq import get_connection
from rq import Queue

from devices.models import (
    AuthSet,
    BulkOrder,
    Credential,
    Device,
    DeviceGroup,
    EngineAccess,
    RegistryLogin,
    StoredImport,
    StoredSelection,
)
from patches.models import Node, Patch, PatchCheck
from portal.core import clock
from portal.core.models import AuditEvent, SavedFilter
from updates.machine import Outcome, State
from updates.models import (
    Artifact,
    Backup,
    Check,
    Deployment,
    ImageCheck,
    ImageRemoval,
    Installation,
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

NOUNS: Final[dict[str, type[Model]]] = {
    "releases": Release,
    "artifacts": Artifact,
    "artifact-checks": Artifact,
    "trusted-keys": TrustedKey,
    "signing-keys": SigningKey,
    "update-modules": UpdateModule,
    "update-module-checks": UpdateModule,
    "devices": Device,
    "device-keys": AuthSet,
    "device-groups": DeviceGroup,
    "device-group-members": DeviceGroup,
    "bulk-orders": BulkOrder,
    "credentials": Credential,
    "engines": EngineAccess,
    "registry-logins": RegistryLogin,
    "modules": Module,
    "instances": Instance,
    "installations": Installation,
    "module-orders": ModuleOrder,
    "image-checks": ImageCheck,
    "backups": Backup,
    "image-removals": ImageRemoval,
    "watched-containers": WatchedContainer,
    "repositories": Repository,
    "nodes": Node,
    "patches": Patch,
    "patch-checks": PatchCheck,
    "deployments": Deployment,
    "upgrades": Upgrade,
    "seed-upgrade": Upgrade,
    "audit-events": AuditEvent,
}
"""What the API's addresses are about; the admin's say it themselves, but for these:"""

PAGES: Final[dict[str, type[Model]]] = {
    "devices_device_bulk_order": BulkOrder,
    "devices_device_bulk_order_live": BulkOrder,
    "devices_device_import_preview": StoredImport,
    "devices_device_drop_filter": SavedFilter,
}

WORDS: Final[dict[str, tuple[str, ...]]] = {
    "app_label": ("updates",),
    "form": ("csv",),
    "kind": ("single-file", "any"),
    "verb": ("refresh", "delete"),
    "queue_index": ("0",),
}
"""What stands in an address for something else than a row."""

ELSEWHERE: Final[dict[str, type[Model]]] = {
    "device": Device, "instance": Instance, "patch": Patch, "watched": WatchedContainer,
}  # fmt: skip
"""Words that name another row than the address is about: the first of its examples."""

IMPORTED: Final = 2000
FAILURES: Final = 200
ROW_1000: Final = slice(1000, 1001)

Words = dict[str, Any]


def examples(name: str, words: tuple[str, ...]) -> list[tuple[str, Words]]:
    """What to put into an address in place of its words, each time with what is special about it. Empty when nothing is known."""
    found: list[tuple[str, Words]] = [("", {})]
    for word in words:
        values = _values(name, word)
        found = [
            (" ".join(filter(None, (label, special))), given | {word: value})
            for label, given in found
            for special, value in values.items()
        ]
    return found


def forget_rows() -> None:
    """The rows that addresses are made of are looked up anew, and so is the job: its queue may have been emptied."""
    _rows.cache_clear()
    _job.cache_clear()


def give_own_rows(visitor: User) -> None:
    """What only its owner sees, and is there for a day: all devices picked, a file of devices, an order that failed for many,
    and a sign-in that went wrong (which is forgotten when somebody signs in after its time)."""
    now = clock.now()
    AccessAttempt.objects.get_or_create(
        username="nobody",
        ip_address="192.0.2.1",
        user_agent="",
        defaults={"path_info": "/login/", "failures_since_start": 1},
    )
    names = Device.objects.order_by("name").values_list("name", flat=True)[:IMPORTED]
    lines = ["name,device_type", *(f"{name},gateway" for name in names)]
    StoredSelection.objects.create(owner=visitor, created_at=now)
    StoredImport.objects.create(
        owner=visitor, name="fleet.csv", content="\n".join(lines).encode(), created_at=now
    )
    SavedFilter.objects.get_or_create(
        owner=visitor,
        place=SavedFilter.Place.DEVICES,
        name="Cameras",
        defaults={"query": "device_type=camera"},
    )
    ids = list(Device.objects.values_list("pk", flat=True))
    BulkOrder.objects.create(
        verb=BulkOrder.Verb.DELETE,
        ids=ids,
        total=len(ids),
        done=len(ids),
        failed=len(ids),
        failures=[[name, "It has a history."] for name in names[:FAILURES]],
        reason="Old ones",
        requested_by=visitor,
        requested_by_name=visitor.username,
        created_at=now,
        finished_at=now,
    )


def picked_by(visitor: User) -> dict[str, str]:
    """The words of the address without which the page for many devices shows nothing."""
    return {"selection": str(StoredSelection.objects.filter(owner=visitor).latest("created_at").pk)}


def _values(name: str, word: str) -> dict[str, Any]:
    """What can stand for `word`, by what is special about it."""
    if word in WORDS:
        return {value if len(WORDS[word]) > 1 else "": value for value in WORDS[word]}
    if word == "job_id":
        return {"": _job()}
    if word in ELSEWHERE:
        return dict(zip([""], _rows(ELSEWHERE[word]).values(), strict=False))
    model = _model(name)
    return _rows(model) if model else {}


def _model(name: str) -> type[Model] | None:
    if not name.startswith("admin:"):
        nouns = [noun for noun in NOUNS if name.startswith(f"{noun}-")]
        return NOUNS[max(nouns, key=len)] if nouns else None
    place = name.removeprefix("admin:")
    if place in PAGES:
        return PAGES[place]
    named = (model for model in apps.get_models() if place.startswith(f"{_label(model)}_"))
    return next(named, None)


def _label(model: type[Model]) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"


@cache
def _rows(model: type[Model]) -> dict[str, Any]:
    """The primary keys of rows that are dear to show. The history is looked through once, so this takes a while."""
    choose: dict[type[Model], Callable[[], dict[str, Any]]] = {
        Upgrade: _upgrades,
        Deployment: _deployments,
        Artifact: _artifacts,
        Release: _releases,
        DeviceGroup: _groups,
        Patch: _patches,
        PatchCheck: lambda: {"": _keys(PatchCheck).filter(patch=_patches()[""]).first()},
        Instance: _instances,
        Device: lambda: {"": _keys(Device)[ROW_1000].first() or _keys(Device).first()},
    }
    found = choose[model]() if model in choose else {"": _newest_or_first(model)}
    return {label: pk for label, pk in found.items() if pk is not None}


def _keys(model: type[Model]) -> Any:  # noqa: ANN401 - keys of whatever kind
    return model._default_manager.order_by("pk").values_list("pk", flat=True)


def _newest_or_first(model: type[Model]) -> Any:  # noqa: ANN401 - a key of whatever kind
    """Of what somebody made for a day there may be older ones, which are no good any more."""
    is_dated = any(field.name == "created_at" for field in model._meta.get_fields())
    return (_keys(model).order_by("-created_at") if is_dated else _keys(model)).first()


def _upgrades() -> dict[str, Any]:
    newest = Upgrade.objects.order_by("-created_at").values_list("pk", flat=True)
    return {
        "running": newest.filter(state=State.INSTALLING).first(),
        "waiting": newest.filter(state=State.PENDING).first(),
        "succeeded": newest.filter(outcome=Outcome.SUCCEEDED).first(),
        "rolled back": newest.filter(outcome=Outcome.ROLLED_BACK).first(),
    }


def _deployments() -> dict[str, Any]:
    newest = Deployment.objects.order_by("-created_at").values_list("pk", flat=True)
    return {"under way": newest.first(), "all devices": newest.last()}


def _artifacts() -> dict[str, Any]:
    for_all = Artifact.objects.filter(name__startswith="certificates-")
    most_checked = for_all.order_by("-uploaded_at").values_list("pk", flat=True).first()
    last_checked = Check.objects.order_by("-pk").values_list("artifact", flat=True).first()
    return {
        "all devices checked": most_checked or last_checked,
        "all devices upgraded": largest_deployment("artifact"),
    }


def _releases() -> dict[str, Any]:
    return {"all devices upgraded": largest_deployment("release")}


def largest_deployment(of: str) -> Any:  # noqa: ANN401 - a key of whatever kind
    """What the first deployment brought to the whole fleet: the key of its `artifact` or `release`."""
    return Deployment.objects.order_by("created_at").values_list(of, flat=True).first()


def _patches() -> dict[str, Any]:
    """The one that is checked on most instances."""
    most = Patch.objects.annotate(spread=Count("checks")).order_by("-spread")
    return {"": most.values_list("pk", flat=True).first()}


def _instances() -> dict[str, Any]:
    installed = Installation.objects.order_by("-pk").values_list("instance", flat=True)
    return {
        "with nodes": Node.objects.order_by("pk").values_list("instance", flat=True).first(),
        "installed": installed.first(),
    }


def _groups() -> dict[str, Any]:
    groups = DeviceGroup.objects.order_by("name").values_list("pk", flat=True)
    return {
        "static": groups.filter(kind=DeviceGroup.Kind.STATIC).first(),
        "dynamic": groups.filter(kind=DeviceGroup.Kind.DYNAMIC).first(),
    }


@cache
def _job() -> str:
    """A job that nobody takes."""
    queue = Queue("updates", connection=get_connection("updates"))
    return str(queue.enqueue("portal.core.clock.now").id)
