"""Lists of artifacts, deployments and upgrades, and the addresses of their pages. No rules here: see the services."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, re_path
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    MultipleChoicesDropdownFilter,
)

from portal.core.admin import DaysFilter, ReadOnlyAdmin, data_of, verb_urls
from portal.core.pages import number_or_404, uuid_or_404
from updates.admin_views import (
    artifacts,
    build,
    checks,
    deployments,
    downloads,
    life,
    stuck,
    update_modules,
    upgrade_verbs,
)
from updates.admin_views import history as history_pages
from updates.admin_views import upgrades as upgrade_pages
from updates.admin_views.backups import BackupAdmin
from updates.admin_views.image_checks import ImageCheckAdmin
from updates.admin_views.image_removals import ImageRemovalAdmin
from updates.admin_views.key_lists import SigningKeyAdmin, TrustedKeyAdmin
from updates.admin_views.module_lists import InstallationAdmin, ModuleOrderAdmin
from updates.admin_views.offered import OfferedAdmin
from updates.admin_views.order_lists import OrderAdmin, StandingFilter
from updates.admin_views.release_list import ReleaseAdmin
from updates.admin_views.repositories import RepositoryAdmin
from updates.admin_views.roll_back import RollBackUpgrade
from updates.admin_views.watched import WatchedContainerAdmin
from updates.models import (
    Artifact,
    Backup,
    Deployment,
    ImageCheck,
    ImageRemoval,
    Installation,
    ModuleOrder,
    Release,
    Repository,
    SigningKey,
    TrustedKey,
    UpdateModule,
    Upgrade,
    UpgradeEvent,
    WatchedContainer,
)
from updates.queries import history


@admin.register(Artifact)
class ArtifactAdmin(OfferedAdmin):
    withdrawn_at = "release__withdrawn_at"
    list_display = (
        "name", "payload_type", "for_types", "shown_size", "signed", "uploaded_by", "uploaded_at",
    )  # fmt: skip
    search_fields = ("name", "payload_type", "notes", "sha256")
    list_filter = ("payload_type", "is_signed", ("uploaded_at", DaysFilter))
    list_filter_submit = True
    list_select_related = ("uploaded_by",)
    list_before_template = "updates/artifact_list_head.html"

    @admin.display(description="Device types")
    def for_types(self, artifact: Artifact) -> str:
        return ", ".join(artifact.device_types)

    @admin.display(description="Size", ordering="size")
    def shown_size(self, artifact: Artifact) -> str:
        return filesizeformat(artifact.size)

    @admin.display(description="Signed", ordering="is_signed")
    def signed(self, artifact: Artifact) -> str:
        return "Yes" if artifact.is_signed else "No"

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        artifact = get_object_or_404(
            Artifact.objects.select_related("uploaded_by", "release", "signed_by"),
            pk=uuid_or_404(object_id),
        )
        return artifacts.artifact_page(request, artifact)

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path(
                "upload/",
                own(artifacts.UploadArtifact.as_view()),
                name="updates_artifact_upload",
            ),
            path("<uuid:pk>/checks/", checks.checks_fragment, name="updates_artifact_checks"),
            path(
                "build/<slug:kind>/",
                own(build.BuildArtifact.as_view()),
                name="updates_artifact_build",
            ),
            path(
                "build/<slug:kind>/preview/",
                own(build.build_preview),
                name="updates_artifact_build_preview",
            ),
            path(
                "<uuid:pk>/download/",
                own(downloads.download_artifact),
                name="updates_artifact_download",
            ),
            path("<uuid:pk>/check/", own(checks.order_checks), name="updates_artifact_check"),
            *verb_urls(self, {"delete-page": artifacts.DeleteArtifact}),
            *super().get_urls(),
        ]


@admin.register(UpdateModule)
class UpdateModuleAdmin(ReadOnlyAdmin):
    list_display = ("name", "version", "shown_size", "notes", "uploaded_by", "uploaded_at")
    search_fields = ("name", "notes")
    list_select_related = ("uploaded_by",)
    list_before_template = "updates/update_module_list_head.html"

    @admin.display(description="Size", ordering="size")
    def shown_size(self, module: UpdateModule) -> str:
        return filesizeformat(module.size)

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        modules = UpdateModule.objects.select_related("uploaded_by")
        module = get_object_or_404(modules, pk=number_or_404(object_id))
        return update_modules.update_module_page(request, module)

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "upload/",
                self.admin_site.admin_view(update_modules.UploadUpdateModule.as_view()),
                name="updates_updatemodule_upload",
            ),
            path(
                "walk-through/",
                self.admin_site.admin_view(update_modules.walk_through),
                name="updates_updatemodule_walk_through",
            ),
            path(
                "<int:pk>/check/",
                self.admin_site.admin_view(update_modules.order_module_checks),
                name="updates_updatemodule_check",
            ),
            path(
                "<int:pk>/checks/",
                update_modules.module_checks_fragment,
                name="updates_updatemodule_checks",
            ),
            *super().get_urls(),
        ]


@admin.register(Deployment)
class DeploymentAdmin(OrderAdmin):
    list_display = ("name", "release", "progress", "reason", "requested_by_name", "created_at")
    search_fields = ("name", "release__name", "reason", "requested_by_name")
    list_filter = (
        StandingFilter, ("release", AutocompleteSelectFilter), ("created_at", DaysFilter),
    )  # fmt: skip
    list_filter_submit = True
    list_select_related = ("release",)
    list_before_template = "updates/deployment_list_head.html"

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        deployment = get_object_or_404(
            Deployment.objects.select_related("artifact", "release"), pk=uuid_or_404(object_id)
        )
        return deployments.deployment_page(request, deployment)

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path(
                "deploy/",
                own(deployments.DeployArtifact.as_view()),
                name="updates_deployment_deploy",
            ),
            path(
                "<uuid:pk>/counts/", deployments.counts_fragment, name="updates_deployment_counts"
            ),
            *verb_urls(self, {"cancel": deployments.CancelDeployment}),
            *super().get_urls(),
        ]


@admin.register(Upgrade)
class UpgradeAdmin(ReadOnlyAdmin):
    """The history. Its list is a page of our own: see there."""

    search_fields = ("device__name", "to_version")

    def changelist_view(
        self, request: HttpRequest, *_args: object, **_extra: object
    ) -> HttpResponse:
        return history_pages.history_page(request)

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        upgrades = history().select_related(
            "undoes__device", "undoes__instance", "retries__device", "retries__instance"
        )
        upgrade = get_object_or_404(upgrades, pk=uuid_or_404(object_id))
        return upgrade_pages.upgrade_page(request, upgrade)

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        verbs = {
            "cancel": upgrade_verbs.CancelUpgrade,
            "commit": upgrade_verbs.CommitUpgrade,
            "retry": upgrade_verbs.RetryUpgrade,
            "roll-back": RollBackUpgrade,
            "recover": upgrade_verbs.RecoverUpgrade,
            "force-cancel": upgrade_verbs.ForceCancelUpgrade,
        }
        return [
            re_path(
                r"^history\.(?P<form>csv|jsonl)$",
                own(history_pages.history_file),
                name="updates_upgrade_export",
            ),
            path("stuck/", own(stuck.stuck_page), name="updates_upgrade_stuck"),
            path("<uuid:pk>/live/", upgrade_pages.live_fragment, name="updates_upgrade_live"),
            *verb_urls(self, verbs),
            path(
                "apply/<int:device>/",
                own(upgrade_verbs.ApplyArtifact.as_view()),
                name="updates_upgrade_apply",
            ),
            path("of/<int:device>/", life.life_fragment, name="updates_upgrade_of_device"),
            *super().get_urls(),
        ]


@admin.register(UpgradeEvent)
class UpgradeEventAdmin(ReadOnlyAdmin):
    exclude = ("data",)
    readonly_fields = (data_of,)
    list_display = ("upgrade", "seq", "at", "kind", "from_state", "event", "to_state", "call")
    search_fields = ("upgrade__id", "call")
    list_filter = (("kind", MultipleChoicesDropdownFilter), ("at", DaysFilter))
    list_filter_submit = True
    list_select_related = ("upgrade__device", "upgrade__instance")
    ordering = ("-id",)


admin.site.register(Release, ReleaseAdmin)
admin.site.register(TrustedKey, TrustedKeyAdmin)
admin.site.register(SigningKey, SigningKeyAdmin)
admin.site.register(Repository, RepositoryAdmin)
admin.site.register(ModuleOrder, ModuleOrderAdmin)
admin.site.register(Installation, InstallationAdmin)
admin.site.register(ImageCheck, ImageCheckAdmin)
admin.site.register(ImageRemoval, ImageRemovalAdmin)
admin.site.register(WatchedContainer, WatchedContainerAdmin)
admin.site.register(Backup, BackupAdmin)
