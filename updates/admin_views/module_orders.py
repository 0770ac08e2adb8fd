"""Pages about orders of module images: how far each instance is, and one word that stops them all."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.paginator import Page
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseClientRefresh

from portal.core.bounded import BoundedPaginator
from portal.core.pages import (
    Button,
    VerbPage,
    fragment,
    mark_of,
    page,
    require,
    why_not_permitted,
)
from updates.admin_views.order_counts import segments, shown_of
from updates.admin_views.panel import Panel
from updates.machine import CANCELLABLE
from updates.models import ModuleOrder, Upgrade
from updates.queries import counts
from updates.services.module_updates import cancel_module_order

PAGE = 50


def module_order_page(request: HttpRequest, order: ModuleOrder) -> HttpResponse:
    """How far the order is, and what became of each instance, in their order."""
    require(request, "updates.view_moduleorder")
    show = request.GET.get("show", "")
    found = (
        order.upgrades.filter(shown_of(show))
        .select_related("device", "artifact", "instance")
        .order_by("created_at", "id")
    )
    upgrades: Page[Upgrade] = BoundedPaginator(found, PAGE).get_page(request.GET.get("page", "1"))
    return page(
        request,
        "updates/module_order.html",
        title=order.image,
        model=ModuleOrder,
        context={
            "order": order,
            "panel": _counts_panel(order),
            "upgrades": upgrades,
            "show": show,
            "left_out": order.left_out[:PAGE],
            "left_out_count": len(order.left_out),
            "buttons": [_cancel_button(request, order)],
        },
    )


@require_GET
def module_order_counts(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What the order's page polls: its counts when they changed; 286 once it is over."""
    if not admin.site.has_permission(request):
        return HttpResponseClientRefresh()
    require(request, "updates.view_moduleorder")
    panel = _counts_panel(get_object_or_404(ModuleOrder, pk=pk))
    html = render_to_string("components/live.html", {"panel": panel})
    return fragment(html, is_new=panel.mark != request.GET.get("mark"), is_end=not panel.is_waiting)


class CancelModuleOrder(VerbPage):
    model = ModuleOrder
    permission = "updates.cancel_upgrade"
    button = "Cancel all"
    is_danger = True

    def find(self) -> None:
        self.order = get_object_or_404(ModuleOrder, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Cancel {self.order}"

    def back(self) -> str:
        return reverse("admin:updates_moduleorder_change", args=[self.order.pk])

    def says(self) -> list[str]:
        count = self.order.upgrades.filter(state__in=CANCELLABLE).count()
        return [
            f"{count} of its upgrades can still be cancelled.",
            "Those that wait are over at once; those that run stop at their next safe point, or go back.",
        ]

    def act(self, form: forms.Form) -> str:
        cancelled = cancel_module_order(
            order=self.order, actor=self.actor, reason=form.cleaned_data["reason"]
        )
        messages.success(self.request, f"A cancel is on its way to {cancelled} upgrades.")
        return self.back()


def _counts_panel(order: ModuleOrder) -> Panel:
    found = counts(order)
    html = render_to_string(
        "updates/counts.html",
        {
            "counts": segments(found),
            "total": found.total,
            "is_over": found.is_over,
            "url": reverse("admin:updates_moduleorder_change", args=[order.pk]),
        },
    )
    return Panel(
        html,
        mark_of(html),
        is_waiting=not found.is_over,
        url=reverse("admin:updates_moduleorder_counts", args=[order.pk]) + "?",
        seconds=2,
    )


def _cancel_button(request: HttpRequest, order: ModuleOrder) -> Button:
    can_be = order.upgrades.filter(state__in=CANCELLABLE).exists()
    return Button(
        "Cancel all",
        reverse("admin:updates_moduleorder_cancel", args=[order.pk]),
        why_not=why_not_permitted(request, "updates.cancel_upgrade")
        or ("" if can_be else "Nothing of it can be cancelled any more."),
        is_danger=True,
    )
