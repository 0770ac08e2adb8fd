"""Every address of the portal that answers a GET, from the URL configuration: a new page is measured without being named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode

from django.apps import apps
from django.db.models import Model
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from devices.models import Credential, Device, DeviceGroup
from portal.core.models import AuditEvent
from updates.machine import Outcome, State
from updates.models import Artifact, Deployment, UpdateModule, Upgrade

Resolved = URLPattern | URLResolver


@dataclass(frozen=True, slots=True)
class Address:
    """`name` says which page it is and of what; `url` is where."""

    name: str
    url: str


LEFT_OUT: Final = frozenset({"admin:logout", "admin:view_on_site", "admin:login"})
"""They end or begin a visit, or lead elsewhere."""

NOUNS: Final[dict[str, type[Model]]] = {
    "artifacts": Artifact,
    "artifact-checks": Artifact,
    "update-modules": UpdateModule,
    "devices": Device,
    "device-groups": DeviceGroup,
    "device-group-members": DeviceGroup,
    "credentials": Credential,
    "deployments": Deployment,
    "upgrades": Upgrade,
    "audit-events": AuditEvent,
}
"""What the API's addresses are about; the admin's say it themselves."""

QUERIES: Final[dict[str, tuple[dict[str, Any], ...]]] = {
    "admin:updates_upgrade_changelist": tuple(
        words | {"days": "all"}
        for words in (
            {},
            {"outcome": "broken"},
            {"outcome": "succeeded"},
            {"state": "pending"},
            {"active": "true"},
            {"active": "false"},
            {"q": "berlin-gateway-000100"},
            {"q": "berlin"},
            {"q": "OPS-10100"},
            {"q": "timed out"},
            {"q": "no such words"},
            {"requested_by": "person03"},
            {"requested_by": "nobody"},
            {"device": "berlin-gateway-000001"},
            {"group": "1"},
            {"group": "5"},
            {"group": "15"},
            {"older": "20260301T000000.000000-00000000000000000000000000000000"},
        )
    ),
    "admin:devices_device_changelist": (
        {"q": "000100"},
        {"q": "berlin"},
        {"q": "no such words"},
        {"device_type": "gateway"},
        {"device_type": "router"},
        {"installed": "no such artifact"},
        {"unreachable": "true"},
        {"inconsistent": "true"},
        {"silent_days": "7"},
        {"group": "1"},
        {"group": "5"},
    ),
    "admin:updates_deployment_changelist": ({"q": "gateway"},),
    "admin:updates_artifact_changelist": ({"q": "gateway-1"},),
    "admin:core_auditevent_changelist": (
        {"q": "OPS-1234"},
        {"q": "no such words"},
        {"action": "upgrade.retry"},
    ),
    "admin:updates_deployment_change": ({"show": "succeeded"}, {"show": "broken"}, {"page": "3"}),
    "admin:updates_artifact_change": ({"checks": "3000"},),
    "admin:autocomplete": (
        {
            "term": "berlin",
            "app_label": "devices",
            "model_name": "devicegroup",
            "field_name": "members",
        },
        {
            "term": "1.2",
            "app_label": "updates",
            "model_name": "upgrade",
            "field_name": "artifact",
        },
    ),
    "admin:search": ({"s": "berlin-gateway"},),
    "upgrades-list": (
        {"outcome": "broken"},
        {"outcome": "succeeded"},
        {"state": "pending"},
        {"active": "true"},
        {"active": "false"},
        {"device": "berlin-gateway-000001"},
        {"requested_by": "person03"},
        {"kind": "artifact"},
        {"q": "berlin-gateway-000100"},
        {"q": "OPS-10100"},
        {"q": "no such words"},
        {"limit": "200"},
    ),
    "devices-list": (
        {"q": "000100"},
        {"q": "no such words"},
        {"device_type": "router"},
        {"installed": "no such artifact"},
        {"unreachable": "true"},
        {"unreachable": "false"},
        {"group": "1"},
        {"group": "5"},
    ),
    "audit-events-list": (
        {"actor": "person03"},
        {"actor": "nobody"},
        {"action": "upgrade.retry"},
    ),
}
"""What people ask lists for: something frequent, something rare, something that is not there, a page far down."""


def addresses() -> Iterator[Address]:
    """Each page, for a row of each sort that it can be about, and with each query that people ask of it."""
    for name, words in _names(get_resolver().url_patterns):
        if name in LEFT_OUT:
            continue
        for label, value in _examples(name, words):
            url = _reverse(name, dict.fromkeys(words, value))
            if url is None:
                continue
            title = f"{name} ({label})" if label else name
            yield Address(title, url)
            for query in (*QUERIES.get(name, ()), *_recent(name)):
                text = urlencode(query, doseq=True)
                yield Address(f"{title} ?{_shown(text)}", f"{url}?{text}")


def _names(
    patterns: Sequence[Resolved], *, namespace: str = "", before: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each named address with the words in it that have to be filled."""
    seen = set()
    for pattern in patterns:
        words = (*before, *pattern.pattern.regex.groupindex)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _names(pattern.url_patterns, namespace=inner, before=words)
        elif pattern.name and (pattern.name, words) not in seen:
            seen.add((pattern.name, words))
            yield f"{namespace}{pattern.name}", words


def _examples(name: str, words: tuple[str, ...]) -> list[tuple[str, Any]]:
    """Rows for the words of an address, each with what is special about it."""
    if not words:
        return [("", None)]
    if words == ("app_label",):
        return [("", "updates")]
    if words == ("form",):
        return [("", "csv")]
    model = _model(name, words)
    return list(_rows(model).items()) if model else []


def _model(name: str, words: tuple[str, ...]) -> type[Model] | None:
    if "device" in words:
        return Device
    if not name.startswith("admin:"):
        nouns = [noun for noun in NOUNS if name.startswith(f"{noun}-")]
        return NOUNS[max(nouns, key=len)] if nouns else None
    app, _, rest = name.removeprefix("admin:").partition("_")
    try:
        return apps.get_model(app, rest.partition("_")[0])
    except LookupError:
        return None


def forget_rows() -> None:
    """The rows that addresses are made of are looked up anew."""
    _rows.cache_clear()


@cache
def _rows(model: type[Model]) -> dict[str, Any]:
    """The primary keys of rows that are dear to show. The history is looked through once, so this takes a while."""
    choose: dict[type[Model], Callable[[], dict[str, Any]]] = {
        Upgrade: _upgrades,
        Deployment: _deployments,
        Artifact: _artifacts,
        DeviceGroup: _groups,
        Device: lambda: {"": Device.objects.values_list("pk", flat=True)[1000:1001].first()},
    }
    found = choose[model]() if model in choose else {"": _first(model)}
    return {label: pk for label, pk in found.items() if pk is not None}


def _first(model: type[Model]) -> Any:  # noqa: ANN401 - a key of whatever kind
    return model._default_manager.order_by("pk").values_list("pk", flat=True).first()


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
    largest = Deployment.objects.order_by("created_at").values_list("artifact", flat=True).first()
    return {"all devices checked": most_checked, "all devices upgraded": largest}


def _groups() -> dict[str, Any]:
    groups = DeviceGroup.objects.order_by("name").values_list("pk", flat=True)
    return {
        "static": groups.filter(kind=DeviceGroup.Kind.STATIC).first(),
        "dynamic": groups.filter(kind=DeviceGroup.Kind.DYNAMIC).first(),
    }


def _recent(name: str) -> tuple[dict[str, str], ...]:
    day = timezone.now().date().isoformat()
    if name == "upgrades-list":
        return ({"since": f"{day}T00:00:00Z"}, {"until": "2020-01-01T00:00:00Z"})
    if name == "admin:updates_upgrade_changelist":
        artifact = _artifacts()["all devices upgraded"]
        return (
            {"since": day},
            {"days": "7", "outcome": "failed"},
            {"days": "all", "artifact": str(artifact)},
        )
    return ()


def _shown(query: str) -> str:
    return query if len(query) <= 48 else f"{query[:47]}…"


def _reverse(name: str, words: dict[str, Any]) -> str | None:
    """None when the address takes something else than the row, as Django's fallback for unknown ones does."""
    try:
        return reverse(name, kwargs=words)
    except NoReverseMatch:
        return None
