"""The front page's numbers: what runs, what ended how, what needs a person."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from devices.models import Device
from portal.core.pages import Button, why_not_permitted
from updates.machine import ACTIVE, Outcome, State
from updates.models import Artifact, Upgrade
from updates.queries import history

SHOWN = 10
DAYS = 30


def add_numbers(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of the front page, with numbers for those who may see upgrades."""
    user = request.user
    if not (isinstance(user, User) and user.has_perm("updates.view_upgrade")):
        return context | {"title": "Overview", "may_see": False}
    since = timezone.now() - timedelta(days=DAYS)
    ended = Counter(
        dict(
            Upgrade.objects.filter(finished_at__gte=since)
            .values_list("outcome")
            .annotate(Count("pk"))
            .order_by()
        )
    )
    waiting = Upgrade.objects.filter(state=State.PENDING).count()
    running = Upgrade.objects.filter(state__in=ACTIVE).count()
    return context | {
        "title": "Overview",
        "may_see": True,
        "buttons": _buttons(request),
        "days": DAYS,
        "counts": [
            {"word": "waiting", "count": waiting, "query": "state=pending&days=all"},
            {"word": "running", "count": running, "query": _states(ACTIVE)},
            *(
                {
                    "word": word.value,
                    "count": ended[word.value],
                    "query": f"outcome={word.value}",
                }
                for word in Outcome
            ),
        ],
        "running_upgrades": history().filter(state__in=ACTIVE)[:SHOWN],
        "broken": _broken(),
        "latest": history().filter(state=State.FINISHED).order_by("-finished_at")[:SHOWN],
        "devices": Device.objects.count(),
        "unreachable": Device.objects.exclude(unreachable_reason="").count(),
        "artifacts": Artifact.objects.count(),
    }


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
            why_not=why_not_permitted(request, "updates.deploy_artifact"),
        ),
        Button("History", reverse("admin:updates_upgrade_changelist")),
    ]


def _broken() -> list[Upgrade]:
    """Upgrades that left a device in between, as long as nothing good was done to that device since."""
    inconsistent = Device.objects.filter(provides__artifact_name__endswith="_INCONSISTENT")
    return list(
        history()
        .filter(device__in=inconsistent, outcome=Outcome.BROKEN, state=State.FINISHED)
        .order_by("-finished_at")[:SHOWN]
    )


def _states(states: frozenset[State]) -> str:
    return "&".join([*(f"state={state.value}" for state in sorted(states)), "days=all"])
