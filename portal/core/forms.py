"""Forms that pages of every app use."""

from __future__ import annotations

from typing import cast

from django import forms
from django.http import QueryDict
from unfold.widgets import UnfoldAdminTextareaWidget


class ReasonForm(forms.Form):
    """Asks why: the answer is kept in the history."""

    reason = forms.CharField(
        label="Reason",
        help_text="Why is this done? It is kept in the history.",
        max_length=2000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


def show_with(form: forms.Form, **values: str) -> None:
    """The bound form shows these values next time, whatever was sent: the next word is given for what the page shows."""
    data = cast(QueryDict, form.data).copy()
    for field, value in values.items():
        data[field] = value
    form.data = data
