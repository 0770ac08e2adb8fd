"""The front page, and its panels that ask for news."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.paginator import Paginator
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseClientRefresh

from devices.models import AuthSet, Device
from patches.models import Application
from patches.queries import attention
from portal.core.pages import Button, mark_of, require, why_not_permitted
from portal.dashboard.pictures import Area, outcome_bars, version_areas
from portal.dashboard.works import parts
from portal.queue_pages import SEE_QUEUE
from updates import statistics
from updates.admin_views.order_page import shown_counts
from updates.admin_views.panel import Panel, polled
from updates.admin_views.stuck import TABS, tab_counts
from updates.machine import ACTIVE, Outcome, State
from updates.models import Deployment, Installation, Upgrade
from updates.progress import Standing, counts_of, that_stand
from updates.queries import Standstill, history, stuck_upgrades
from updates.services.offers import offers
from updates.services.repositories import catalogue
from updates.statistics import IN_BETWEEN

SHOWN: Final = 10
LATEST: Final = 6
SEE_NODES: Final = "patches.view_node"
SEE_DEPLOYMENTS: Final = "updates.view_deployment"
DEPLOY: Final = "updates.deploy_artifact"
WEEKS: Final = 8
SILENT_DAYS: Final = 7
KEPT_SECONDS: Final = 30
"""Aggregates over the whole fleet are counted this seldom, however many people look."""

Found = TypeVar("Found")


def add_numbers(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of the front page, with numbers for those who may see upgrades."""
    user = request.user
    if not (isinstance(user, User) and user.has_perm("updates.view_upgrade")):
        return context | {"title": "Overview", "may_see": False}
    installed = _kept("installed", _installed)
    return context | {
        "title": "Overview",
        "may_see": True,
        "buttons": _buttons(request),
        "tiles": _tiles(installed),
        "broken": _for_a_person(),
        "may_see_systems": user.has_perm(SEE_NODES),
        "may_see_deployments": user.has_perm(SEE_DEPLOYMENTS),
        "running": running_panel(),
        "installed": Paginator(installed, SHOWN).get_page(request.GET.get("versions", "1")),
        "most": max((row.count for row in installed), default=0),
        "why_not_deploy": why_not_permitted(request, DEPLOY),
    }


@polled("updates.view_upgrade")
def running_fragment(_request: HttpRequest) -> Panel:
    """What the front page polls: what runs and what has ended, when that changed."""
    return running_panel()


@require_GET
def deployments_fragment(request: HttpRequest) -> HttpResponse:
    """The newest deployments that are not over, and how far each is: by itself, as what running systems need a person for."""
    if not admin.site.has_permission(request):
        return HttpResponseClientRefresh()
    require(request, SEE_DEPLOYMENTS)
    running = that_stand(Deployment.objects.select_related("release"), Standing.RUNNING)
    found = list(running.defer("selection")[: SHOWN + 1])
    shown = found[:SHOWN]
    counted = counts_of(shown)
    context = {
        "deployments": [(row, shown_counts(row, counted[row.pk], is_short=True)) for row in shown],
        "is_more": len(found) > SHOWN,
        "running": f"{reverse('admin:updates_deployment_changelist')}?progress={Standing.RUNNING}",
    }
    return HttpResponse(render_to_string("admin/deployments.html", context))


@require_GET
def pictures_fragment(request: HttpRequest) -> HttpResponse:
    """The pictures of the last weeks: by themselves, so that the numbers need not wait for them."""
    if not admin.site.has_permission(request):
        return HttpResponseClientRefresh()
    require(request, "updates.view_upgrade")
    installed = _kept("installed", _installed)
    context = {"weeks": WEEKS, **_pictures(installed)}
    return HttpResponse(render_to_string("admin/pictures.html", context))


@require_GET
def works_fragment(request: HttpRequest) -> HttpResponse:
    """Whether the portal itself is well: by itself, because Redis may keep it waiting."""
    if not admin.site.has_permission(request):
        return HttpResponseClientRefresh()
    require(request, "updates.view_upgrade")
    context = {
        "parts": parts(),
        "may_see_queue": not why_not_permitted(request, SEE_QUEUE),
    }
    return HttpResponse(render_to_string("admin/works.html", context))


