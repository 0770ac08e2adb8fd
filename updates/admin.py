"""Lists of artifacts, deployments and upgrades, and the addresses of their pages. No rules here: see the services."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, re_path
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    MultipleChoicesDropdownFilter,
)

from portal.core.admin import DaysFilter, ReadOnlyAdmin, data_of
from updates.admin_views import (
    artifacts,
    checks,
    deployments,
    downloads,
    life,
    releases,
    stuck,
    update_modules,
    upgrade_verbs,
)
from updates.admin_views import history as history_pages
from updates.admin_views import upgrades as upgrade_pages
from updates.models import (
    Artifact,
    Deployment,
    Release,
    ReleaseTag,
    UpdateModule,
    Upgrade,
    UpgradeEvent,
)
from updates.queries import history, installed_on


class TagFilter(admin.SimpleListFilter):
    """Releases with one tag. Tags have no page of their own."""

    title = "tag"
    parameter_name = "tag"

    def lookups(self, _request: HttpRequest, _admin: ModelAdmin[Release]) -> list[tuple[str, str]]:
        return [(word, word) for word in ReleaseTag.objects.values_list("word", flat=True)]

    def queryset(self, _request: HttpRequest, found: QuerySet[Release]) -> QuerySet[Release]:
        return found.filter(tags__word=self.value()) if self.value() else found


class WithdrawnFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, _request: HttpRequest, _admin: ModelAdmin[Release]) -> list[tuple[str, str]]:
        return [("offered", "Can be ordered"), ("withdrawn", "Withdrawn")]

    def queryset(self, _request: HttpRequest, found: QuerySet[Release]) -> QuerySet[Release]:
        wanted = {"offered": True, "withdrawn": False}.get(self.value() or "")
        return found if wanted is None else found.filter(withdrawn_at__isnull=wanted)


class ReleasePage(ChangeList):
    """A page of releases: where they are installed is counted for those that are shown, in one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        shown = list(self.result_list)
        counts = installed_on(release.name for release in shown)
        for release in shown:
            release.installed = counts.get(release.name, 0)
        self.result_list = shown


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    list_display = (
        "name", "for_types", "payload_types", "shown_tags", "state", "installed", "created_at",
    )  # fmt: skip
    search_fields = ("name", "notes", "artifacts__device_types", "artifacts__payload_type")
    list_filter = (TagFilter, WithdrawnFilter, ("created_at", DaysFilter))
    list_filter_submit = True
    list_before_template = "updates/artifact_list_head.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Release]:
        few = Artifact.objects.only("release", "device_types", "payload_type")
        found: QuerySet[Release] = super().get_queryset(request)
        return found.prefetch_related("tags", Prefetch("artifacts", few))

    def get_changelist(self, _request: HttpRequest, **_kwargs: object) -> type[ChangeList]:
        return ReleasePage

    @admin.display(description="Device types")
    def for_types(self, release: Release) -> str:
        return ", ".join(
            sorted({word for row in release.artifacts.all() for word in row.device_types})
        )

    @admin.display(description="Payload types")
    def payload_types(self, release: Release) -> str:
        return ", ".join(sorted({row.payload_type for row in release.artifacts.all()}))

    @admin.display(description="Tags")
    def shown_tags(self, release: Release) -> str:
        return ", ".join(tag.word for tag in release.tags.all())

    @admin.display(description="State")
    def state(self, release: Release) -> str:
        return "Withdrawn" if release.withdrawn_at else ""

    @admin.display(description="Installed on")
    def installed(self, release: Release) -> int:
        return int(getattr(release, "installed", 0))

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        release = get_object_or_404(Release, pk=number_or_404(object_id))
        return releases.release_page(request, release)

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        verbs = {
            "edit": releases.EditRelease,
            "withdraw": releases.WithdrawRelease,
            "restore": releases.RestoreRelease,
            "delete-page": releases.DeleteRelease,
        }
        return [
            path(
                "<int:pk>/check/", own(releases.order_release_checks), name="updates_release_check"
            ),
            *(
                path(
                    f"<int:pk>/{word}/",
                    own(verb.as_view()),
                    name=f"updates_release_{word.replace('-', '_')}",
                )
                for word, verb in verbs.items()
            ),
            *super().get_urls(),
        ]


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
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
            Artifact.objects.select_related("uploaded_by"), pk=uuid_or_404(object_id)
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
                "<uuid:pk>/download/",
                own(downloads.download_artifact),
                name="updates_artifact_download",
            ),
            path("<uuid:pk>/check/", own(checks.order_checks), name="updates_artifact_check"),
            path(
                "<uuid:pk>/delete-page/",
                own(artifacts.DeleteArtifact.as_view()),
                name="updates_artifact_delete_page",
            ),
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
        module = get_object_or_404(UpdateModule, pk=number_or_404(object_id))
        return update_modules.update_module_page(request, module)

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "upload/",
                self.admin_site.admin_view(update_modules.UploadUpdateModule.as_view()),
                name="updates_updatemodule_upload",
            ),
            *super().get_urls(),
        ]


@admin.register(Deployment)
class DeploymentAdmin(ReadOnlyAdmin):
    list_display = ("name", "release", "reason", "requested_by_name", "created_at")
    search_fields = ("name", "release__name", "reason", "requested_by_name")
    list_filter = (("release", AutocompleteSelectFilter), ("created_at", DaysFilter))
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
            path(
                "<uuid:pk>/cancel/",
                own(deployments.CancelDeployment.as_view()),
                name="updates_deployment_cancel",
            ),
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
        upgrades = history().select_related("undoes__device", "retries__device")
        upgrade = get_object_or_404(upgrades, pk=uuid_or_404(object_id))
        return upgrade_pages.upgrade_page(request, upgrade)

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            re_path(
                r"^history\.(?P<form>csv|jsonl)$",
                own(history_pages.history_file),
                name="updates_upgrade_export",
            ),
            path("stuck/", own(stuck.stuck_page), name="updates_upgrade_stuck"),
            path("<uuid:pk>/live/", upgrade_pages.live_fragment, name="updates_upgrade_live"),
            path(
                "<uuid:pk>/cancel/",
                own(upgrade_verbs.CancelUpgrade.as_view()),
                name="updates_upgrade_cancel",
            ),
            path(
                "<uuid:pk>/retry/",
                own(upgrade_verbs.RetryUpgrade.as_view()),
                name="updates_upgrade_retry",
            ),
            path(
                "<uuid:pk>/roll-back/",
                own(upgrade_verbs.RollBackUpgrade.as_view()),
                name="updates_upgrade_roll_back",
            ),
            path(
                "<uuid:pk>/recover/",
                own(upgrade_verbs.RecoverUpgrade.as_view()),
                name="updates_upgrade_recover",
            ),
            path(
                "<uuid:pk>/force-cancel/",
                own(upgrade_verbs.ForceCancelUpgrade.as_view()),
                name="updates_upgrade_force_cancel",
            ),
            path(
                "apply/<int:device>/",
                own(upgrade_verbs.ApplyArtifact.as_view()),
                name="updates_upgrade_apply",
            ),
            path(
                "of/<int:device>/",
                life.life_fragment,
                name="updates_upgrade_of_device",
            ),
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
    list_select_related = ("upgrade__device",)
    ordering = ("-id",)


def uuid_or_404(text: str) -> UUID:
    """The id that an address names; 404 when it cannot be one."""
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def number_or_404(text: str) -> int:
    """The number that an address names; 404 when it cannot be one."""
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise Http404
    return int(text)
