"""Devices, groups and credentials in the admin. Plain rows are edited here; verbs have pages of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import Count, Field, Model, QuerySet
from django.forms import ChoiceField, ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from devices.admin_views import bulk, device_list, enrolment, imports, preauthorise, saved_filters
from devices.admin_views import device as device_pages
from devices.admin_views import groups as group_pages
from devices.admin_views.bulk_orders import bulk_order_list
from devices.admin_views.credentials import DeleteCredential
from devices.admin_views.engines import engine_urls
from devices.admin_views.host_key import ConfirmHostKey
from devices.admin_views.links import device_url, why_not_local
from devices.admin_views.pulled import DecommissionDevice
from devices.admin_views.registry_logins import DeleteRegistryLogin
from devices.forms import CredentialForm, DeviceGroupForm, RegistryLoginForm
from devices.models import AuthSet, Credential, Device, DeviceGroup, RegistryLogin
from devices.services import (
    GUARD,
    USE_LOCAL_DRIVER,
    change_members,
    save_credential,
    save_device,
    save_group,
)
from devices.services.engine_settings import save_registry_login
from portal.core.actors import actor_of
from portal.core.admin import ReadOnlyAdmin, ServedAdmin, component, verb_urls
from portal.core.pages import number_or_404
from portal.core.queries import edits_of

VIEW_AUDIT = "core.view_auditevent"


@admin.register(Device)
class DeviceAdmin(ServedAdmin):
    delete_page = device_pages.DeleteDevice
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
        devices = Device.objects.select_related("credential")
        device = get_object_or_404(devices, pk=number_or_404(object_id))
        return device_pages.device_page(request, device)

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
        """Who may not make the portal's own host a device is not offered the driver for it, and cannot post it either.

        That a device pulls is never a choice: it did so before it was one, and goes on.
        """
        field = super().formfield_for_choice_field(db_field, request, **kwargs)
        if db_field.name == "driver":
            match = request.resolver_match
            pk = int(match.kwargs.get("pk", 0)) if match else 0
            pulls = Device.objects.filter(pk=pk, driver=Device.Driver.PULL).exists()
            offered = {Device.Driver.PULL} if pulls else set(Device.Driver) - {Device.Driver.PULL}
            if not request.user.has_perm(USE_LOCAL_DRIVER):
                offered -= {Device.Driver.LOCAL}
            field.choices = [row for row in field.choices if row[0] in {"", *offered}]
        return field

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Django's own form; the device's page has taken its usual address."""
        return super().change_view(request, str(pk))

    def response_post_save_change(self, _request: HttpRequest, obj: Device) -> HttpResponse:
        return redirect(device_url(obj))

    def get_urls(self) -> list[URLPattern]:
        pages: list[tuple[str, str, Callable[..., HttpResponseBase]]] = [
            ("<int:pk>/edit/", "edit", self.edit_view),
            ("devices.csv", "export", device_list.device_file),
            ("pick/", "pick", device_list.pick_devices),
            ("import/", "import", imports.ImportDevices.as_view()),
            ("import/<uuid:pk>/", "import_preview", imports.PreviewImport.as_view()),
            ("bulk/orders/", "bulk_orders", bulk_order_list),
            ("bulk/<slug:verb>/", "bulk", bulk.BulkPage.as_view()),
            ("bulk/order/<uuid:pk>/", "bulk_order", bulk.bulk_order_page),
            ("filters/", "keep_filter", saved_filters.keep_filter),
            ("filters/<int:pk>/delete/", "drop_filter", saved_filters.drop_filter),
            ("<int:pk>/refresh/", "refresh", device_pages.refresh),
            ("<int:pk>/host-key/", "host_key", ConfirmHostKey.as_view()),
            ("<int:pk>/decommission/", "decommission", DecommissionDevice.as_view()),
        ]
        own = self.admin_site.admin_view
        return [
            *(path(route, own(page), name=f"devices_device_{name}") for route, name, page in pages),
            path(
                "bulk/order/<uuid:pk>/live/",
                bulk.bulk_order_fragment,
                name="devices_device_bulk_order_live",
            ),
            *engine_urls(own),
            *super().get_urls(),
        ]


