"""Two people with the same form: who saves last is told what the other one changed, and nothing is overwritten unseen."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model

if TYPE_CHECKING:
    AnyModelForm = forms.ModelForm[Model]
else:
    AnyModelForm = forms.ModelForm

SEEN = "_seen"
"""The name under which a form's page sends back what it was made of."""


def told_of_changes(form: type[AnyModelForm], *, seen: str | None) -> type[AnyModelForm]:
    """The form, refused when the row is no longer the one that `seen` was made of; None asks nothing (a script's own post).

    What was typed stands there still, beside what the row holds by now: saving once more is saving knowingly.
    """

    class Told(form):  # type: ignore[valid-type,misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has them
            super().__init__(*args, **kwargs)
            self.stored = digest_of(self)

        def clean(self) -> dict[str, Any] | None:
            cleaned: dict[str, Any] | None = super().clean()
            if seen is not None and seen != self.stored:
                self.add_error(None, ValidationError(_what_changed(self), code="changed"))
            return cleaned

    Told.__name__ = form.__name__
    return Told


def digest_of(form: AnyModelForm) -> str:
    """What the form's row holds, in the form's own fields: the same text for as long as nobody changes one of them."""
    held = "\n".join(
        f"{name}={form.initial.get(name)!r}"
        for name in sorted(form.base_fields)
        if name in form.initial
    )
    return hashlib.sha256(held.encode()).hexdigest()


def _what_changed(form: AnyModelForm) -> str:
    by_now = ", ".join(
        f"{form[name].label}: {form.initial.get(name) or 'empty'}"
        for name in form.changed_data
        if name in form.initial
    )
    words = "Somebody changed this while you had it open, so nothing was saved."
    if by_now:
        words += f" What differs from what you typed is by now: {by_now}."
    return f"{words} Save again to have it as it stands below."
