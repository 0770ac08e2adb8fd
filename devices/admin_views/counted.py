"""Pages that do something to many at once: how many is said, and typed when it is a big number."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django import forms
from django.http import HttpResponse
from unfold.widgets import UnfoldAdminTextInputWidget

from devices.services.bulk import (
    FLEET_CHANGED,
    MEANT_ABOVE,
    mark_of_these,
    require_meant,
    require_seen,
)
from portal.core.forms import ReasonForm, show_with
from portal.core.pages import VerbPage


class CountedForm(ReasonForm):
    """`expected` is the mark of those that the page showed; `number` is what somebody has to type for more than a few."""

    number = forms.IntegerField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    expected = forms.CharField(max_length=100, widget=forms.HiddenInput())


class CountedPage(VerbPage):
    """`ids` is what it is about by now, which `find` sets, and `what` they are; `changed` begins the refusal of others."""

    form_class = CountedForm
    changed = FLEET_CHANGED
    what = "devices"
    ids: Collection[object] = ()

    @property
    def count(self) -> int:
        return len(self.ids)

    def get_initial(self) -> dict[str, Any]:
        return {"expected": mark_of_these(self.ids)}

    def get_form(self, form_class: type[forms.Form] | None = None) -> forms.Form:
        form = super().get_form(form_class)
        if self.count > MEANT_ABOVE:
            form.fields["number"].required = True
            form.fields["number"].label = f"Number of {self.what}"
            form.fields["number"].help_text = f"Type {self.count} to say that you mean so many."
        else:
            del form.fields["number"]
        return form

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        show_with(form, expected=mark_of_these(self.ids))
        return super().form_invalid(form)

    def require_as_seen(self, given: dict[str, Any]) -> None:
        """Nothing, or Refused: it is about others than the page showed, or about more than somebody said to mean."""
        require_seen(ids=self.ids, seen=given["expected"], changed=self.changed, what=self.what)
        said = given.get("number")
        require_meant(count=self.count, said=said, how="type the number", what=self.what)
