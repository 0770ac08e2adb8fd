"""Lists of patches, nodes, instances and modules, and the addresses of their pages. No rules here: see the services."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, OuterRef, Prefetch, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter

from patches.admin_views import instances, nodes, on_instance, patches, spread
from patches.admin_views.columns import ArchiveFilter, AttentionFilter, PatchedFilter
from patches.admin_views.numbers import counted
from patches.forms import NodeForm
from patches.models import Application, Node, Patch
from patches.services.node_records import SET_RESTART, save_node
from portal.core.actors import actor_of
from portal.core.admin import ReadOnlyAdmin, ServedAdmin, component, verb_urls
from portal.core.errors import NotPermitted
from portal.core.pages import number_or_404, uuid_or_404
from updates.models import Instance, Module
from updates.services.modules import is_installed, save_instance, save_module


@admin.register(Patch)
class PatchAdmin(ReadOnlyAdmin):
    list_display = (
        "name", "module", "version", "files", "shown_size", "in_force", "uploaded_by_name",
        "uploaded_at", "archive",
    )  # fmt: skip
    search_fields = ("name", "module__name", "version", "notes", "sha256")
    list_filter = (("module", AutocompleteSelectFilter), ArchiveFilter)
    list_filter_submit = True
    list_select_related = ("module",)
    list_before_template = "patches/patch_list_head.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Patch]:
        found: QuerySet[Patch] = super().get_queryset(request)
        active = Application.objects.filter(
            patch=OuterRef("pk"), standing=Application.Standing.ACTIVE
        )
        return found.annotate(active_count=counted(active, by="patch")).defer("known_to")

    @admin.display(description="Files")
    def files(self, patch: Patch) -> int:
        return len(patch.composition)

    @admin.display(description="Size", ordering="size")
    def shown_size(self, patch: Patch) -> str:
        return filesizeformat(patch.size)

    @admin.display(description="In force on")
    def in_force(self, patch: Patch) -> str:
        count = getattr(patch, "active_count", 0)
        return f"{count} instance{'' if count == 1 else 's'}" if count else ""

    @admin.display(description="Archive")
    def archive(self, patch: Patch) -> str:
        return "deleted" if patch.deleted_at else ""

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        found = Patch.objects.select_related("module")
        return patches.patch_page(request, get_object_or_404(found, pk=uuid_or_404(object_id)))

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("upload/", own(patches.UploadPatch.as_view()), name="patches_patch_upload"),
            path("upload/versions/", patches.versions_fragment, name="patches_patch_versions"),
            path(
                "<uuid:pk>/composition/",
                patches.composition_fragment,
                name="patches_patch_composition",
            ),
            path("<uuid:pk>/instances/", spread.spread_fragment, name="patches_patch_spread"),
            path("<uuid:pk>/check/", own(spread.order_checks), name="patches_patch_check"),
            path(
                "<uuid:pk>/on/<int:instance>/",
                own(on_instance.on_instance_page),
                name="patches_patch_on",
            ),
            path(
                "<uuid:pk>/on/<int:instance>/answers/",
                on_instance.answers_fragment,
                name="patches_patch_answers",
            ),
            path(
                "<uuid:pk>/on/<int:instance>/apply/",
                own(on_instance.ApplyPatch.as_view()),
                name="patches_patch_apply",
            ),
            *verb_urls(self, {"delete-page": patches.DeletePatch}),
            *super().get_urls(),
        ]


@admin.register(Node)
class NodeAdmin(ServedAdmin):
    form = NodeForm
    list_display = (
        "name", "instance", "device", "reachable", "runtime", "version", "patched", "restart_needed",
        "drifted", "seen_at",
    )  # fmt: skip
    search_fields = ("name", "address", "instance__name", "device__name")
    list_filter = (AttentionFilter, ("instance", AutocompleteSelectFilter))
    list_filter_submit = True
    list_select_related = ("instance", "device")
    autocomplete_fields = ("instance", "device")
    fieldsets = (
        (None, {"fields": ("name", "instance", "device")}),
        ("How to reach it", {"fields": ("address", "host", "way", "new_secret", "port_mapper")}),
        ("What runs there", {"fields": ("root", "application", "restart_command")}),
        ("TLS", {"fields": ("tls_authority", "tls_certificate", "new_tls_key")}),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Node]:
        found: QuerySet[Node] = super().get_queryset(request)
        active = Application.objects.filter(
            instance=OuterRef("instance"), standing=Application.Standing.ACTIVE
        )
        return found.annotate(active_count=counted(active, by="instance")).defer(
            "secret", "tls_key"
        )

    @admin.display(description="Reachable", ordering="is_reachable")
    def reachable(self, node: Node) -> str:
        if node.is_reachable is None:
            return "not asked yet"
        word, text = ("succeeded", "yes") if node.is_reachable else ("failed", "no")
        return component("badge", word=word, text=text)

    @admin.display(description="Patches")
    def patched(self, node: Node) -> int | str:
        return getattr(node, "active_count", 0) or ""

    @admin.display(description="Drift")
    def drifted(self, node: Node) -> str:
        return (
            f"{len(node.drift)} module{'' if len(node.drift) == 1 else 's'}" if node.drift else ""
        )

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        node = get_object_or_404(nodes.nodes_for_pages(), pk=number_or_404(object_id))
        return nodes.node_page(request, node)

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Django's own form; the node's page has taken its usual address."""
        return super().change_view(request, str(pk))

    def get_readonly_fields(self, request: HttpRequest, obj: Node | None = None) -> tuple[str, ...]:
        """A node stays with its instance. Who may not say by which command nodes are restarted only reads it."""
        fixed = ("instance",) if obj else ()
        if request.user.has_perm(SET_RESTART):
            return fixed
        return (*fixed, "restart_command", *(("device",) if obj and obj.restart_command else ()))

    def save_model(
        self,
        request: HttpRequest,
        obj: Node,
        _form: ModelForm[Node],
        _change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        try:
            save_node(node=obj, actor=actor_of(request.user))
        except NotPermitted as error:
            raise PermissionDenied(str(error)) from error

    def response_post_save_change(self, _request: HttpRequest, obj: Node) -> HttpResponse:
        return redirect(nodes.node_url(obj))

    def response_post_save_add(self, _request: HttpRequest, obj: Node) -> HttpResponse:
        return redirect(nodes.node_url(obj))

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("<int:pk>/edit/", own(self.edit_view), name="patches_node_edit"),
            path("<int:pk>/state/", nodes.state_fragment, name="patches_node_state"),
            path("<int:pk>/look/", own(nodes.look), name="patches_node_look"),
            *verb_urls(self, {"restart": nodes.RestartNode, "delete-page": nodes.DeleteNode}),
            *super().get_urls(),
        ]

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        """It has a page of its own for that, which asks for a reason."""
        return False


