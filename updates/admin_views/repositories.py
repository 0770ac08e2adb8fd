"""Pages about repositories: where modules are published."""

from __future__ import annotations

from typing import Final

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from portal.core.admin import ReadOnlyAdmin, component, verb_urls
from portal.core.errors import Refused
from portal.core.pages import Button, VerbPage, number_or_404, page, require, why_not_permitted
from updates.formats.repodata import packages_of
from updates.forms import ChangeRepositoryForm, NewRepositoryForm
from updates.models import Repository
from updates.services.repositories import (
    add_repository,
    change_repository,
    remove_repository,
    request_fetch,
)

SHOWN_PACKAGES: Final = 500
SHOWN_VERSIONS: Final = 5


class RepositoryAdmin(ReadOnlyAdmin):
    list_display = ("name", "address", "enabled", "pre_releases", "modules", "state")
    search_fields = ("name", "url")
    list_before_template = "updates/repository_list_head.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Repository]:
        found: QuerySet[Repository] = super().get_queryset(request)
        return found.defer("index")

    @admin.display(description="Address", ordering="url")
    def address(self, repository: Repository) -> str:
        return repository.url

    @admin.display(description="Modules", ordering="packages")
    def modules(self, repository: Repository) -> int:
        return repository.packages

    @admin.display(description="Enabled", ordering="is_enabled")
    def enabled(self, repository: Repository) -> str:
        return "yes" if repository.is_enabled else "no"

    @admin.display(description="Pre-releases", ordering="is_testing")
    def pre_releases(self, repository: Repository) -> str:
        return "offered" if repository.is_testing else "only if asked for"

    @admin.display(description="Last fetch")
    def state(self, repository: Repository) -> SafeString:
        return component("fetched", repository=repository)

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        rows = Repository.objects.select_related("added_by")
        return repository_page(request, get_object_or_404(rows, pk=number_or_404(object_id)))

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        verbs = {"edit": ChangeRepository, "delete-page": RemoveRepository}
        return [
            path("new/", own(AddRepository.as_view()), name="updates_repository_new"),
            path("<int:pk>/fetch/", own(fetch), name="updates_repository_fetch"),
            *verb_urls(self, verbs),
            *super().get_urls(),
        ]


def repository_page(request: HttpRequest, repository: Repository) -> HttpResponse:
    """The repository, how the last fetch went, and what it publishes."""
    require(request, "updates.view_repository")
    packages = packages_of(repository.index or [])
    shown = sorted(packages, key=lambda package: package.name.casefold())[:SHOWN_PACKAGES]
    return page(
        request,
        "updates/repository.html",
        title=repository.name,
        model=Repository,
        context={
            "repository": repository,
            "shown": [(package, package.versions[:SHOWN_VERSIONS]) for package in shown],
            "left_out": len(packages) - len(shown),
            "buttons": _buttons(request, repository),
        },
    )


@require_POST
def fetch(request: HttpRequest, pk: int) -> HttpResponse:
    """A worker is fetching the index."""
    actor = require(request, "updates.fetch_repository")
    repository = get_object_or_404(Repository.objects.defer("index"), pk=pk)
    try:
        request_fetch(repository=repository, actor=actor)
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The index of {repository} is being fetched.")
    return redirect(_page_of(repository))


class AddRepository(VerbPage):
    form_class = NewRepositoryForm
    model = Repository
    permission = "updates.add_repository"
    button = "Add"

    def title(self) -> str:
        return "Add a repository"

    def back(self) -> str:
        return reverse("admin:updates_repository_changelist")

    def says(self) -> list[str]:
        return [
            "Its index is fetched right now, and again from time to time.",
            "Whoever keeps it decides which versions of modules are offered here.",
        ]

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        repository = add_repository(
            name=given["name"], url=given["url"], is_testing=given["is_testing"], actor=self.actor
        )
        messages.success(self.request, f"{repository} publishes {repository.packages} modules.")
        return _page_of(repository)


class RepositoryVerb(VerbPage):
    """A verb for the repository that the address names."""

    model = Repository

    def find(self) -> None:
        rows = Repository.objects.defer("index")
        self.repository: Repository = get_object_or_404(rows, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"{self.button} {self.repository}"

    def back(self) -> str:
        return _page_of(self.repository)


class ChangeRepository(RepositoryVerb):
    form_class = ChangeRepositoryForm
    permission = "updates.change_repository"
    button = "Change"

    def get_initial(self) -> dict[str, object]:
        row = self.repository
        return {"is_enabled": row.is_enabled, "is_testing": row.is_testing}

    def act(self, form: forms.Form) -> str:
        change_repository(repository=self.repository, actor=self.actor, **form.cleaned_data)
        messages.success(self.request, f"{self.repository} is changed.")
        return _page_of(self.repository)


class RemoveRepository(RepositoryVerb):
    permission = "updates.delete_repository"
    button = "Remove"
    is_danger = True

    def says(self) -> list[str]:
        return [
            f"The {self.repository.packages} modules that it publishes are not offered from here any more.",
            "What is installed stays as it is.",
        ]

    def act(self, form: forms.Form) -> str:
        name, reason = str(self.repository), form.cleaned_data["reason"]
        remove_repository(repository=self.repository, actor=self.actor, reason=reason)
        messages.success(self.request, f"{name} is removed.")
        return reverse("admin:updates_repository_changelist")


def _buttons(request: HttpRequest, repository: Repository) -> list[Button]:
    not_now = "" if repository.is_enabled else "It is not enabled."
    return [
        Button(
            "Fetch now",
            reverse("admin:updates_repository_fetch", args=[repository.pk]),
            why_not=why_not_permitted(request, "updates.fetch_repository") or not_now,
            is_main=True,
            posts=True,
        ),
        Button(
            "Change",
            reverse("admin:updates_repository_edit", args=[repository.pk]),
            why_not=why_not_permitted(request, "updates.change_repository"),
        ),
        Button(
            "Remove",
            reverse("admin:updates_repository_delete_page", args=[repository.pk]),
            why_not=why_not_permitted(request, "updates.delete_repository"),
            is_danger=True,
        ),
    ]


def _page_of(repository: Repository) -> str:
    return reverse("admin:updates_repository_change", args=[repository.pk])
