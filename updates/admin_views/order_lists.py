"""Lists of orders to many: how far each of them is, and which of them are over."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter

from portal.core.admin import ReadOnlyAdmin
from updates.admin_views.order_page import shown_counts
from updates.progress import Order, Standing, counts_of, that_stand


class OrdersPage(ChangeList):
    """A page of orders: the upgrades of those that are shown are counted in one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        shown = list(self.result_list)
        found = counts_of(shown)
        for order in shown:
            order.counted = found[order.pk]
        self.result_list = shown


class StandingFilter(DropdownFilter):
    title = "Progress"
    parameter_name = "progress"

    def lookups(self, _request: HttpRequest, _admin: object) -> list[tuple[str, str]]:
        return [
            (Standing.RUNNING, "not over"),
            (Standing.OVER, "over"),
            (Standing.FAILURES, "with failures"),
        ]

    def queryset(self, _request: HttpRequest, found: QuerySet[Order]) -> QuerySet[Order]:
        asked = self.value()
        return that_stand(found, Standing(asked)) if asked in set(Standing) else found


class OrderAdmin(ReadOnlyAdmin):
    """A page has few of them: the upgrades of each may be a hundred thousand, and are counted when somebody looks."""

    list_per_page = 25

    def get_changelist(self, _request: HttpRequest, **_kwargs: object) -> type[ChangeList]:
        return OrdersPage

    @admin.display(description="Progress")
    def progress(self, order: Any) -> SafeString:  # noqa: ANN401 - one of OrdersPage
        return shown_counts(order, order.counted, is_short=True)
