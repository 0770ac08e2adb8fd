"""Devices, groups and credentials in the admin. Plain rows are edited here; verbs have pages of their own."""

from __future__ import annotations

from typing import cast

from django.contrib import admin
from django.db.models import Field, Model
from django.forms import ChoiceField, ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from devices.admin_views import bulk, device_list, imports, saved_filters
from devices.admin_views import device as device_pages
from devices.admin_views.host_key import ConfirmHostKey
from devices.admin_views.links import device_url, why_not_local
from devices.forms import CredentialForm, DeviceGroupForm
from devices.models import Credential, Device, DeviceGroup
from devices.queries import devices_in
from devices.services import (
    USE_LOCAL_DRIVER,
    change_members,
    delete_group,
    save_credential,
    save_device,
    save_group,
)
from portal.core import audit
from portal.core.actors import actor_of

PER_PAGE = 50
NAMES = 20


class ServedAdmin(ModelAdmin):
    """Plain rows whose edits go through the services. Their forms refuse first, so that nothing is refused in saving."""

    list_per_page = PER_PAGE
    show_full_result_count = False
    actions = None

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        audit.record(
            actor=actor_of(request.user), action=f"{obj._meta.model_name}.delete", subject=obj
        )
        super().delete_model(request, obj)


@admin.register(Device)
class DeviceAdmin(ServedAdmin):
    search_fields = ("name", "host", "device_type")
    autocomplete_fields = ("credential",)
    fieldsets = (
        (None, {"fields": ("name", "device_type", "driver")}),
        ("How to reach it", {"fields": ("host", "port", "credential", "root")}),
    )

    def changelist_view(
        self, request: HttpRequest, *_args: object, **_extra: object
    ) -> HttpResponse:
        return device_list.device_list(request)

    def save_model(
        self,
        request: HttpRequest,
        obj: Device,
        _form: ModelForm[Device],
        _change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        save_device(device=obj, actor=actor_of(request.user))

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        if not (object_id.isascii() and object_id.isdigit()):
            raise Http404
        devices = Device.objects.select_related("credential")
        return device_pages.device_page(request, get_object_or_404(devices, pk=int(object_id)))

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (
            isinstance(obj, Device) and why_not_local(request, obj)
        )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (
            isinstance(obj, Device) and why_not_local(request, obj)
        )

    def formfield_for_choice_field(
        self, db_field: Field[str, str], request: HttpRequest, **kwargs: object
    ) -> ChoiceField | None:
        """Who may not make the portal's own host a device is not offered the driver for it, and cannot post it either."""
        field = super().formfield_for_choice_field(db_field, request, **kwargs)
        if db_field.name == "driver" and not request.user.has_perm(USE_LOCAL_DRIVER):
            field.choices = [row for row in field.choices if row[0] != Device.Driver.LOCAL]
        return field

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Django's own form; the device's page has taken its usual address."""
        return super().change_view(request, str(pk))

    def response_post_save_change(self, _request: HttpRequest, obj: Device) -> HttpResponse:
        return redirect(device_url(obj))

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("<int:pk>/edit/", own(self.edit_view), name="devices_device_edit"),
            path(
                "<int:pk>/delete/",
                own(device_pages.DeleteDevice.as_view()),
                name="devices_device_delete",
            ),
            path("devices.csv", own(device_list.device_file), name="devices_device_export"),
            path("pick/", own(device_list.pick_devices), name="devices_device_pick"),
            path("import/", own(imports.ImportDevices.as_view()), name="devices_device_import"),
            path(
                "import/<uuid:pk>/",
                own(imports.PreviewImport.as_view()),
                name="devices_device_import_preview",
            ),
            path("bulk/<slug:verb>/", own(bulk.BulkPage.as_view()), name="devices_device_bulk"),
            path(
                "bulk/order/<uuid:pk>/",
                own(bulk.bulk_order_page),
                name="devices_device_bulk_order",
            ),
            path(
                "bulk/order/<uuid:pk>/live/",
                bulk.bulk_order_fragment,
                name="devices_device_bulk_order_live",
            ),
            path("filters/", own(saved_filters.keep_filter), name="devices_device_keep_filter"),
            path(
                "filters/<int:pk>/delete/",
                own(saved_filters.drop_filter),
                name="devices_device_drop_filter",
            ),
            path("<int:pk>/refresh/", own(device_pages.refresh), name="devices_device_refresh"),
            path(
                "<int:pk>/host-key/",
                own(ConfirmHostKey.as_view()),
                name="devices_device_host_key",
            ),
            *super().get_urls(),
        ]


@admin.register(DeviceGroup)
class DeviceGroupAdmin(ServedAdmin):
    form = DeviceGroupForm
    list_display = ("name", "kind", "how_many", "description")
    search_fields = ("name", "description")
    list_filter = (("kind", ChoicesDropdownFilter),)
    autocomplete_fields = ("members",)
    readonly_fields = ("right_now",)
    fieldsets = (
        (None, {"fields": ("name", "kind", "description", "right_now")}),
        ("Static: its members", {"fields": ("members",)}),
        (
            "Dynamic: all devices that this finds",
            {"fields": ("q", "device_type", "driver", "installed", "unreachable")},
        ),
    )

    def save_model(
        self,
        request: HttpRequest,
        obj: DeviceGroup,
        _form: ModelForm[DeviceGroup],
        _change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        save_group(group=obj, actor=actor_of(request.user))

    def save_related(
        self,
        request: HttpRequest,
        form: ModelForm[DeviceGroup],
        _formsets: object,
        _change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        if "members" not in form.changed_data or form.instance.kind != DeviceGroup.Kind.STATIC:
            return
        wanted = {device.pk for device in form.cleaned_data["members"]}
        present = set(form.instance.members.values_list("pk", flat=True))
        change_members(
            group=form.instance,
            add=wanted - present,
            remove=present - wanted,
            actor=actor_of(request.user),
        )

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        delete_group(group=cast(DeviceGroup, obj), actor=actor_of(request.user))

    @admin.display(description="Devices now")
    def how_many(self, group: DeviceGroup) -> int:
        return devices_in(group).count()

    @admin.display(description="Devices in it right now")
    def right_now(self, group: DeviceGroup) -> str:
        if group._state.adding:
            return "Save it to see them."
        found = devices_in(group)
        names = ", ".join(found.values_list("name", flat=True)[:NAMES])
        count = found.count()
        return f"{count}: {names}{' and others' if count > NAMES else ''}" if count else "None"


@admin.register(Credential)
class CredentialAdmin(ServedAdmin):
    form = CredentialForm
    list_display = ("name", "kind", "username", "created_at")
    search_fields = ("name", "username")
    fields = ("name", "kind", "username", "new_secret", "new_passphrase")

    def save_model(
        self,
        request: HttpRequest,
        obj: Credential,
        _form: ModelForm[Credential],
        _change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        save_credential(credential=obj, actor=actor_of(request.user))