@require_GET
def systems_fragment(request: HttpRequest) -> HttpResponse:
    """What running systems need a person for: by itself, so that the front page asks the database no more than others."""
    if not admin.site.has_permission(request):
        return HttpResponseClientRefresh()
    require(request, SEE_NODES)
    waits, nodes = _kept("attention", attention), reverse("admin:patches_node_changelist")
    instances = reverse("admin:updates_instance_changelist")
    tiles = [
        _tile("Nodes to restart", waits["restart"], f"{nodes}?attention=restart", "bad"),
        _tile("Nodes with drift", waits["drift"], f"{nodes}?attention=drift", "bad"),
        _tile("Nodes away", waits["away"], f"{nodes}?attention=unreachable", "back"),
        _tile("Systems with a broken patch", waits["broken"], f"{instances}?patched=broken", "bad"),
    ]
    shown = tiles if waits["nodes"] else []
    if not why_not_permitted(request, "updates.view_installation"):
        shown += _module_tiles()
    return HttpResponse(render_to_string("admin/tiles.html", {"tiles": shown}))


def _module_tiles() -> list[dict[str, Any]]:
    """Instances of module images that could have something newer, where there are any instances at all."""
    numbers = _kept("modules", _module_numbers)
    if not numbers["installed"]:
        return []
    offered = reverse("admin:updates_installation_available")
    held = f"{reverse('admin:updates_installation_changelist')}?is_held__exact=1"
    return [
        _tile("Instances with an update", numbers["offered"], offered, "back"),
        _tile("Instances held", numbers["held"], held, ""),
    ]


def _module_numbers() -> dict[str, int]:
    there = Installation.objects.filter(uninstalled_at=None)
    return {
        "installed": there.count(),
        "held": there.filter(is_held=True).count(),
        "offered": sum(1 for _ in offers(catalogue())),
    }


def running_panel() -> Panel:
    """The upgrades that run now, and those that ended last."""
    html = render_to_string(
        "admin/running.html",
        {
            "running": history().filter(state__in=ACTIVE)[:SHOWN],
            "latest": history().filter(state=State.FINISHED).order_by("-finished_at")[:LATEST],
        },
    )
    return Panel(html, mark_of(html), is_waiting=True, url=f"{reverse('running')}?", seconds=5)


def _tiles(installed: list[statistics.Installed]) -> list[dict[str, Any]]:
    """A number, what it counts, and the list that it leads to."""
    standing = tab_counts(running=Q(state__in=ACTIVE), pending=Q(state=State.PENDING))
    running, stuck = standing["running"], reverse("admin:updates_upgrade_stuck")
    outdated = sum(row.count for row in installed if row.newest)
    broken = sum(row.count for row in installed if row.is_broken)
    asking = AuthSet.objects.filter(status=AuthSet.Status.PENDING).count()
    return [
        _tile("Running", running, _history(active="true"), "run" if running else ""),
        _tile("Waiting", standing["pending"], _history(state="pending"), ""),
        *(
            _tile(TABS[word].title, standing[word], f"{stuck}?kind={word}", look)
            for word, look in (("stuck", "bad"), ("held", "back"))
        ),
        _tile("Broken devices", broken, _devices(inconsistent="true"), "bad"),
        _tile("Ask to be let in", asking, reverse("admin:devices_authset_changelist"), "back"),
        _tile(
            "Unreachable",
            sum(row.unreachable for row in installed),
            _devices(unreachable="true"),
            "back",
        ),
        _tile(
            "Host keys to confirm",
            sum(row.unconfirmed for row in installed),
            _devices(to_confirm="true"),
            "back",
        ),
        _tile(
            f"Silent for {SILENT_DAYS} days",
            sum(row.silent for row in installed),
            _devices(silent_days=SILENT_DAYS),
            "back",
        ),
        _tile("Outdated", outdated, _devices(outdated="true"), "back"),
        _tile("Devices", sum(row.count for row in installed), _devices(), ""),
    ]


