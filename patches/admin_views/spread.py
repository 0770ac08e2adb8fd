"""Where a patch stands: each instance of its module with what its nodes answered, and what can be done there now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_POST

from patches.admin_views.results import Shown, shown
from patches.models import Node, NodeResult, Patch
from patches.queries import instances_for
from patches.services.applicable import Facts, facts_of, why_not_applicable
from patches.services.patch_checks import request_patch_checks
from portal.core.actors import actor_of
from portal.core.errors import Refused
from portal.core.pages import Button, mark_of, require, why_not_permitted
from updates.admin_views.panel import Panel, polled
from updates.models import Instance

PAGE: Final = 10
SHOWN_NODES: Final = 12
MOST_AT_ONCE: Final = 200
OVERRIDE: Final = "patches.override_patch"


@dataclass(frozen=True, slots=True)
class NodeLine:
    """What one node answered, in a line."""

    result: NodeResult
    status: Shown | None


@dataclass(frozen=True, slots=True)
class Standpoint:
    """One instance: the facts, what nodes answered so far (the worst first), and the buttons."""

    facts: Facts
    integral: Shown | None
    nodes: list[NodeLine]
    more: int
    counts: list[tuple[Shown, int]]
    is_over: bool
    answered: int
    buttons: list[Button]


def spread_panel(request: HttpRequest, patch: Patch) -> Panel:
    """A page of the module's instances, those of the patch's version first."""
    number = _number(request.GET.get("page", ""))
    found = list(instances_for(patch)[(number - 1) * PAGE : number * PAGE + 1])
    rows = standpoints(request, patch, found[:PAGE])
    html = render_to_string(
        "patches/spread.html",
        {
            "patch": patch,
            "rows": rows,
            "before": number - 1,
            "after": number + 1 if len(found) > PAGE else 0,
            "why_no_check": why_no_check(request, patch),
            "most": MOST_AT_ONCE,
        },
    )
    url = reverse("admin:patches_patch_spread", args=[patch.pk])
    return Panel(
        html,
        mark_of(html),
        is_waiting=any(not row.is_over for row in rows),
        url=f"{url}?page={number}",
        seconds=1,
    )


def _number(text: str) -> int:
    """The page that is meant: they are not counted, for that would take a query of its own."""
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 7 else 1


def standpoints(request: HttpRequest, patch: Patch, instances: list[Instance]) -> list[Standpoint]:
    """Each instance as it stands. However many they are, the database is asked four times."""
    return [_standpoint(request, patch, one) for one in facts_of(patch, instances)]


def _standpoint(request: HttpRequest, patch: Patch, facts: Facts) -> Standpoint:
    check, answers = facts.check, facts.answers
    waits = check is not None and check.checked_at is None
    codes = Counter(row.status for row in answers)
    counts = [
        (word, count)
        for code, count in sorted(codes.items(), key=lambda pair: pair[0] or 0)
        if (word := shown(code))
    ]
    return Standpoint(
        facts=facts,
        integral=shown(check.integral) if check else None,
        nodes=[NodeLine(row, shown(row.status)) for row in answers[:SHOWN_NODES]],
        more=max(0, len(answers) - SHOWN_NODES),
        counts=counts,
        is_over=not waits and facts.ordered is None,
        answered=len(answers),
        buttons=buttons_of(request, patch, facts),
    )


def buttons_of(request: HttpRequest, patch: Patch, facts: Facts) -> list[Button]:
    """What can be done with the patch on one instance; what cannot says why."""
    may_override = actor_of(request.user).may(OVERRIDE)
    if facts.in_force is not None:
        return [
            Button(
                "Revert",
                reverse("admin:updates_upgrade_roll_back", args=[facts.in_force.upgrade_id]),
                why_not=why_not_permitted(request, "updates.roll_back_upgrade"),
                is_danger=True,
            )
        ]
    return [
        Button(
            "Apply without what is refused" if facts.refused and may_override else "Apply",
            reverse("admin:patches_patch_apply", args=[patch.pk, facts.instance.pk]),
            why_not=why_not_permitted(request, "patches.apply_patch")
            or why_not_applicable(patch, facts, override=may_override),
            is_main=True,
        )
    ]


def why_no_check(request: HttpRequest, patch: Patch) -> str:
    """Empty when the user can have the patch checked, else the sentence why not."""
    gone = f"Its archive was deleted by {patch.deleted_by_name}." if patch.deleted_at else ""
    return why_not_permitted(request, "patches.check_patch") or gone


@polled("patches.view_patch")
def spread_fragment(request: HttpRequest, pk: UUID) -> Panel:
    """What a waiting panel polls: news, or nothing. 286 once every node has answered and nothing is on its way."""
    patch = get_object_or_404(Patch.objects.select_related("module"), pk=pk)
    return spread_panel(request, patch)


@require_POST
def order_checks(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The nodes of the chosen instance are being asked, or those of all instances of the patch's version."""
    actor = require(request, "patches.check_patch")
    patch = get_object_or_404(Patch.objects.select_related("module"), pk=pk)
    named = request.POST.get("instance", "")
    chosen = _chosen(patch, named)
    try:
        request_patch_checks(patch=patch, instances=chosen, actor=actor)
    except Refused as error:
        messages.error(request, str(error))
    if "stay" in request.POST and named.isdecimal():
        return redirect("admin:patches_patch_on", pk=patch.pk, instance=int(named))
    return redirect(reverse("admin:patches_patch_change", args=[patch.pk]) + "#instances")


def _chosen(patch: Patch, named: str) -> Iterable[Instance]:
    found = instances_for(patch)
    if named:
        number = int(named) if named.isascii() and named.isdecimal() and len(named) < 18 else 0
        return found.filter(pk=number)
    return found.filter(version=patch.version, pk__in=Node.objects.values("instance"))[
        :MOST_AT_ONCE
    ]
