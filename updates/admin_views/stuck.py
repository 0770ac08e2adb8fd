"""The page of what does not move: why, what it waits for, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from portal.core.pages import Button, page, require, why_not_permitted
from updates.admin_views.upgrade_now import commit_button
from updates.models import Upgrade
from updates.queries import Standstill, Stuck, explained, stuck_upgrades

PAGE: Final = 25
WORDS: Final = {
    Standstill.UNHELD: "Nobody holds it",
    Standstill.OVERDUE: "Takes too long",
    Standstill.HELD: "Waits for a commit",
    Standstill.WAITING: "Waits",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One upgrade that does not move, with the buttons for it."""

    stuck: Stuck
    word: str
    buttons: list[Button]


@require_GET
def stuck_page(request: HttpRequest) -> HttpResponse:
    """What does not move, for one reason at a time: the most pressing one that there is, unless the address names one."""
    require(request, "updates.view_upgrade")
    counts = {kind: stuck_upgrades(kind).count() for kind in WORDS}
    kind = _kind(request.GET.get("kind", ""), counts)
    found = stuck_upgrades(kind).order_by("created_at", "id")
    shown: Page[Upgrade] = Paginator(found, PAGE).get_page(request.GET.get("page", "1"))
    return page(
        request,
        "updates/stuck.html",
        title="Stuck",
        model=Upgrade,
        context={
            "kinds": [(word, label, counts[word]) for word, label in WORDS.items()],
            "kind": kind,
            "rows": [_row(request, stuck) for stuck in explained(shown)],
            "shown": shown,
        },
    )


def _kind(word: str, counts: dict[Standstill, int]) -> Standstill:
    if word in set(Standstill):
        return Standstill(word)
    return next((kind for kind, count in counts.items() if count), Standstill.UNHELD)


def _row(request: HttpRequest, stuck: Stuck) -> Row:
    def button(verb: str, label: str, why_not: str = "", **looks: bool) -> Button:
        return Button(
            label,
            reverse(f"admin:updates_upgrade_{verb}", args=[stuck.upgrade.pk]),
            why_not=why_not_permitted(request, f"updates.{verb}_upgrade") or why_not,
            **looks,
        )

    if stuck.kind == Standstill.HELD:
        return Row(stuck, WORDS[stuck.kind], [commit_button(request, stuck.upgrade)])
    recover = button("recover", "Recover", _why_no_recover(stuck), is_main=True)
    force = button("force_cancel", "Force cancel", is_danger=True)
    return Row(stuck, WORDS[stuck.kind], [recover, force])


def _why_no_recover(stuck: Stuck) -> str:
    if stuck.can_recover:
        return ""
    if stuck.waits_for:
        return "Its turn has not come."
    return "A worker that lives holds it."