def _tile(word: str, count: int, url: str, look: str) -> dict[str, Any]:
    return {"word": word, "count": count, "url": url, "look": look if count else ""}


def _pictures(installed: list[statistics.Installed]) -> dict[str, Any]:
    """How upgrades ended and which versions the fleet had, over the last weeks."""
    now = timezone.localtime()
    first = (now - timedelta(weeks=WEEKS)).date()
    since = timezone.make_aware(datetime.combine(first, time.min))
    days = _kept("ended", lambda: statistics.ended_by_day(since))
    versions = _kept(
        "versions", lambda: statistics.versions_over_time(installed, weeks=WEEKS, now=now)
    )
    areas = version_areas(versions)
    totals = {
        outcome.value: sum(counts[outcome] for counts in days.values()) for outcome in Outcome
    }
    return {
        "bars": outcome_bars(days, first=first, last=now.date()),
        "totals": [
            {
                "word": word,
                "count": count,
                "url": _history(outcome=word, ended_since=first.isoformat()),
            }
            for word, count in totals.items()
        ],
        "areas": areas,
        "legend": [(area, _devices(**_words_for(area, areas.areas))) for area in areas.areas],
    }


def _words_for(area: Area, areas: list[Area]) -> dict[str, object]:
    """What the list of devices is asked for, to find those that the area stands for now."""
    if not area.is_rest:
        return _having(area.name)
    named = {area.name for area in areas if not area.is_rest}
    words: dict[str, object] = {"other_than": "\n".join(sorted(named - {"", IN_BETWEEN}))}
    if "" in named:
        words["nothing_known"] = "false"
    if IN_BETWEEN in named:
        words["inconsistent"] = "false"
    return words


def _having(version: str) -> dict[str, object]:
    if version == IN_BETWEEN:
        return {"inconsistent": "true"}
    return {"installed": version} if version else {"nothing_known": "true"}


def _installed() -> list[statistics.Installed]:
    return statistics.installed(silent_since=timezone.now() - timedelta(days=SILENT_DAYS))


def _kept(name: str, count: Callable[[], Found]) -> Found:
    return cast(Found, cache.get_or_set(f"front-page:{name}", count, KEPT_SECONDS))


def _history(**words: object) -> str:
    return f"{reverse('admin:updates_upgrade_changelist')}?{urlencode(words | {'days': 'all'})}"


def _devices(**words: object) -> str:
    address = reverse("admin:devices_device_changelist")
    return f"{address}?{urlencode(words)}" if words else address


def _buttons(request: HttpRequest) -> list[Button]:
    return [
        Button(
            "Upload artifact",
            reverse("admin:updates_artifact_upload"),
            why_not=why_not_permitted(request, "updates.upload_artifact"),
            is_main=True,
        ),
        Button(
            "Deploy artifact",
            reverse("admin:updates_deployment_deploy"),
            why_not=why_not_permitted(request, DEPLOY),
        ),
        Button("History", reverse("admin:updates_upgrade_changelist")),
    ]


def _for_a_person() -> list[Upgrade]:
    """Upgrades that wait for a commit; then those that left something in between, with nothing good done since."""
    inconsistent = Device.objects.filter(provides__artifact_name__endswith=statistics.INCONSISTENT)
    broken = Upgrade.objects.filter(
        device__in=inconsistent, outcome=Outcome.BROKEN, state=State.FINISHED
    )
    held = stuck_upgrades(Standstill.HELD)
    patches = Application.objects.filter(standing=Application.Standing.BROKEN)
    either = (
        held.order_by()
        .values("pk")
        .union(broken.order_by().values("pk"), patches.order_by().values("upgrade"))
    )
    newest = F("finished_at").desc(nulls_first=True)
    return list(history().filter(pk__in=either).order_by(newest)[:SHOWN])
