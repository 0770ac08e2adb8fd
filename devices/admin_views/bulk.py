"""One verb for many devices: what it will do and to whom, the word to do it, and how far it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseClientRefresh
from unfold.widgets import UnfoldAdminSelectWidget

from devices.admin_views.counted import CountedForm, CountedPage
from devices.models import BulkOrder, Device, DeviceGroup
from devices.queries import stored_selection
from devices.services.bulk import (
    PERMISSIONS,
    Verb,
    order_bulk,
)
from portal.core.errors import Refused
from portal.core.pages import fragment, mark_of, page, require

KINDS: Final = 8
DOES: Final = {
    Verb.REFRESH: "Each of them is asked who it is; nothing is changed on it.",
    Verb.ADD_TO_GROUP: "They become members of the group; nothing is changed on them.",
    Verb.REMOVE_FROM_GROUP: "They are members no more; nothing is changed on them.",
    Verb.DELETE: "The portal forgets them. Those with a history stay, and are counted as failed.",
}
BUTTONS: Final = {
    Verb.REFRESH: "Refresh them",
    Verb.ADD_TO_GROUP: "Add them",
    Verb.REMOVE_FROM_GROUP: "Remove them",
    Verb.DELETE: "Delete them",
}


class BulkForm(CountedForm):
    """For which group, where it is about one; `selection` is the stored one."""

    group = forms.ModelChoiceField(
        DeviceGroup.objects.filter(kind=DeviceGroup.Kind.STATIC),
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )
    selection = forms.UUIDField(widget=forms.HiddenInput())
    field_order = ("group", "reason", "number")


class BulkPage(CountedPage):
    """Asks for the group, a reason, and the number when it is a big one. Refused when the selection changed meanwhile."""

    template_name = "devices/bulk.html"
    form_class = BulkForm
    model = Device

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - as Django has it
        try:
            self.verb = Verb(str(kwargs["verb"]))
        except ValueError:
            raise Http404 from None
        self.permission = PERMISSIONS[self.verb]
        self.button = BUTTONS[self.verb]
        self.is_danger = self.verb == Verb.DELETE
        return super().dispatch(request, *args, **kwargs)

    def find(self) -> None:
        given = self.request.POST.get("selection") or self.request.GET.get("selection", "")
        try:
            self.selection = UUID(given)
            self.devices = stored_selection(self.selection, cast(User, self.request.user))
        except (ValueError, Refused) as error:
            raise Http404(str(error)) from error
        self.found = _found(self.devices)
        self.ids = list(self.devices.order_by().values_list("pk", flat=True))

    def title(self) -> str:
        return f"{self.verb.label}: {self.count} device{'' if self.count == 1 else 's'}"

    def back(self) -> str:
        return reverse("admin:devices_device_changelist")

    def says(self) -> list[str]:
        return [DOES[self.verb]]

    def get_initial(self) -> dict[str, Any]:
        return super().get_initial() | {"selection": self.selection}

    def get_form(self, form_class: type[forms.Form] | None = None) -> forms.Form:
        form = super().get_form(form_class)
        if self.verb in {Verb.ADD_TO_GROUP, Verb.REMOVE_FROM_GROUP}:
            form.fields["group"].required = True
        else:
            del form.fields["group"]
        return form

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {
            "count": self.count,
            "types": _most((one.device_type, one.number) for one in self.found),
            "drivers": _most((one.driver, one.number) for one in self.found),
            "unreachable": sum(one.unreachable for one in self.found),
        }

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        self.require_as_seen(given)
        order = order_bulk(
            verb=self.verb,
            devices=self.devices,
            actor=self.actor,
            reason=given["reason"],
            group=given.get("group"),
            seen=given["expected"],
        )
        if order.finished_at:
            messages.success(self.request, f"{order}: done.")
        return reverse("admin:devices_device_bulk_order", args=[order.pk])


def bulk_order_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How far a bulk order is, and for whom it failed."""
    require(request, "devices.view_device")
    order = get_object_or_404(BulkOrder.objects.select_related("group"), pk=pk)
    now = _now(order)
    return page(
        request,
        "devices/bulk_order.html",
        title=str(order),
        model=Device,
        context={"order": order, "now": now, "mark": mark_of(now)},
    )


@require_GET
def bulk_order_fragment(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What the order's page polls; 286 once it is over."""
    if not admin.site.has_permission(request):
        return HttpResponseClientRefresh()
    require(request, "devices.view_device")
    order = get_object_or_404(BulkOrder.objects.select_related("group"), pk=pk)
    now = _now(order)
    mark = mark_of(now)
    html = render_to_string(
        "devices/bulk_order_live.html", {"order": order, "now": now, "mark": mark}
    )
    return fragment(
        html, is_new=mark != request.GET.get("mark"), is_end=order.finished_at is not None
    )


def _now(order: BulkOrder) -> str:
    return render_to_string(
        "devices/bulk_order_now.html", {"order": order, "failures": order.failures}
    )


class _Found(NamedTuple):
    """How many devices there are of a type that have that driver, and how many of them cannot be reached."""

    device_type: str
    driver: str
    number: int
    unreachable: int


def _found(devices: QuerySet[Device]) -> list[_Found]:
    """Asked once: the selection may be the whole fleet."""
    rows = devices.order_by().values_list("device_type", "driver")
    unreachable = Count("pk", filter=~Q(unreachable_reason=""))
    return [_Found(*row) for row in rows.annotate(number=Count("pk"), unreachable=unreachable)]


def _most(counts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """How many there are of each kind, the most frequent first; the seldom ones together."""
    found: Counter[str] = Counter()
    for kind, count in counts:
        found[kind] += count
    rows = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    if len(rows) <= KINDS:
        return rows
    return [*rows[:KINDS], ("others", sum(count for _, count in rows[KINDS:]))]
