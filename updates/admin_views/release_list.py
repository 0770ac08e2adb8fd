"""The list of releases, and the addresses of their pages."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin

from portal.core.admin import DaysFilter, verb_urls
from portal.core.pages import number_or_404
from updates.admin_views import releases
from updates.admin_views.offered import OfferedAdmin
from updates.models import Artifact, Release, ReleaseTag
from updates.queries import installed_on


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


class ReleaseAdmin(OfferedAdmin):
    withdrawn_at = "withdrawn_at"
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
        release = get_object_or_404(
            Release.objects.select_related("created_by"), pk=number_or_404(object_id)
        )
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
            *verb_urls(self, verbs),
            *super().get_urls(),
        ]
