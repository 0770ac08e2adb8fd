"""The admin of the ground: who may log in, tokens, the audit trail. And what admin classes of all apps share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Protocol, cast

from django.contrib import admin
from django.contrib.admin.filters import AllValuesFieldListFilter
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Field, Model, QuerySet, UUIDField
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from portal.core.account_edits import note_deleted, note_password, note_saved
from portal.core.actors import actor_of
from portal.core.bounded import BoundedPaginator
from portal.core.models import ApiToken, AuditEvent
from portal.core.pages import VerbPage, number_or_404
from portal.core.queries import words_in
from portal.core.same_row import SEEN, told_of_changes
from portal.core.search import containing, words_of

if TYPE_CHECKING:
    UserAdminBase = UserAdmin[User]
    AnyAdmin = admin.ModelAdmin[Any]
else:
    UserAdminBase = UserAdmin
    AnyAdmin = object

PER_PAGE = 50


class ReadOnlyAdmin(ModelAdmin):
    """Rows that nobody edits by hand: their pages have a form for each verb instead."""

    show_add_link = False
    list_per_page = PER_PAGE
    paginator = BoundedPaginator
    show_full_result_count = False
    actions = None

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False


class ServedAdmin(ModelAdmin):
    """Plain rows whose edits go through the services. Their forms refuse first, so that nothing is refused in saving."""

    list_per_page = PER_PAGE
    show_full_result_count = False
    actions = None
    change_form_before_template = "components/seen.html"

    delete_page: type[VerbPage] | None = None
    """Django's own shows every row that refers to the one to be deleted, and asks for no reason."""

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Model | None:
        """The row. One that is about to be saved stays as it is until then."""
        if request.method == "POST" and connection.in_atomic_block:
            rows = self.model._default_manager.select_for_update()
            rows.filter(pk=number_or_404(object_id)).first()
        found: Model | None = super().get_object(request, object_id, from_field)
        return found

    def get_form(
        self,
        request: HttpRequest,
        obj: Model | None = None,
        change: bool = False,  # noqa: FBT001, FBT002 - as Django has it
        **kwargs: Any,  # noqa: ANN401
    ) -> type[ModelForm[Model]]:
        form: type[ModelForm[Model]] = super().get_form(request, obj, change, **kwargs)
        return told_of_changes(form, seen=request.POST.get(SEEN)) if obj else form

    def delete_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        if self.delete_page is None:
            raise PermissionDenied("Rows of this kind stay, or have another page for that.")
        shown = self.delete_page.as_view()
        return cast(HttpResponse, shown(request, pk=number_or_404(object_id)))


def verb_urls(rows: ModelAdmin, verbs: Mapping[str, type[VerbPage]]) -> list[URLPattern]:
    """An address for each verb's page, below that of its row: "roll-back" of an upgrade is `updates_upgrade_roll_back`."""
    opts = rows.opts
    pk = "uuid" if isinstance(opts.pk, UUIDField) else "int"
    return [
        path(
            f"<{pk}:pk>/{word}/",
            rows.admin_site.admin_view(verb.as_view()),
            name=f"{opts.app_label}_{opts.model_name}_{word.replace('-', '_')}",
        )
        for word, verb in verbs.items()
    ]


class DaysFilter(RangeDateFilter):
    """From the beginning of one day to the end of another, in the portal's time zone. What is no date is no limit."""

    def queryset(self, _request: HttpRequest, found: QuerySet[Model]) -> QuerySet[Model]:
        first, last = self._day("from"), self._day("to")
        if first:
            found = found.filter(**{f"{self.field_path}__gte": _beginning(first)})
        if last:
            found = found.filter(**{f"{self.field_path}__lt": _beginning(last + timedelta(days=1))})
        return found

    def _day(self, end: str) -> date | None:
        try:
            return parse_date(str(self.used_parameters.get(f"{self.field_path}_{end}", "")))
        except ValueError:
            return None


class WordsFilter(AllValuesFieldListFilter):
    """Each word that the column holds, to choose from. The column is the first of an index."""

    def __init__(
        self,
        field: Field[Any, Any],
        request: HttpRequest,
        params: dict[str, Any],
        model: type[Model],
        model_admin: ModelAdmin,
        field_path: str,
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        self.lookup_choices = cast(Any, words_in(model, field_path))


def _beginning(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def component(name: str, **context: Any) -> SafeString:  # noqa: ANN401 - whatever the template takes
    """A template component, for a column of a list."""
    return render_to_string(f"components/{name}.html", context)


class HoldsData(Protocol):
    data: dict[str, Any]


@admin.display(description="Data")
def data_of(row: HoldsData) -> SafeString:
    """What the row's `data` holds, as text. The theme would colour it with inline styles, which our policy forbids."""
    return component("data", data=json.dumps(row.data, indent=2, ensure_ascii=False))


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    exclude = ("data",)
    readonly_fields = (data_of,)
    list_display = ("at", "actor", "action", "subject", "reason")
    search_fields = ("actor", "action", "subject", "reason")
    list_filter = (("at", DaysFilter), ("action", WordsFilter), ("subject_type", WordsFilter))
    list_filter_submit = True

    def get_search_results(
        self, _request: HttpRequest, queryset: QuerySet[Model], search_term: str
    ) -> tuple[QuerySet[Model], bool]:
        words = words_of(search_term)
        return containing(queryset, words, columns=self.search_fields), False


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("name", "user", "created_at", "expires_at", "revoked_at", "last_used_at")
    fields = list_display
    search_fields = ("name", "user__username")
    list_select_related = ("user",)


admin.site.unregister(User)
admin.site.unregister(Group)


class AuditedAccounts(AnyAdmin):
    """Whatever is done to these rows is in the audit trail, in the transaction in which it is done."""

    def save_related(
        self,
        request: HttpRequest,
        form: Any,  # noqa: ANN401 - as Django has it
        formsets: Any,  # noqa: ANN401 - as Django has it
        change: bool,  # noqa: FBT001 - as Django has it
    ) -> None:
        super().save_related(request, form, formsets, change)
        note_saved(form.instance, form, actor=actor_of(request.user), is_new=not change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:  # noqa: ANN401 - as Django has it
        note_deleted([obj], actor=actor_of(request.user))
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            note_deleted(queryset, actor=actor_of(request.user))
            super().delete_queryset(request, queryset)


@admin.register(User)
class PortalUserAdmin(AuditedAccounts, UserAdminBase, ModelAdmin):
    """Nobody is deleted: the history says who asked for what. Whoever leaves is made inactive, and cannot log in."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    # Two lists side by side are wider than a screen, and say nothing to a screen reader.
    filter_horizontal = ()
    autocomplete_fields = ("groups",)

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 - as Django has it
        form_url: str = "",
    ) -> HttpResponse:
        with transaction.atomic():
            before = self.get_object(request, unquote(id))
            answer = super().user_change_password(request, id, form_url)
            after = self.get_object(request, unquote(id))
            if before is not None and after is not None and before.password != after.password:
                note_password(after, actor=actor_of(request.user))
        return answer

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        return False


@admin.register(Group)
class PortalGroupAdmin(AuditedAccounts, GroupAdmin, ModelAdmin):
    filter_horizontal = ()
