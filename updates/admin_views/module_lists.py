"""The lists of orders of module images and of installations, and the addresses of their pages."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import BooleanRadioFilter

from portal.core.admin import DaysFilter, ReadOnlyAdmin, verb_urls
from portal.core.pages import number_or_404, uuid_or_404
from updates.admin_views import installations, module_orders, module_update, offers
from updates.admin_views.order_lists import OrderAdmin, StandingFilter
from updates.models import Installation, ModuleOrder


class ModuleOrderAdmin(OrderAdmin):
    list_display = ("image", "progress", "reason", "canary", "requested_by_name", "created_at")
    search_fields = ("image", "reason", "requested_by_name")
    list_filter = (StandingFilter, ("created_at", DaysFilter))
    list_filter_submit = True
    list_before_template = "updates/module_order_list_head.html"

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        order = get_object_or_404(ModuleOrder, pk=uuid_or_404(object_id))
        return module_orders.module_order_page(request, order)

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path(
                "update/",
                own(module_update.UpdateInstances.as_view()),
                name="updates_moduleorder_update",
            ),
            path(
                "<uuid:pk>/counts/",
                module_orders.module_order_counts,
                name="updates_moduleorder_counts",
            ),
            *verb_urls(self, {"cancel": module_orders.CancelModuleOrder}),
            *super().get_urls(),
        ]


class InstallationAdmin(ReadOnlyAdmin):
    """Each one's page is its instance's."""

    list_display = ("instance", "image", "user", "is_held", "held_why")
    search_fields = ("instance__name", "image", "digest")
    list_filter = (("is_held", BooleanRadioFilter),)
    list_filter_submit = True
    list_select_related = ("instance",)
    verbs = {
        "reinstall": installations.Reinstall,
        "uninstall": installations.Uninstall,
        "hold": installations.Hold,
        "release": installations.Release,
        "skip": installations.SkipVersion,
        "settings": installations.Settings,
    }

    def change_view(self, _request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        made = get_object_or_404(Installation, pk=number_or_404(object_id))
        return redirect("admin:updates_instance_change", made.instance_id)

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("available/", own(offers.offers_page), name="updates_installation_available"),
            path(
                "available/update-all/",
                own(offers.UpdateAll.as_view()),
                name="updates_installation_update_all",
            ),
            path(
                "install/<int:device>/",
                own(installations.InstallModule.as_view()),
                name="updates_installation_install",
            ),
            path(
                "adopt/<int:instance>/",
                own(installations.AdoptInstance.as_view()),
                name="updates_installation_adopt",
            ),
            *verb_urls(self, self.verbs),
            *super().get_urls(),
        ]
