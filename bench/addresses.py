"""Every address of the portal that answers a GET, from the URL configuration: a new page is measured without being named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from bench.examples import examples, largest_deployment, picked_by
from devices.models import DeviceGroup

Resolved = URLPattern | URLResolver


@dataclass(frozen=True, slots=True)
class Address:
    """`name` says which page it is and of what; `url` is where."""

    name: str
    url: str


LEFT_OUT: Final = {
    "admin:login": "it begins a visit",
    "admin:logout": "it ends one",
    "admin:view_on_site": "it leads elsewhere",
    "admin:updates_artifact_download": "it sends a file, and takes as long as the storage does",
    "artifacts-file": "it sends a file, and takes as long as the storage does",
    "mender_download": "it sends a file, and takes as long as the storage does",
    "mender_artifact": "it answers whoever shows a token, and not the visitor",
    "django_rq:worker_details": "it is about a worker, and none runs",
    "django_rq:result_detail": "it is about a result, and no worker has made one",
    "django_rq:cron_scheduler_detail": "it is about RQ's own scheduler of recurring jobs, which nobody here uses",
    "django_rq:cron_job_detail": "it is about RQ's own scheduler of recurring jobs, which nobody here uses",
}
"""What is not measured, and why."""

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
            {"payload_type": "rootfs-image"},
            {"payload_type": "no such type"},
            {"device": "berlin-gateway-000001"},
            {"q": "shop-00010"},
            {"module": "wiki"},
            {"module": "shop"},
            {"release": "no such release"},
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
        {"outdated": "true"},
        {"outdated": "false"},
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
    "admin:updates_imageremoval_remove": ({"image": "docker.io/library/redis:7"},),
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


class NoExample(LookupError):
    """Addresses of which nobody has said what to put into them: to be added in `bench/examples.py`."""


def addresses(visitor: User) -> list[Address]:
    """Each page, for a row of each sort that it can be about, and with each query that people ask of it.

    `visitor` asks, who has been given rows of their own. NoExample when a page would be forgotten.
    """
    found: list[Address] = []
    forgotten: list[str] = []
    needed = {
        "admin:devices_device_bulk": picked_by(visitor),
        "admin:devices_authset_accept": {"everything": "on"},
        "admin:devices_authset_reject_many": {"everything": "on"},
        "admin:devices_authset_dismiss_many": {"everything": "on"},
    }
    for name, words in _names(get_resolver().url_patterns):
        if name in LEFT_OUT:
            continue
        given = examples(name, words)
        if not given:
            forgotten.append(name)
        for label, values in given:
            title = f"{name} ({label})" if label else name
            found += _asked(name, title, reverse(name, kwargs=values), needed.get(name, {}))
    if forgotten:
        raise NoExample(f"Nothing is known to ask these addresses for: {', '.join(forgotten)}")
    return found


def _asked(name: str, title: str, url: str, always: dict[str, str]) -> Iterator[Address]:
    """The address by itself, then with each query. Without the words `always` it would show nothing."""
    yield Address(title, f"{url}?{urlencode(always)}" if always else url)
    for query in (*QUERIES.get(name, ()), *_recent(name)):
        shown = _shown(urlencode(query, doseq=True))
        yield Address(f"{title} ?{shown}", f"{url}?{urlencode(_with_group(query), doseq=True)}")


def _with_group(query: dict[str, Any]) -> dict[str, Any]:
    """`group` is the how-manieth it is; with fewer of them the last."""
    if "group" not in query:
        return query
    groups = list(DeviceGroup.objects.order_by("pk").values_list("pk", flat=True))
    return {**query, "group": groups[min(int(query["group"]), len(groups)) - 1]}


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


def _recent(name: str) -> tuple[dict[str, str], ...]:
    day = timezone.now().date().isoformat()
    if name == "upgrades-list":
        return ({"since": f"{day}T00:00:00Z"}, {"until": "2020-01-01T00:00:00Z"})
    if name == "admin:updates_upgrade_changelist":
        artifact = largest_deployment("artifact")
        return (
            {"since": day},
            {"days": "7", "outcome": "failed"},
            {"days": "all", "artifact": str(artifact)},
        )
    return ()


def _shown(query: str) -> str:
    return query if len(query) <= 48 else f"{query[:47]}…"
