"""The bulk orders of late, to find the page of one again."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from devices.models import BulkOrder, Device
from portal.core.pages import page, require

PER_PAGE = 50


@require_GET
def bulk_order_list(request: HttpRequest) -> HttpResponse:
    """Who ordered what for how many, and how far it is; the newest first."""
    require(request, "devices.view_device")
    orders = BulkOrder.objects.select_related("group").defer("ids", "failures")
    shown = Paginator(orders, PER_PAGE).get_page(request.GET.get("page"))
    return page(
        request,
        "devices/bulk_orders.html",
        title="Bulk orders",
        model=Device,
        context={"shown": shown},
    )
