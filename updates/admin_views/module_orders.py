"""Pages about orders of module images: how far each instance is, and one word that stops them all."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from updates.admin_views.order_page import CancelOrder, counts_panel, order_page
from updates.admin_views.panel import Panel, polled
from updates.models import ModuleOrder
from updates.services.module_updates import cancel_module_order


def module_order_page(request: HttpRequest, order: ModuleOrder) -> HttpResponse:
    """How far the order is, and what became of each instance, in their order."""
    return order_page(
        request,
        order,
        template="updates/module_order.html",
        title=order.image,
        left_out_count=len(order.left_out),
    )


@polled("updates.view_moduleorder")
def module_order_counts(_request: HttpRequest, pk: UUID) -> Panel:
    """What the order's page polls: its counts when they changed; 286 once it is over."""
    return counts_panel(get_object_or_404(ModuleOrder, pk=pk))


class CancelModuleOrder(CancelOrder):
    model = ModuleOrder

    def cancel(self, *, reason: str) -> int:
        order = cast(ModuleOrder, self.order)
        return cancel_module_order(order=order, actor=self.actor, reason=reason)
