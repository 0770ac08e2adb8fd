"""The page of what does not move: why, what it waits for, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from portal.core.pages import Button, page, require, why_not_permitted
from updates.admin_views.upgrade_now import cancel_button, commit_button
from updates.models import Upgrade
from updates.queries import PRESSING, Standstill, Stuck, count_stuck, explained, stuck_upgrades

PAGE: Final = 25


@dataclass(frozen=True, slots=True)
class Tab:
    """Some of the reasons why upgrades do not move, under one title."""

    title: str
    kinds: tuple[Standstill, ...]


TABS: Final = {
    "stuck": Tab("Stuck", PRESSING),
    "held": Tab("Wait for a commit", (Standstill.HELD,)),
    "waiting": Tab("Wait", (Standstill.WAITING,)),
}
"""By the word that stands for them in the address; the most pressing first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One upgrade that does not move, with the buttons for it."""

    stuck: Stuck
    buttons: list[Button]


def tab_counts(**others: Q) -> dict[str, int]:
    """How many upgrades are under each tab, and how many of the `others` that are not over."""
    return count_stuck({word: tab.kinds for word, tab in TABS.items()}, **others)


@require_GET
def stuck_page(request: HttpRequest) -> HttpResponse:
    """What does not move, a tab at a time: the most pressing one that is not empty, unless the address names one."""
    require(request, "updates.view_upgrade")
    counts = tab_counts()
    chosen = request.GET.get("kind", "")
    if chosen not in TABS:
        chosen = next((word for word, count in counts.items() if count), "stuck")
    found = stuck_upgrades(*TABS[chosen].kinds).order_by("created_at", "id")
    shown: Page[Upgrade] = Paginator(found, PAGE).get_page(request.GET.get("page", "1"))
    return page(
        request,
        "updates/stuck.html",
        title="Stuck",
        model=Upgrade,
        context={
            "tabs": [(word, tab.title, counts[word]) for word, tab in TABS.items()],
            "chosen": chosen,
            "rows": [_row(request, stuck) for stuck in explained(shown)],
            "shown": shown,
        },
    )


def _row(request: HttpRequest, stuck: Stuck) -> Row:
    def button(verb: str, label: str, why_not: str = "", **looks: bool) -> Button:
        return Button(
            label,
            reverse(f"admin:updates_upgrade_{verb}", args=[stuck.upgrade.pk]),
            why_not=why_not_permitted(request, f"updates.{verb}_upgrade") or why_not,
            **looks,
        )

    if stuck.kind == Standstill.HELD:
        upgrade = stuck.upgrade
        return Row(stuck, [commit_button(request, upgrade), cancel_button(request, upgrade)])
    recover = button("recover", "Recover", _why_no_recover(stuck), is_main=True)
    force = button("force_cancel", "Force cancel", is_danger=True)
    return Row(stuck, [recover, force])


def _why_no_recover(stuck: Stuck) -> str:
    if stuck.can_recover:
        return ""
    if stuck.waits_for:
        return "Its turn has not come."
    if stuck.upgrade.executor == Upgrade.Executor.DEVICE:
        return "Its device carries it out, and goes on with it as soon as it is there again."
    if stuck.upgrade.executor == Upgrade.Executor.WATCHDOG:
        return "No worker carries it out: the portal's watchdog goes on with it as soon as it runs."
    return "A worker that lives holds it."
