"""The one field of every page here."""

from __future__ import annotations

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget


class CodeForm(forms.Form):
    code = forms.CharField(
        label="Code",
        max_length=40,
        help_text="The six digits that your app shows now, or one of your recovery codes.",
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}
        ),
    )