@admin.register(AuthSet)
class AuthSetAdmin(ReadOnlyAdmin):
    """Keys of devices that pull. The list is the page of enrolment; each verb has a page."""

    fields = (
        "identity", "status", "sha256", "pem", "requested_at", "last_asked_at", "decided_at",
        "decided_by_name",
    )  # fmt: skip
    readonly_fields = ("sha256", "pem")

    def changelist_view(
        self, request: HttpRequest, *_args: object, **_extra: object
    ) -> HttpResponse:
        return enrolment.key_list(request)

    @admin.display(description="SHA-256 of the key")
    def sha256(self, key: AuthSet) -> SafeString:
        return component("data", data=key.key_hash)

    @admin.display(description="Public key")
    def pem(self, key: AuthSet) -> SafeString:
        return component("data", data=key.public_key)

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        verbs = {"reject": enrolment.RejectKey, "dismiss": enrolment.DismissKey}
        pages = {
            "accept": enrolment.AcceptKeys,
            "reject-many": enrolment.RejectKeys,
            "dismiss-many": enrolment.DismissKeys,
            "preauthorise": preauthorise.Preauthorise,
            "preauthorise-file": preauthorise.PreauthoriseFile,
        }
        return [
            *(
                path(
                    f"{word}/",
                    own(verb.as_view()),
                    name=f"devices_authset_{word.replace('-', '_')}",
                )
                for word, verb in pages.items()
            ),
            *verb_urls(self, verbs),
            *super().get_urls(),
        ]


@admin.register(DeviceGroup)
class DeviceGroupAdmin(ServedAdmin):
    delete_page = group_pages.DeleteGroup
    form = DeviceGroupForm
    list_display = ("name", "kind", "who", "description")
    search_fields = ("name", "description")
    list_filter = (("kind", ChoicesDropdownFilter),)
    autocomplete_fields = ("members",)
    change_form_after_template = "devices/group_form_after.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeviceGroup]:
        groups: QuerySet[DeviceGroup] = super().get_queryset(request)
        return groups.annotate(members_count=Count("members"))

    def get_fieldsets(
        self, request: HttpRequest, obj: DeviceGroup | None = None
    ) -> list[tuple[str | None, dict[str, Any]]]:
        """A new group's members are picked here; those of one that is there have a page, however many they are."""
        static = ("Static: its members", {"fields": ("members",)})
        guard = ("signed_only",) if request.user.has_perm(GUARD) else ()
        return [
            (None, {"fields": ("name", "kind", "description", *guard)}),
            *([] if obj else [static]),
            ("Dynamic: all devices that this finds", {"fields": DeviceGroupForm.words}),
        ]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (
            isinstance(obj, DeviceGroup) and group_pages.why_guarded(request, obj)
        )

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        group = get_object_or_404(DeviceGroup, pk=number_or_404(object_id))
        return group_pages.group_page(request, group)

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Django's own form; the group's page has taken its usual address."""
        return super().change_view(request, str(pk))

    def response_post_save_change(self, _request: HttpRequest, obj: DeviceGroup) -> HttpResponse:
        return redirect(group_pages.group_url(obj))

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("preview/", group_pages.preview_fragment, name="devices_devicegroup_preview"),
            path("<int:pk>/edit/", own(self.edit_view), name="devices_devicegroup_edit"),
            path(
                "<int:pk>/members/",
                own(group_pages.GroupMembers.as_view()),
                name="devices_devicegroup_members",
            ),
            *super().get_urls(),
        ]

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

    @admin.display(description="Devices")
    def who(self, group: DeviceGroup) -> str:
        """Counting what each filter finds would take a query for each row."""
        if group.kind == DeviceGroup.Kind.DYNAMIC:
            words = ", ".join(f"{word}: {value}" for word, value in group.filter.items())
            return f"all with {words}" if words else "all"
        return f"{getattr(group, 'members_count', 0)} devices"


@admin.register(Credential)
class CredentialAdmin(ServedAdmin):
    delete_page = DeleteCredential
    form = CredentialForm
    list_display = ("name", "kind", "username", "created_at")
    search_fields = ("name", "username")
    fields = ("name", "kind", "username", "new_secret", "new_passphrase")
    change_form_after_template = "devices/edits.html"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Django's form, with what was done to the credential before."""
        shown = dict(extra_context or {})
        if object_id.isascii() and object_id.isdigit() and request.user.has_perm(VIEW_AUDIT):
            shown["edits"] = edits_of(Credential(pk=int(object_id)))
        return super().change_view(request, object_id, form_url, shown)

    def save_model(
        self,
        request: HttpRequest,
        obj: Credential,
        _form: ModelForm[Credential],
        _change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        save_credential(credential=obj, actor=actor_of(request.user))


@admin.register(RegistryLogin)
class RegistryLoginAdmin(ServedAdmin):
    delete_page = DeleteRegistryLogin
    form = RegistryLoginForm
    list_display = ("registry", "username", "created_at")
    search_fields = ("registry", "username")
    fields = ("registry", "username", "new_secret")

    def save_model(
        self,
        request: HttpRequest,
        obj: RegistryLogin,
        _form: ModelForm[RegistryLogin],
        _change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        save_registry_login(login=obj, actor=actor_of(request.user))