@admin.register(Instance)
class InstanceAdmin(ServedAdmin):
    list_display = ("name", "module", "version", "device", "nodes_known", "patched")
    search_fields = ("name", "module__name", "version", "device__name")
    list_filter = (("module", AutocompleteSelectFilter), PatchedFilter)
    list_filter_submit = True
    list_select_related = ("module", "device")
    autocomplete_fields = ("module", "device")
    fields = ("name", "module", "device", "version")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Instance]:
        found: QuerySet[Instance] = super().get_queryset(request)
        known = Node.objects.filter(instance=OuterRef("pk"))
        there = Application.objects.filter(
            standing__in=[Application.Standing.ACTIVE, Application.Standing.BROKEN]
        )
        return found.annotate(node_count=counted(known, by="instance")).prefetch_related(
            Prefetch("applications", there.select_related("patch"), to_attr="standing")
        )

    @admin.display(description="Nodes")
    def nodes_known(self, instance: Instance) -> int:
        return int(getattr(instance, "node_count", 0))

    @admin.display(description="Patches in force")
    def patched(self, instance: Instance) -> str:
        rows: list[Application] = getattr(instance, "standing", [])
        broken = Application.Standing.BROKEN
        return ", ".join(
            f"{row.patch}{' (broken)' if row.standing == broken else ''}" for row in rows
        )

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        found = Instance.objects.select_related("module", "device", "installation", "watched")
        instance = get_object_or_404(found, pk=number_or_404(object_id))
        return instances.instance_page(request, instance)

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Django's own form; the instance's page has taken its usual address."""
        return super().change_view(request, str(pk))

    def get_readonly_fields(
        self, _request: HttpRequest, obj: Instance | None = None
    ) -> tuple[str, ...]:
        """What it is, and where, stays; its version changes with an installation. By its name its device knows it."""
        if obj is None:
            return ()
        named = ("name",) if is_installed(obj) else ()
        return (*named, "module", "device", "version")

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: Instance,
        _form: ModelForm[Instance],
        _change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        save_instance(instance=obj, actor=actor_of(request.user))

    def response_post_save_change(self, _request: HttpRequest, obj: Instance) -> HttpResponse:
        return redirect(instances.instance_url(obj))

    def response_post_save_add(self, _request: HttpRequest, obj: Instance) -> HttpResponse:
        return redirect(instances.instance_url(obj))

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("<int:pk>/edit/", own(self.edit_view), name="updates_instance_edit"),
            path("<int:pk>/look/", own(instances.look_at_all), name="updates_instance_look"),
            *verb_urls(self, {"installed": instances.RecordInstallation}),
            *super().get_urls(),
        ]


@admin.register(Module)
class ModuleAdmin(ServedAdmin):
    list_display = ("name", "runtime", "source", "installed", "notes")
    search_fields = ("name", "source", "notes")
    list_filter = (("runtime", ChoicesDropdownFilter),)
    fields = ("name", "runtime", "source", "notes")
    change_form_after_template = "patches/module_after.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Module]:
        found: QuerySet[Module] = super().get_queryset(request)
        known = Instance.objects.filter(module=OuterRef("pk"))
        return found.annotate(instance_count=counted(known, by="module"))

    @admin.display(description="Instances")
    def installed(self, module: Module) -> int:
        return int(getattr(module, "instance_count", 0))

    def get_readonly_fields(
        self, _request: HttpRequest, obj: Module | None = None
    ) -> tuple[str, ...]:
        """What its processes are made of stays once it has instances."""
        return ("runtime",) if obj and obj.instances.exists() else ()

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: Module,
        _form: ModelForm[Module],
        _change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        save_module(module=obj, actor=actor_of(request.user))
