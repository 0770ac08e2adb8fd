"""Forms that pages of every app use."""

from __future__ import annotations

from typing import cast

from django import forms
from django.http import QueryDict
from unfold.widgets import TEXTAREA_CLASSES, UnfoldAdminTextareaWidget, UnfoldBooleanWidget


class ReasonForm(forms.Form):
    """Asks why: the answer is kept in the history."""

    reason = forms.CharField(
        label="Reason",
        help_text="Why is this done? It is kept in the history.",
        max_length=2000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


class SecretArea(forms.Textarea):
    """Takes a secret of many lines in, and never shows it again: not even when the form comes back with an error."""

    def __init__(self, *, rows: int) -> None:
        looks = {"rows": rows, "autocomplete": "off", "spellcheck": "false"}
        super().__init__(attrs={**looks, "class": " ".join(TEXTAREA_CLASSES)})

    def format_value(self, _value: object) -> None:
        return None


def tick(label: str, help_text: str = "") -> forms.BooleanField:
    """Something that is wanted, or not."""
    return forms.BooleanField(
        label=label, required=False, help_text=help_text, widget=UnfoldBooleanWidget()
    )


def show_with(form: forms.Form, **values: str) -> None:
    """The bound form shows these values next time, whatever was sent: the next word is given for what the page shows."""
    data = cast(QueryDict, form.data).copy()
    for field, value in values.items():
        data[field] = value
    form.data = data
