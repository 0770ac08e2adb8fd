"""Forms that pages of every app use."""

from __future__ import annotations

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget


class ReasonForm(forms.Form):
    """Asks why: the answer is kept in the history."""

    reason = forms.CharField(
        label="Reason",
        help_text="Why is this done? It is kept in the history.",
        max_length=2000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )
