"""The page of an order to many: how far it is, its upgrades, and one word that stops them all."""

from __future__ import annotations

from typing import Any, Final, cast

from django import forms
from django.contrib import messages
from django.core.paginator import Page
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from portal.core.bounded import BoundedPaginator
from portal.core.pages import Button, VerbPage, mark_of, page, require, why_not_permitted
from updates.admin_views.panel import Panel
from updates.machine import ACTIVE, CANCELLABLE, Outcome, State
from updates.models import Upgrade
from updates.progress import Counts, Order, counts
from updates.services.order_cancels import can_be_cancelled, left_to_cancel

PAGE: Final = 50
CANCEL: Final = "updates.cancel_upgrade"


def order_page(
    request: HttpRequest, order: Order, *, template: str, title: str, left_out_count: int
) -> HttpResponse:
    """How far the order is, and a page of its upgrades."""
    require(request, f"updates.view_{order._meta.model_name}")
    show = request.GET.get("show", "")
    # In the order in which they were made, which is that of their targets' names, and for which there is an index.
    found = (
        order.upgrades.filter(_shown_of(show))
        .select_related("device", "artifact", "instance")
        .order_by("created_at", "id")
    )
    upgrades: Page[Upgrade] = BoundedPaginator(found, PAGE).get_page(request.GET.get("page", "1"))
    return page(
        request,
        template,
        title=title,
        model=type(order),
        context={
            "order": order,
            "panel": counts_panel(order),
            "upgrades": upgrades,
            "show": show,
            "left_out": order.left_out[:PAGE],
            "left_out_count": left_out_count,
            "buttons": [_cancel_button(request, order)],
        },
    )


def counts_panel(order: Order) -> Panel:
    """How many of its upgrades have come how far."""
    found = counts(order)
    html = shown_counts(order, found)
    return Panel(
        html,
        mark_of(html),
        is_waiting=not found.is_over,
        url=_url(order, "counts") + "?",
        seconds=2,
    )


def shown_counts(order: Order, found: Counts, *, is_short: bool = False) -> SafeString:
    """A bar and a number for each word, which leads to those upgrades; a short one leaves out what counts nothing."""
    is_told = order.is_being_cancelled and not is_short
    left = left_to_cancel(order).count() if is_told else None
    return render_to_string(
        "updates/counts.html",
        {
            "counts": _segments(found),
            "total": found.total,
            "is_over": found.is_over,
            "is_short": is_short,
            "url": _url(order, "change"),
            "order": order,
            "left_to_cancel": left,
        },
    )


class CancelOrder(VerbPage):
    """Whatever can still be cancelled is. A subclass says of which kind the order is, and has its service do it."""

    model: type[Order]
    permission = CANCEL
    button = "Cancel all"
    is_danger = True

    def find(self) -> None:
        self.order = cast(Order, get_object_or_404(self.model, pk=self.kwargs["pk"]))

    def title(self) -> str:
        return f"Cancel {self.order}"

    def back(self) -> str:
        return _url(self.order, "change")

    def says(self) -> list[str]:
        count = can_be_cancelled(self.order).count()
        return [
            f"{count} of its upgrades can still be cancelled.",
            "Nothing of it that waits begins any more. Where they are many, each is reached in its turn: the page says how far.",
            "Those that wait are over at once; those that run stop at their next safe point, or go back.",
        ]

    def act(self, form: forms.Form) -> str:
        count = self.cancel(reason=form.cleaned_data["reason"])
        messages.success(self.request, f"A cancel is on its way to {count} upgrades.")
        return self.back()

    def cancel(self, *, reason: str) -> int:
        """A cancel is on its way to so many upgrades."""
        raise NotImplementedError


def _segments(found: Counts) -> list[dict[str, Any]]:
    """One part of the bar for each word that counts anything, with where it begins."""
    words = {"waiting": found.waiting, "running": found.running, **found.outcomes}
    parts, start = [], 0
    for word, count in words.items():
        parts.append({"word": word, "count": count, "start": start})
        start += count
    return parts


def _shown_of(word: str) -> Q:
    """The upgrades that the part of this word counts; all of them for any other word."""
    wanted = {
        "waiting": Q(state=State.PENDING),
        "running": Q(state__in=ACTIVE),
        **{outcome.value: Q(state=State.FINISHED, outcome=outcome) for outcome in Outcome},
    }
    return wanted.get(word, Q())


def _cancel_button(request: HttpRequest, order: Order) -> Button:
    return Button(
        "Cancel all",
        _url(order, "cancel"),
        why_not=why_not_permitted(request, CANCEL) or _why_no_cancel(order),
        is_danger=True,
    )


def _why_no_cancel(order: Order) -> str:
    if order.is_being_cancelled:
        return f"{order.cancel_requested_by} has asked for that, and it is being done."
    if can_be_cancelled(order).exists():
        return ""
    if order.upgrades.filter(state__in=CANCELLABLE).exists():
        return "All of it that can be cancelled has been asked to."
    return "Nothing of it can be cancelled any more."


def _url(order: Order, word: str) -> str:
    return reverse(f"admin:updates_{order._meta.model_name}_{word}", args=[order.pk])
